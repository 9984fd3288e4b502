import type { Dim as DimNode, EnumType, ListType, NamedType, TensorType, Type } from "../../dsl/ast.ts";
import type { Note } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { type Dim, dimsEqual, formatDim, formatShape } from "../ir/dim.ts";
import { type Context, report } from "./context.ts";
import { evaluateDimExpr } from "./dims.ts";
import { explainDim } from "./explain-dim.ts";
import type { LocalScope } from "./scope.ts";
import { makeScalar } from "./tensors.ts";
import {
  describe,
  formatTensorType,
  itemsOf,
  listValue,
  numberValue,
  poison,
  recordValue,
  type StaticValue,
  type TensorValue,
} from "./value.ts";

/** A dim variable's value with where it came from. */
interface BoundDim {
  readonly dim: Dim;
  readonly span: Span;
  /** What bound it, for messages: `x`, `bank.perslay`. */
  readonly by: string;
}

/** What a claim binds: nothing. */
export const noVariables: ReadonlySet<string> = new Set();

/** The dim variables of one call, or of one claim. */
export class DimBinding {
  readonly callee: string;
  readonly scope: LocalScope;
  /** Names that a first use binds. */
  readonly variables: ReadonlySet<string>;
  /** Null for none: a claim binds nothing. */
  bound: Map<string, BoundDim> | null = null;
  rest: { readonly dims: readonly Dim[]; readonly by: string; readonly span: Span } | null = null;

  constructor(callee: string, scope: LocalScope, variables: ReadonlySet<string>) {
    this.callee = callee;
    this.scope = scope;
    this.variables = variables;
  }
}

/** What is being matched, for messages. */
export interface Subject {
  /** `\`x\` of \`Causal\``, `\`h\``. */
  readonly what: string;
  /** The short name: `x`. */
  readonly name: string;
  /** Where the value was given. */
  readonly span: Span;
  /** For an item of a bank: where the bank was given. */
  readonly within?: Span;
}

/**
 * Checks a value against a stated type, binding dim variables, and gives the value as that type sees it (a number where a scalar tensor is wanted becomes one).
 * `context.scope` must be the binding's scope.
 */
export function matchType(type: Type, value: StaticValue, binding: DimBinding, subject: Subject, context: Context): StaticValue {
  if (value.kind === "poison") {
    poisonDims(type, binding);
    return poison;
  }
  if (value.kind === "none" && type.optional) return value;
  switch (type.kind) {
    case "TensorType":
      return matchTensor(type, value, binding, subject, context);
    case "ListType":
      return matchList(type, value, binding, subject, context);
    case "EnumType":
      return matchEnum(type, value, subject, context);
    case "NamedType":
      return matchNamed(type, value, subject, context);
  }
}

function mismatch(context: Context, subject: Subject, expected: string, value: StaticValue, notes: readonly Note[] = []): StaticValue {
  return report(context, "type/mismatch", subject.span, { what: subject.what, expected, found: describe(value) }, { notes });
}

function matchTensor(type: TensorType, given: StaticValue, binding: DimBinding, subject: Subject, context: Context): StaticValue {
  let value = given;
  if (value.kind === "number" && type.dims.length === 0 && type.dtype === "f32") value = makeScalar(context, value, subject.span);
  if (value.kind !== "tensor") {
    if (value.kind !== "poison") poisonDims(type, binding);
    return value.kind === "poison" ? poison : mismatch(context, subject, `a tensor ${formatType(type)}`, value, [declared(type, subject)]);
  }
  const dtype = type.dtype === "id" ? "i32" : type.dtype;
  if (value.value.type.dtype !== dtype) {
    poisonDims(type, binding);
    return mismatch(context, subject, `a tensor ${formatType(type)}`, value, [declared(type, subject)]);
  }
  if (!matchShape(type, value, binding, subject, context)) return poison;
  if (type.of !== null) return matchVocabulary(type, value, binding, subject, context);
  return value;
}

function matchVocabulary(type: TensorType, value: TensorValue, binding: DimBinding, subject: Subject, context: Context): StaticValue {
  const of = type.of;
  if (of === null) return value;
  if (value.vocabulary === null) return mismatch(context, subject, "categorical ids with a vocabulary", value, [declared(type, subject)]);
  if (of.kind === "Reference" && isUnbound(of.name, binding)) {
    bind(binding, of.name, { dim: value.vocabulary, span: subject.span, by: subject.name });
    return value;
  }
  const stated = evaluateDimExpr(of, context);
  if (stated === null || dimsEqual(stated, value.vocabulary)) return value;
  return report(
    context,
    "dim/mismatch",
    subject.span,
    { message: `${subject.what} has a vocabulary of ${formatDim(stated)}, and this has one of ${formatDim(value.vocabulary)}` },
    { notes: [declared(type, subject)] },
  );
}

