import type { Definition, Parameter } from "../../dsl/ast.ts";
import type { Note } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { evaluateBody } from "./body.ts";
import { type Context, contextWith, type Frame, limits, report } from "./context.ts";
import { evaluate } from "./evaluate.ts";
import { labelCalls } from "./labels.ts";
import { DimBinding, formatType, matchType, noVariables } from "./match-type.ts";
import { LocalScope, type Scope } from "./scope.ts";
import { listNames } from "./subscript.ts";
import {
  type Builtin,
  type BuiltinParameter,
  type DefinitionFunction,
  type FunctionValue,
  type LambdaFunction,
  lengthOf,
  poison,
  type StaticValue,
  tensorWith,
} from "./value.ts";

/** An argument as given: by position when it has no name. */
export interface GivenArgument {
  readonly name: string | null;
  readonly nameSpan: Span | null;
  readonly value: StaticValue;
  readonly span: Span;
}

/** Calls a function; `context.place` is where its instance stands. */
export function applyFunction(
  callee: FunctionValue,
  given: readonly GivenArgument[],
  context: Context,
  span: Span,
  calleeSpan: Span,
): StaticValue {
  const depth = (context.frame?.depth ?? 0) + 1;
  if (depth > limits.callDepth) return reportDepth(context);
  switch (callee.form) {
    case "definition":
      return callDefinition(callee, given, context, span, calleeSpan);
    case "lambda":
      return callLambda(callee, given, context, span);
    case "builtin":
      return callBuiltin(callee.builtin, given, context, span, calleeSpan);
  }
}

function callBuiltin(
  { name, parameters, parameterNames, apply }: Builtin,
  given: readonly GivenArgument[],
  context: Context,
  span: Span,
  calleeSpan: Span,
): StaticValue {
  const slots = arrange(name, parameterNames, given, span, null, context);
  if (slots === null) return poison;
  const values = new Array<StaticValue | undefined>(slots.length);
  const spans = new Array<Span | undefined>(slots.length);
  // Whatever a built-in function does takes time by the lengths of its lists.
  let work = 0;
  let poisoned = false;
  for (let i = 0; i < slots.length; i += 1) {
    const slot = slots[i];
    if (slot === undefined && (parameters[i] as BuiltinParameter).required)
      return report(context, "call/missing-argument", calleeSpan, { callee: name, parameter: parameterNames[i] as string });
    poisoned ||= slot?.value.kind === "poison";
    values[i] = slot?.value;
    spans[i] = slot?.span;
    work += lengthOf(slot?.value);
  }
  if (poisoned || !context.session.spend(span, work)) return poison;
  const value = apply({ context, span, values, spans });
  return context.session.spend(span, lengthOf(value)) ? value : poison;
}

/** Calls that nest too deep: one finding for the circle that they run in, wherever it was entered. */
function reportDepth(context: Context): StaticValue {
  const frames: Frame[] = [];
  for (let at = context.frame; at !== null; at = at.parent) frames.push(at);
  const repeat = frames.findIndex((frame, i) => i > 0 && frame.at === frames[0]?.at);
  if (repeat < 0 && context.session.generic) return poison; // Deep, and not endless: the model that goes as deep is told.
  const circle = frames.slice(0, repeat < 0 ? 1 : repeat);
  const first = circle.reduce((best, frame) => (frame.span.start < best.span.start ? frame : best));
  const start = circle.indexOf(first);
  const way = [...circle.slice(start), ...circle.slice(0, start)].map(({ callee }) => callee ?? "(…) => …");
  const names = repeat < 0 ? way : [...way.reverse(), way[0] as string];
  return report(contextWith(context, { frame: null }), "call/recursive", first.span, { limit: limits.callDepth, cycle: names.join(" → ") });
}

