import type { Block, Let, Output, Penalty, Require, Statement, Type } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import { builderOf, type Context, contextAt, contextWith, report, taskName } from "./context.ts";
import { evaluate } from "./evaluate.ts";
import { DimBinding, matchType, noVariables } from "./match-type.ts";
import { declareParam } from "./params.ts";
import { LocalScope } from "./scope.ts";
import { dtypeOf, shapeOf } from "./tensors.ts";
import { describe, itemsOf, poison, type StaticValue } from "./value.ts";

const noMembers: ReadonlyMap<string, StaticValue> = new Map();

export interface BodyResult {
  readonly result: StaticValue;
  /** The values of `output` statements. */
  readonly members: ReadonlyMap<string, StaticValue>;
}

/** Runs the statements of a definition, a flow or a function with braces; names are added to `scope`. */
export function evaluateBody(block: Block, name: string, scope: LocalScope, context: Context): BodyResult {
  let members: Map<string, StaticValue> | null = null;
  let result: StaticValue | null = null;
  for (let i = 0; i < block.statements.length; i += 1) {
    const statement = block.statements[i] as Statement;
    if (result !== null) {
      report(context, "call/after-return", statement.span, {});
      break;
    }
    switch (statement.kind) {
      case "Let":
        bindLet(statement, scope, context);
        break;
      case "Param":
        scope.set(statement.name.text, declareParam(statement, context));
        break;
      case "Output": {
        const value = evaluateOutput(statement, scope, context);
        members ??= new Map();
        members.set(statement.name.text, value);
        scope.set(statement.name.text, value);
        break;
      }
      case "Penalty":
        declarePenalty(statement, contextAt(context, context.place.child(statement.name.text)));
        break;
      case "Require":
        // What follows was written for arguments that meet the requirement.
        if (!meetsRequirement(statement, name, context)) return { result: poison, members: members ?? noMembers };
        break;
      case "Return":
        result = evaluate(statement.value, context);
    }
  }
  return { result: result ?? report(context, "call/no-return", block.span, { name }), members: members ?? noMembers };
}

/** Evaluates a `let` and adds its names; several names take apart a list. */
export function bindLet(statement: Let, scope: LocalScope, context: Context): void {
  const first = statement.names[0]?.text ?? "";
  const inner = contextAt(context, context.place.child(first));
  const value = claim(statement.type, evaluate(statement.value, inner), first, statement.value.span, scope, inner);
  if (statement.names.length === 1) scope.set(first, value);
  else for (const [name, part] of takeApart(statement, value, context)) scope.set(name, part);
}

/** The names of a `let` with their values. */
export function takeApart(statement: Let, value: StaticValue, context: Context): readonly (readonly [string, StaticValue])[] {
  const names = statement.names.map((name) => name.text);
  if (names.length === 1) return [[names[0] as string, value]];
  const items = value.kind === "poison" ? null : itemsOf(value);
  if (items === null || items.length !== names.length) {
    if (value.kind !== "poison")
      report(context, "type/mismatch", statement.value.span, {
        what: `the value of \`${names.join(", ")}\``,
        expected: `a list of ${names.length}`,
        found: describe(value),
      });
    return names.map((name) => [name, poison]);
  }
  return names.map((name, i) => [name, items[i] as StaticValue]);
}

/** Checks a stated type; without one the value passes as it is. */
export function claim(
  type: Type | null,
  value: StaticValue,
  name: string,
  span: Span,
  scope: LocalScope | Context["scope"],
  context: Context,
): StaticValue {
  if (type === null) return value;
  const local = new LocalScope(scope);
  return matchType(
    type,
    value,
    new DimBinding(name, local, noVariables),
    { what: `\`${name}\``, name, span },
    contextWith(context, { scope: local }),
  );
}

function evaluateOutput(statement: Output, scope: LocalScope, context: Context): StaticValue {
  const name = statement.name.text;
  const inner = contextAt(context, context.place.child(name));
  return claim(statement.type, evaluate(statement.value, inner), name, statement.value.span, scope, inner);
}

/** Adds a term to the training loss, named by the place of the context. */
export function declarePenalty(statement: Penalty, context: Context): void {
  const value = evaluate(statement.value, context);
  // `none` is how a penalty leaves out a task.
  if (value.kind === "poison" || value.kind === "none") return;
  if (value.kind !== "tensor" || shapeOf(value).length !== 0 || dtypeOf(value) !== "f32") {
    report(context, "type/mismatch", statement.value.span, {
      what: `the penalty \`${statement.name.text}\``,
      expected: "a scalar f32[]",
      found: describe(value),
    });
    return;
  }
  if (builderOf(context).isInLoop(value.value)) {
    report(context, "penalty/in-loop", statement.span, { name: statement.name.text });
    return;
  }
  context.session.addPenalty({ path: context.place.path, value: value.value, task: taskName(context), span: statement.name.span });
}

function meetsRequirement(statement: Require, name: string, context: Context): boolean {
  const condition = evaluate(statement.condition, context);
  if (condition.kind === "poison" || (condition.kind === "boolean" && condition.value)) return true;
  const { span } = statement.condition;
  if (condition.kind === "boolean") {
    // The caller broke it, so the caller's place is the place of the finding.
    const at = context.frame?.span ?? statement.span;
    report(
      contextWith(context, { frame: context.frame?.parent ?? null }),
      "call/requirement",
      at,
      { callee: name, message: statement.message.value },
      { notes: [{ message: "required here", span: statement.span }] },
    );
  } else if (condition.kind === "tensor") {
    report(context, "type/not-static", span, { what: "the condition of `require`", found: describe(condition) });
  } else
    report(context, "type/mismatch", span, { what: "the condition of `require`", expected: "true or false", found: describe(condition) });
  return false;
}
