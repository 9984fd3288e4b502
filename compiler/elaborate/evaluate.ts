import type {
  Argument,
  Call,
  Comprehension,
  Conditional,
  Expr,
  ListLiteral,
  Member,
  NumberLiteral,
  Pipe,
  RecordLiteral,
  Reference,
} from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { applyFunction, type GivenArgument } from "./call.ts";
import { type Context, contextAt, contextWith, limits, report, taskName } from "./context.ts";
import { evaluateBinary, evaluateUnary } from "./operators.ts";
import { LocalScope, lookupName } from "./scope.ts";
import { evaluateSubscript, fieldOf, listNames, takeSlice } from "./subscript.ts";
import {
  booleanValue,
  describe,
  itemsOf,
  listValue,
  none,
  numberValue,
  poison,
  recordValue,
  type StaticValue,
  stringValue,
  withSpan,
} from "./value.ts";

/** The value of an expression. Findings are reported into the session, and their value is poison. */
export function evaluate(expr: Expr, context: Context): StaticValue {
  const { session } = context;
  const { budget } = session;
  const left = budget.left - 1;
  budget.left = left;
  if (left < 0 && !session.outOfSteps(expr.span)) return poison;
  // Nothing is within a number.
  if (expr.kind === "NumberLiteral") return numberValue(expr.value);
  const depth = budget.depth + 1;
  budget.depth = depth;
  const value = depth <= limits.nesting || session.tooDeep(expr.span) ? evaluateInside(expr, context) : poison;
  budget.depth = depth - 1;
  return value;
}

/** Without functions of its own, for which V8 would make a context at each call. */
function evaluateInside(expr: Exclude<Expr, NumberLiteral>, context: Context): StaticValue {
  // The most frequent kinds first.
  switch (expr.kind) {
    case "Reference":
      return evaluateReference(expr, context);
    case "Call":
      return evaluateCall(expr, null, context);
    case "Binary":
      return evaluateBinary(expr, context);
    case "Member":
      return evaluateMember(expr, context);
    case "Pipe":
      return evaluatePipe(expr, context);
    case "StringLiteral":
      return stringValue(expr.value);
    case "BooleanLiteral":
      return booleanValue(expr.value);
    case "NoneLiteral":
      return none;
    case "Paren":
      return evaluate(expr.inner, context);
    case "ListLiteral":
      return evaluateList(expr, context);
    case "RecordLiteral":
      return evaluateRecord(expr, context);
    case "Comprehension":
      return evaluateComprehension(expr, context);
    case "Subscript":
      return evaluateSubscript(expr, context);
    case "Unary":
      return evaluateUnary(expr, context);
    case "Conditional":
      return evaluateConditional(expr, context);
    case "Lambda":
      return {
        kind: "function",
        form: "lambda",
        parameters: expr.parameters.map((name) => name.text),
        body: expr.body,
        scope: context.scope,
        span: expr.span,
      };
  }
}

function evaluateList({ items }: ListLiteral, context: Context): StaticValue {
  return listOf(items.map((item) => evaluate(item, context)));
}

function evaluateRecord({ fields }: RecordLiteral, context: Context): StaticValue {
  return recordValue("a record", new Map(fields.map((field) => [field.name.text, evaluate(field.value, context)])));
}

function listOf(items: readonly StaticValue[]): StaticValue {
  return items.some((item) => item.kind === "poison") ? poison : listValue(items);
}

/** Most unknown names were reported when names were resolved; others exist for some tasks and not for all. */
function evaluateReference(expr: Reference, context: Context): StaticValue {
  const value = lookupName(context.scope, expr.name, context, expr.span);
  if (value === undefined) {
    const task = taskName(context);
    const help = task !== null ? `task \`${task}\` has no such name: an \`output\` of a flow exists for the tasks of that flow` : null;
    return report(context, "name/unknown", expr.span, { name: expr.name }, { help });
  }
  return value.kind === "tensor" ? withSpan(value, expr.span) : value;
}

function evaluateMember(expr: Member, context: Context): StaticValue {
  const object = evaluate(expr.object, context);
  const name = expr.name.text;
  switch (object.kind) {
    case "poison":
      return poison;
    case "record":
      return fieldOf(object.fields, object.title, name, expr.name.span, context);
    case "tensor": {
      const slice = object.slices?.find((candidate) => candidate.name === name);
      if (slice !== undefined) return takeSlice(object, slice, expr.span, context);
      const member = object.members?.get(name);
      if (member !== undefined) return member.kind === "tensor" ? withSpan(member, expr.span) : member;
      const known = [...(object.slices ?? []).map((candidate) => candidate.name), ...(object.members?.keys() ?? [])];
      const near = closest(name, known);
      return report(
        context,
        "name/unknown-member",
        expr.name.span,
        { object: describe(object), name },
        {
          help:
            near !== null
              ? `did you mean \`${near}\`?`
              : known.length > 0
                ? `it has ${listNames(known)}`
                : "it has no named slices and no outputs",
          fixes: near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span: expr.name.span, text: near }] }],
        },
      );
    }
    default:
      return report(context, "name/unknown-member", expr.name.span, { object: describe(object), name });
  }
}