/** Puts arguments into the slots of the parameters; null once something was reported. */
function arrange(
  callee: string,
  parameters: readonly string[],
  given: readonly GivenArgument[],
  span: Span,
  declaration: Span | null,
  context: Context,
): readonly (GivenArgument | undefined)[] | null {
  const slots = new Array<GivenArgument | undefined>(parameters.length).fill(undefined);
  let position = 0;
  let fits = true;
  for (let i = 0; i < given.length; i += 1) {
    const argument = given[i] as GivenArgument;
    const slot = argument.name === null ? position++ : parameters.indexOf(argument.name);
    if (argument.name === null && slot >= parameters.length) {
      const expected = `${parameters.length} argument${parameters.length === 1 ? "" : "s"}`;
      report(
        context,
        "call/too-many-arguments",
        argument.span,
        { callee, expected, found: position },
        { notes: declared(callee, declaration) },
      );
      fits = false;
    } else if (slot < 0) {
      const near = closest(argument.name as string, parameters);
      const help =
        near !== null ? `did you mean \`${near}\`?` : parameters.length > 0 ? `it has ${listNames(parameters)}` : "it takes none";
      const at = argument.nameSpan ?? argument.span;
      const fixes = near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span: at, text: near }] }];
      const notes = declared(callee, declaration);
      report(context, "call/unknown-argument", at, { callee, parameter: argument.name as string }, { help, notes, fixes });
      fits = false;
    } else if (slots[slot] !== undefined) {
      report(
        context,
        "call/argument-twice",
        argument.span,
        { callee, parameter: parameters[slot] as string },
        { notes: [{ message: "given here first", span: slots[slot]?.span ?? span }] },
      );
      fits = false;
    } else slots[slot] = argument;
  }
  return fits ? slots : null;
}

function declared(callee: string, declaration: Span | null): readonly Note[] {
  return declaration === null ? [] : [{ message: `\`${callee}\` is declared here`, span: declaration }];
}

function callLambda(callee: LambdaFunction, given: readonly GivenArgument[], context: Context, span: Span): StaticValue {
  const slots = arrange("(…) => …", callee.parameters, given, span, callee.span, context);
  if (slots === null) return poison;
  const missing = callee.parameters.find((_, i) => slots[i] === undefined);
  if (missing !== undefined) return report(context, "call/missing-argument", span, { callee: "(…) => …", parameter: missing });
  const scope = new LocalScope(callee.scope);
  for (const [i, name] of callee.parameters.entries()) scope.set(name, slots[i]?.value ?? poison);
  const frame = { callee: null, at: callee.span, span, parent: context.frame, depth: (context.frame?.depth ?? 0) + 1 };
  const inner = contextWith(context, { scope, frame });
  if (callee.body.kind === "Block") return evaluateBody(callee.body, "(…) => …", scope, inner).result;
  return evaluate(callee.body, inner);
}

function callDefinition(
  callee: DefinitionFunction,
  given: readonly GivenArgument[],
  context: Context,
  span: Span,
  calleeSpan: Span,
): StaticValue {
  const { definition } = callee;
  const name = definition.name.text;
  const slots = arrange(name, namesOf(definition).parameters, given, span, definition.name.span, context);
  if (slots === null) return poison;
  return context.session.calls.call(callee, slots, context, span, (given) => evaluateDefinition(callee, given, context, span, calleeSpan));
}