function matchShape(type: TensorType, value: TensorValue, binding: DimBinding, subject: Subject, context: Context): boolean {
  const shape = value.value.type.shape;
  const hasRest = type.dims.some(isRest);
  const fixed = type.dims.length - (hasRest ? 1 : 0);
  if (hasRest ? shape.length < fixed : shape.length !== fixed) {
    poisonDims(type, binding);
    report(
      context,
      "dim/rank",
      subject.span,
      { message: `${subject.what} must be ${formatType(type)}, and this is ${formatTensorType(value.value.type)}` },
      { notes: [declared(type, subject)] },
    );
    return false;
  }
  const restLength = shape.length - fixed;
  let fits = true;
  let axis = 0;
  for (let i = 0; i < type.dims.length; i += 1) {
    const dim = type.dims[i] as DimNode;
    if (dim.kind === "DimRest") {
      fits = matchRest(type, shape.slice(axis, axis + restLength), binding, subject, value, context) && fits;
      axis += restLength;
    } else {
      fits = matchDim(type, dim, shape[axis] as Dim, axis, value, binding, subject, context) && fits;
      axis += 1;
    }
  }
  return fits;
}

const isRest = (dim: DimNode): boolean => dim.kind === "DimRest";

function matchRest(
  type: TensorType,
  dims: readonly Dim[],
  binding: DimBinding,
  subject: Subject,
  value: TensorValue,
  context: Context,
): boolean {
  const before = binding.rest;
  if (before === null) {
    binding.rest = { dims, by: subject.name, span: subject.span };
    return true;
  }
  if (before.dims.length === dims.length && before.dims.every((dim, i) => dimsEqual(dim, dims[i] as Dim))) return true;
  const message = `the leading dims of ${subject.what} are ${formatShape(dims)}, and those of \`${before.by}\` are ${formatShape(before.dims)}`;
  report(
    context,
    "dim/mismatch",
    subject.span,
    { message },
    { notes: [{ message: `\`${before.by}\` is given here`, span: before.span }, declared(type, subject), ...explainDim(value.value, 0)] },
  );
  return false;
}

function matchDim(
  type: TensorType,
  node: DimNode,
  found: Dim,
  axis: number,
  value: TensorValue,
  binding: DimBinding,
  subject: Subject,
  context: Context,
): boolean {
  if (node.kind !== "DimExpr") return true;
  const { value: expr } = node;
  const name = expr.kind === "Reference" ? expr.name : null;
  if (name !== null && isUnbound(name, binding)) {
    bind(binding, name, { dim: found, span: subject.span, by: subject.name });
    return true;
  }
  const stated = evaluateDimExpr(expr, context);
  if (stated === null || dimsEqual(stated, found)) return true;
  const before = name === null ? undefined : binding.bound?.get(name);
  if (before !== undefined && name !== null) {
    report(
      context,
      "dim/bound-twice",
      subject.span,
      {
        name,
        callee: binding.callee,
        first: formatDim(before.dim),
        firstPlace: `\`${before.by}\``,
        second: formatDim(found),
        secondPlace: `\`${subject.name}\``,
      },
      {
        notes: [
          { message: `\`${before.by}\` is given here, with ${name} = ${formatDim(before.dim)}`, span: before.span },
          ...explainDim(value.value, axis),
          ...(subject.within === undefined || subject.within === subject.span
            ? []
            : [{ message: `both are passed to \`${binding.callee}\` here`, span: subject.within }]),
          { message: `\`${name}\` stands here in the declaration`, span: node.span },
        ],
      },
    );
    return false;
  }
  const written = node.span.source.text.slice(node.span.start, node.span.end);
  const stands = written === formatDim(stated) ? "" : `, with ${written} = ${formatDim(stated)}`;
  report(
    context,
    "dim/mismatch",
    subject.span,
    { message: `${subject.what} is declared ${formatType(type)}${stands}, and this is ${formatTensorType(value.value.type)}` },
    {
      notes: [{ message: `declared ${formatDim(stated)} here`, span: node.span }, ...explainDim(value.value, axis)],
      help: suggestSlices(value, stated, found),
    },
  );
  return false;
}

/** Names slices that would make the widths agree. */
function suggestSlices(value: TensorValue, stated: Dim, found: Dim): string | null {
  const { slices } = value;
  if (slices === null || typeof stated !== "number" || typeof found !== "number") return null;
  for (let first = 0; first < slices.length; first++) {
    let width = 0;
    for (let last = first; last < slices.length && width < stated; last++) {
      width += slices[last]?.width ?? 0;
      if (width === stated && last > first) return `[${slices[first]?.name} .. ${slices[last]?.name}] of it is ${stated} wide`;
      if (width === stated) return `its slice \`${slices[first]?.name}\` is ${stated} wide`;
    }
  }
  return null;
}