function evaluateConditional(expr: Conditional, context: Context): StaticValue {
  let at: Expr = expr;
  while (at.kind === "Conditional") {
    const condition = evaluate(at.condition, context);
    if (condition.kind === "poison") return poison;
    if (condition.kind !== "boolean") {
      return condition.kind === "tensor"
        ? report(
            context,
            "type/not-static",
            at.condition.span,
            { what: "the condition of `if`", found: describe(condition) },
            { help: "`where(c, a, b)` chooses by data" },
          )
        : report(context, "type/mismatch", at.condition.span, {
            what: "the condition of `if`",
            expected: "true or false",
            found: describe(condition),
          });
    }
    at = condition.value ? at.then : at.otherwise;
  }
  return evaluate(at, context);
}

function evaluateComprehension(expr: Comprehension, context: Context): StaticValue {
  const items: StaticValue[] = [];
  const fits = collect(expr, 0, context, items);
  return fits ? listOf(items) : poison;
}

/** Appends the values of the clauses from `depth` on; false once something was reported. */
function collect(expr: Comprehension, depth: number, context: Context, items: StaticValue[]): boolean {
  const clause = expr.clauses[depth];
  if (clause === undefined) {
    items.push(evaluate(expr.value, context));
    return true;
  }
  const over = evaluate(clause.over, context);
  if (over.kind === "poison") return false;
  const values = itemsOf(over);
  if (values === null) {
    report(context, "type/mismatch", clause.over.span, {
      what: "what `for` goes through",
      expected: "a list or a record",
      found: describe(over),
    });
    return false;
  }
  for (let i = 0; i < values.length; i += 1) {
    if (!context.session.spend(clause.span)) return false;
    const scope = new LocalScope(context.scope);
    scope.set(clause.name.text, values[i] as StaticValue);
    if (clause.index !== null) scope.set(clause.index.text, numberValue(i));
    const inner = contextWith(context, { scope, place: context.place.child(String(i)) });
    if (clause.condition !== null) {
      const condition = evaluate(clause.condition, inner);
      if (condition.kind === "poison") return false;
      if (condition.kind !== "boolean") {
        report(context, "type/mismatch", clause.condition.span, {
          what: "the condition of a comprehension",
          expected: "true or false",
          found: describe(condition),
        });
        return false;
      }
      if (!condition.value) continue;
    }
    if (!collect(expr, depth + 1, inner, items)) return false;
  }
  return true;
}

function evaluatePipe(expr: Pipe, context: Context): StaticValue {
  let value = evaluate(expr.left, context);
  let span: Span = expr.left.span;
  for (const stage of expr.stages) {
    value = evaluateCall(stage, { name: null, nameSpan: null, value, span }, context);
    span = stage.span;
  }
  return value;
}

/** A call; in a pipe, `piped` is the first argument. */
function evaluateCall(call: Call, piped: GivenArgument | null, context: Context): StaticValue {
  if (call.callee.kind === "Reference" && call.callee.name === "all") return evaluateAll(call, context);
  const callee = evaluate(call.callee, context);
  const first = piped === null ? 0 : 1;
  const given = new Array<GivenArgument>(first + call.arguments.length);
  if (piped !== null) given[0] = piped;
  for (let i = 0; i < call.arguments.length; i += 1) given[first + i] = evaluateArgument(call.arguments[i] as Argument, context);
  if (callee.kind === "poison") return poison;
  if (callee.kind !== "function") return report(context, "call/not-callable", call.callee.span, { found: describe(callee) });
  const label = context.labels.get(call) ?? "";
  let place = label === "" || callee.form === "builtin" ? context.place : context.place.child(label);
  if (call.per !== null) {
    context.session.calls.forbidRepeat(); // Whom it is shared with depends on the task.
    const { sharing } = place;
    if (sharing === null && context.session.generic)
      return applyFunction(callee, given, contextAt(context, place), call.span, call.callee.span);
    if (sharing === null) return report(context, "per/nothing-to-share", call.per.span, { unit: call.per.unit });
    if (!place.canShare(call.per.unit)) return report(context, "per/narrower", call.per.span, { unit: call.per.unit, around: sharing });
    if (call.per.unit === "group" && context.group === null) {
      return report(context, "per/no-group", call.per.span, { task: taskName(context) ?? "" });
    }
    place = place.share(call.per.unit);
  }
  const inner = place === context.place ? context : contextAt(context, place);
  return applyFunction(callee, given, inner, call.span, call.callee.span);
}

/** `all(name)` takes a name and not its value, which has none outside of a task. */
function evaluateAll(call: Call, context: Context): StaticValue {
  const argument = call.arguments[0]?.value;
  if (context.model === null || call.arguments.length !== 1 || argument?.kind !== "Reference") {
    return report(context, "type/mismatch", call.span, {
      what: "the argument of `all`",
      expected: "one name of the model that is per task or per group",
      found: "something else",
    });
  }
  return context.model.all(argument.name, call.span, context);
}

function evaluateArgument(argument: Argument, context: Context): GivenArgument {
  return {
    name: argument.name?.text ?? null,
    nameSpan: argument.name?.span ?? null,
    value: evaluate(argument.value, context),
    span: argument.value.span,
  };
}