/** Matches the arguments, which binds the dim variables of the signature, and runs the body. */
function evaluateDefinition(
  callee: DefinitionFunction,
  slots: readonly (GivenArgument | undefined)[],
  context: Context,
  span: Span,
  calleeSpan: Span,
): StaticValue {
  const { definition } = callee;
  const name = definition.name.text;
  const variables = dimVariables(definition);
  const unbound: Scope = {
    parent: callee.scope,
    lookup: (variable, inner) =>
      variables.has(variable) ? report(inner, "dim/unbound", calleeSpan, { name: variable, callee: name }) : undefined,
  };
  const scope = new LocalScope(unbound);
  const binding = new DimBinding(name, scope, variables);
  const { subjects } = namesOf(definition);
  const labels = labelCalls(definition.body);
  const frame = { callee: name, at: definition.name.span, span, parent: context.frame, depth: (context.frame?.depth ?? 0) + 1 };
  const inside = contextWith(context, { scope, labels, frame });
  // Findings about what the caller gave are the caller's, so the notes start from its frame.
  const ofCaller = contextWith(inside, { frame: context.frame });
  let fits = true;
  for (let i = 0; i < definition.parameters.length; i += 1) {
    const parameter = definition.parameters[i] as Parameter;
    const value = matchParameter(parameter, slots[i], binding, subjects[i] as string, ofCaller, inside, calleeSpan);
    fits = fits && value.kind !== "poison";
    scope.set(parameter.name.text, value);
  }
  if (!fits) return poison;
  const { result, members } = evaluateBody(definition.body, name, scope, inside);
  if (result.kind === "poison") return poison;
  const returned = definition.result === null ? result : matchResult(definition, result, binding, inside);
  if (returned.kind !== "tensor") return returned;
  // A module that wraps another one passes on what that one offers.
  const offered = members.size > 0 ? new Map([...(returned.members ?? []), ...members]) : returned.members;
  return tensorWith(returned, { span, members: offered, made: definition });
}

function matchParameter(
  parameter: Parameter,
  slot: GivenArgument | undefined,
  binding: DimBinding,
  what: string,
  ofCaller: Context,
  inside: Context,
  calleeSpan: Span,
): StaticValue {
  const { type, defaultValue } = parameter;
  const name = parameter.name.text;
  if (slot !== undefined) return matchType(type, slot.value, binding, { what, name, span: slot.span }, ofCaller);
  if (defaultValue !== null)
    return matchType(type, evaluate(defaultValue, inside), binding, { what, name, span: defaultValue.span }, inside);
  return report(
    ofCaller,
    "call/missing-argument",
    calleeSpan,
    { callee: binding.callee, parameter: name },
    { notes: [{ message: `\`${name}: ${formatType(type)}\` is declared here`, span: parameter.span }] },
  );
}

function matchResult(definition: Definition, result: StaticValue, binding: DimBinding, context: Context): StaticValue {
  const type = definition.result;
  if (type === null) return result;
  const returned = definition.body.statements.find((statement) => statement.kind === "Return");
  const subject = { what: `the result of \`${definition.name.text}\``, name: "result", span: returned?.value.span ?? definition.name.span };
  // A claim about dims that the parameters have bound: nothing is bound here, so what differs is a mismatch.
  const claims = new DimBinding(definition.name.text, binding.scope, noVariables);
  claims.rest = binding.rest;
  return matchType(type, result, claims, subject, context);
}

interface Names {
  readonly parameters: readonly string[];
  /** The parameters in messages. */
  readonly subjects: readonly string[];
}

const knownNames = new WeakMap<Definition, Names>();

function namesOf(definition: Definition): Names {
  const before = knownNames.get(definition);
  if (before !== undefined) return before;
  const parameters = definition.parameters.map((parameter) => parameter.name.text);
  const names = { parameters, subjects: parameters.map((parameter) => `\`${parameter}\` of \`${definition.name.text}\``) };
  knownNames.set(definition, names);
  return names;
}

const variablesOf = new WeakMap<Definition, ReadonlySet<string>>();

/** Bare names in the dims of parameter types that are not parameters: what a call binds. */
export function dimVariables(definition: Definition): ReadonlySet<string> {
  const before = variablesOf.get(definition);
  if (before !== undefined) return before;
  const names = new Set<string>();
  const visit = (type: Parameter["type"]): void => {
    if (type.kind === "ListType") visit(type.element);
    if (type.kind !== "TensorType") return;
    for (const dim of type.dims) if (dim.kind === "DimExpr" && dim.value.kind === "Reference") names.add(dim.value.name);
    if (type.of?.kind === "Reference") names.add(type.of.name);
  };
  for (const parameter of definition.parameters) visit(parameter.type);
  for (const parameter of definition.parameters) names.delete(parameter.name.text);
  variablesOf.set(definition, names);
  return names;
}