function isUnbound(name: string, binding: DimBinding): boolean {
  if (!binding.variables.has(name) || binding.bound?.has(name)) return false;
  return binding.scope.lookup(name) === undefined;
}

function bind(binding: DimBinding, name: string, bound: BoundDim): void {
  binding.bound ??= new Map();
  binding.bound.set(name, bound);
  binding.scope.set(name, numberValue(bound.dim));
}

/** After a reported argument, its dim variables are unknown: poison, so that no second finding follows. */
function poisonDims(type: Type, binding: DimBinding): void {
  if (type.kind === "ListType") poisonDims(type.element, binding);
  if (type.kind !== "TensorType") return;
  for (const dim of type.dims) {
    if (
      dim.kind === "DimExpr" &&
      dim.value.kind === "Reference" &&
      binding.variables.has(dim.value.name) &&
      !binding.bound?.has(dim.value.name)
    )
      binding.scope.set(dim.value.name, poison);
  }
}

function matchList(type: ListType, value: StaticValue, binding: DimBinding, subject: Subject, context: Context): StaticValue {
  const items = itemsOf(value);
  if (items === null) {
    poisonDims(type, binding);
    return mismatch(context, subject, `a list ${formatType(type)}`, value, [declared(type, subject)]);
  }
  const names = value.kind === "record" ? [...value.fields.keys()] : null;
  if (items.length === 0) poisonDims(type, binding);
  const matched = items.map((item, i) => {
    const name = names === null ? `${subject.name}[${i}]` : `${subject.name}.${names[i]}`;
    const span = item.kind === "tensor" && item.span.source === subject.span.source ? item.span : subject.span;
    return matchType(type.element, item, binding, { what: `${subject.what}, at \`${name}\`,`, name, span, within: subject.span }, context);
  });
  if (matched.some((item) => item.kind === "poison")) return poison;
  if (names === null) return listValue(matched);
  return recordValue(
    value.kind === "record" ? value.title : subject.name,
    new Map(names.map((name, i) => [name, matched[i] as StaticValue])),
  );
}

function matchEnum(type: EnumType, value: StaticValue, subject: Subject, context: Context): StaticValue {
  const allowed = type.values.map((literal) => literal.value);
  if (value.kind !== "string")
    return mismatch(context, subject, `one of ${allowed.map((word) => `"${word}"`).join(", ")}`, value, [declared(type, subject)]);
  if (allowed.includes(value.value)) return value;
  const near = closest(value.value, allowed);
  return report(
    context,
    "type/bad-enum",
    subject.span,
    { found: value.value, allowed: allowed.map((word) => `"${word}"`).join(", ") },
    { help: near === null ? null : `did you mean "${near}"?`, notes: [declared(type, subject)] },
  );
}

const namedTypes = {
  int: {
    expected: "a whole number",
    fits: (value: StaticValue) => value.kind === "number" && (typeof value.value !== "number" || Number.isInteger(value.value)),
  },
  float: { expected: "a number", fits: (value: StaticValue) => value.kind === "number" && typeof value.value === "number" },
  bool: { expected: "true or false", fits: (value: StaticValue) => value.kind === "boolean" },
  string: { expected: "a string", fits: (value: StaticValue) => value.kind === "string" },
  module: { expected: "a definition or a function", fits: (value: StaticValue) => value.kind === "function" },
  task: { expected: "a task", fits: (value: StaticValue) => value.kind === "record" },
  record: { expected: "a record", fits: (value: StaticValue) => value.kind === "record" },
};

export const typeNames = Object.keys(namedTypes);

function matchNamed(type: NamedType, value: StaticValue, subject: Subject, context: Context): StaticValue {
  const named = Object.hasOwn(namedTypes, type.name.text) ? namedTypes[type.name.text as keyof typeof namedTypes] : null;
  if (named === null) {
    const near = closest(type.name.text, typeNames);
    return report(
      context,
      "name/unknown",
      type.name.span,
      { name: type.name.text },
      { help: near === null ? `types are ${typeNames.join(", ")}` : `did you mean \`${near}\`?` },
    );
  }
  return named.fits(value) ? value : mismatch(context, subject, named.expected, value, [declared(type, subject)]);
}

function declared(type: Type, subject: Subject): Note {
  return { message: `\`${subject.name.replace(/[.[].*/, "")}\` is declared here`, span: type.span };
}

/** A type as written. */
export function formatType(type: Type): string {
  return type.span.source.text.slice(type.span.start, type.span.end).replace(/\s+/g, " ");
}
