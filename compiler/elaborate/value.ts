import type { Block, Definition, Expr } from "../../dsl/ast.ts";
import type { Span } from "../../dsl/source.ts";
import { type Dim, formatDim, formatShape } from "../ir/dim.ts";
import type * as ir from "../ir/graph.ts";
import type { Context } from "./context.ts";
import type { Scope } from "./scope.ts";

/** What an expression can be while compiling. */
export type StaticValue =
  | TensorValue
  | NumberValue
  | BooleanValue
  | StringValue
  | NoneValue
  | ListValue
  | RecordValue
  | FunctionValue
  | PoisonValue;

export interface TensorValue {
  readonly kind: "tensor";
  readonly value: ir.Value;
  /** Axes of size 1 that may stretch, since `none` or `keep` made them; null for none. */
  readonly stretch: ReadonlySet<number> | null;
  /** Named slices of the last axis. */
  readonly slices: readonly SliceOf[] | null;
  /** For categorical ids: the number of categories. */
  readonly vocabulary: Dim | null;
  /** `output`s of the module that made it. */
  readonly members: ReadonlyMap<string, StaticValue> | null;
  /** The expression that gave it. */
  readonly span: Span;
  /** Set when made by calling a definition, for role checks and summaries. */
  readonly made: Definition | null;
}

/** Columns [start, start + width) of the last axis. */
export interface SliceOf {
  readonly name: string;
  readonly start: number;
  readonly width: number;
  readonly slices: readonly SliceOf[];
  /** One column that a feature schema names. */
  readonly column: boolean;
}

/** A dim or any other number. */
export interface NumberValue {
  readonly kind: "number";
  readonly value: Dim;
}

export interface BooleanValue {
  readonly kind: "boolean";
  readonly value: boolean;
}

export interface StringValue {
  readonly kind: "string";
  readonly value: string;
}

export interface NoneValue {
  readonly kind: "none";
}

export interface ListValue {
  readonly kind: "list";
  readonly items: readonly StaticValue[];
}

export interface RecordValue {
  readonly kind: "record";
  readonly fields: ReadonlyMap<string, StaticValue>;
  /** What it is, for messages: `bank shared`, `task ctr`. */
  readonly title: string;
}

export type FunctionValue = DefinitionFunction | LambdaFunction | BuiltinFunction;

export interface DefinitionFunction {
  readonly kind: "function";
  readonly form: "definition";
  readonly definition: Definition;
  /** The names of the definition's file. */
  readonly scope: Scope;
}

export interface LambdaFunction {
  readonly kind: "function";
  readonly form: "lambda";
  readonly parameters: readonly string[];
  readonly body: Expr | Block;
  readonly scope: Scope;
  readonly span: Span;
}

export interface BuiltinFunction {
  readonly kind: "function";
  readonly form: "builtin";
  readonly builtin: Builtin;
}

/** One function of the language's core. `apply` gets one value for each parameter, absent ones undefined. */
export interface Builtin {
  readonly name: string;
  readonly parameters: readonly BuiltinParameter[];
  readonly parameterNames: readonly string[];
  readonly doc: string;
  readonly apply: (call: BuiltinCall) => StaticValue;
}

export interface BuiltinParameter {
  readonly name: string;
  readonly required: boolean;
}

export interface BuiltinCall {
  readonly context: Context;
  readonly span: Span;
  readonly values: readonly (StaticValue | undefined)[];
  readonly spans: readonly (Span | undefined)[];
}

/** The value of what has already been reported; it passes through everything silently. */
export interface PoisonValue {
  readonly kind: "poison";
}

export const poison: PoisonValue = { kind: "poison" };
export const none: NoneValue = { kind: "none" };

export function numberValue(value: Dim): NumberValue {
  return { kind: "number", value };
}

export function booleanValue(value: boolean): BooleanValue {
  return { kind: "boolean", value };
}

export function stringValue(value: string): StringValue {
  return { kind: "string", value };
}

export function listValue(items: readonly StaticValue[]): ListValue {
  return { kind: "list", items };
}

export function recordValue(title: string, fields: ReadonlyMap<string, StaticValue>): RecordValue {
  return { kind: "record", title, fields };
}

type OfTensor = Partial<Omit<TensorValue, "kind">>;

export function tensorValue(value: ir.Value, span: Span, extra: Omit<OfTensor, "value" | "span"> = {}): TensorValue {
  const { stretch = null, slices = null, vocabulary = null, members = null, made = null } = extra;
  return { kind: "tensor", value, span, stretch, slices, vocabulary, members, made };
}

/** As `{ ...tensor, ...changes }`, spelled out: for each field that a literal has twice V8 leaves compiled code. */
export function tensorWith(tensor: TensorValue, changes: OfTensor): TensorValue {
  const { value = tensor.value, span = tensor.span, stretch = tensor.stretch, slices = tensor.slices } = changes;
  const { vocabulary = tensor.vocabulary, members = tensor.members, made = tensor.made } = changes;
  return { kind: "tensor", value, span, stretch, slices, vocabulary, members, made };
}

/** As `tensorWith(tensor, { span })`, which is asked for most. */
export function withSpan(tensor: TensorValue, span: Span): TensorValue {
  const { value, stretch, slices, vocabulary, members, made } = tensor;
  return { kind: "tensor", value, span, stretch, slices, vocabulary, members, made };
}

export function formatTensorType(type: ir.TensorType): string {
  return `${type.dtype}${formatShape(type.shape)}`;
}

/** A short description for messages: `f32[B, 64]`, `the number 3`, `a list of 2`. */
export function describe(value: StaticValue): string {
  switch (value.kind) {
    case "tensor":
      return formatTensorType(value.value.type);
    case "number":
      return typeof value.value === "number" ? `the number ${value.value}` : `the dim ${formatDim(value.value)}`;
    case "boolean":
      return String(value.value);
    case "string":
      return `the string "${value.value}"`;
    case "none":
      return "none";
    case "list":
      return `a list of ${value.items.length}`;
    case "record":
      return value.title;
    case "function":
      return `the function \`${functionName(value)}\``;
    case "poison":
      return "an erroneous value";
  }
}

export function functionName(value: FunctionValue): string {
  if (value.form === "definition") return value.definition.name.text;
  if (value.form === "builtin") return value.builtin.name;
  return "(…) => …";
}

/** The items of a list, or the values of a record in order; null for anything else. */
export function itemsOf(value: StaticValue): readonly StaticValue[] | null {
  if (value.kind === "list") return value.items;
  if (value.kind === "record") return [...value.fields.values()];
  return null;
}

/** The number of items of a list or record, 0 for anything else. */
export function lengthOf(value: StaticValue | undefined): number {
  if (value?.kind === "list") return value.items.length;
  return value?.kind === "record" ? value.fields.size : 0;
}

export function textField(record: RecordValue, name: string): string | null {
  const value = record.fields.get(name);
  return value?.kind === "string" ? value.value : null;
}
