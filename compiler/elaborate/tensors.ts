import type { Span } from "../../dsl/source.ts";
import { type Dim, dimsEqual, formatDim, formatShape, type SymbolicDim } from "../ir/dim.ts";
import type { DType, Value } from "../ir/graph.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import type { ShapeError } from "../ops/op.ts";
import { addNode, type Context, limits, report } from "./context.ts";
import { explainDim } from "./explain-dim.ts";
import { describe, type NumberValue, type PoisonValue, poison, type StaticValue, type TensorValue, tensorValue } from "./value.ts";

const codeOf = {
  dim: "dim/mismatch",
  "element-count": "dim/mismatch",
  rank: "dim/rank",
  dtype: "type/dtype",
  axis: "type/range",
  count: "type/range",
  range: "dim/slice-past-end",
} as const;

/** Appends a node over tensor operands; what does not fit is reported with the places of the operands. */
export function makeTensor<K extends OpName>(
  context: Context,
  op: K,
  operands: readonly TensorValue[],
  attributes: OpAttributes[K],
  span: Span,
  extra: Partial<Omit<TensorValue, "kind" | "value" | "span">> = {},
): TensorValue | PoisonValue {
  const made = addNode(context, op, operands.map(graphValue), attributes, span);
  if (made === null) return poison;
  if ("problem" in made) return reportShapeError(context, made, operands, span);
  const count = elementCount(made.type.shape);
  if (count > limits.elements) {
    return report(context, "dim/absurd", span, {
      what: `a tensor ${formatShape(made.type.shape)}`,
      count: formatCount(count),
      limit: formatCount(limits.elements),
    });
  }
  return tensorValue(made, span, extra);
}

const graphValue = (operand: TensorValue): Value => operand.value;

function reportShapeError(context: Context, error: ShapeError, operands: readonly TensorValue[], span: Span): PoisonValue {
  const notes = error.operands.flatMap(({ input, axis }) => {
    const operand = operands[input];
    if (operand === undefined) return [];
    return [
      { message: `this is ${operand.value.type.dtype}${formatShape(operand.value.type.shape)}`, span: operand.span },
      ...(axis === null ? [] : explainDim(operand.value, axis)),
    ];
  });
  return report(context, codeOf[error.problem], span, { message: error.message }, { notes });
}

/** Elements for each row: symbols count as one. */
export function elementCount(shape: readonly Dim[]): number {
  let count = 1;
  for (let axis = 0; axis < shape.length; axis += 1) {
    const dim = shape[axis] as Dim;
    if (typeof dim === "number") count *= dim;
    else {
      let ofOnes = 0;
      for (let term = 0; term < dim.terms.length; term += 1) ofOnes += (dim.terms[term] as SymbolicDim["terms"][number]).coefficient;
      count *= Math.abs(ofOnes);
    }
  }
  return count;
}

export function formatCount(count: number): string {
  return count < 1e15 ? String(count).replace(/\B(?=(\d{3})+$)/g, ",") : count.toExponential(2);
}

/** A number as a scalar tensor. */
export function makeScalar(context: Context, number: NumberValue, span: Span, dtype: DType = "f32"): TensorValue | PoisonValue {
  if (typeof number.value !== "number") {
    return report(context, "type/not-static", span, { what: "a number in tensor arithmetic", found: `the dim ${formatDim(number.value)}` });
  }
  if (dtype === "i32" && !(Number.isInteger(number.value) && Math.abs(number.value) < 2 ** 31)) {
    return report(context, "type/dtype", span, { message: `${number.value} is no i32, which is what it meets here` });
  }
  // A bool tensor takes no numbers: as f32 they meet the op's own rule.
  return makeConstant(context, [number.value], [], span, dtype === "bool" ? "f32" : dtype);
}

/** A constant tensor. */
export function makeConstant(
  context: Context,
  data: readonly number[],
  shape: readonly number[],
  span: Span,
  dtype: DType = "f32",
): TensorValue | PoisonValue {
  for (let i = 0; i < data.length; i += 1) {
    const number = data[i] as number;
    if (!Number.isFinite(Math.fround(number)))
      return report(context, "type/range", span, { message: `${number} is no number that f32 can hold` });
  }
  return makeTensor(context, "constant", [], { dtype, shape, data }, span);
}

/** The value as a tensor: numbers become scalars of the wanted type, anything else but a tensor is reported. */
export function toTensor(context: Context, value: StaticValue, span: Span, what: string, dtype: DType = "f32"): TensorValue | PoisonValue {
  if (value.kind === "tensor" || value.kind === "poison") return value;
  if (value.kind === "number") return makeScalar(context, value, span, dtype);
  if (value.kind === "boolean" && dtype === "bool") return makeConstant(context, [value.value ? 1 : 0], [], span, "bool");
  return reportKind(context, value, span, what, "a tensor");
}

export function reportKind(context: Context, value: StaticValue, span: Span, what: string, expected: string): PoisonValue {
  return report(context, "type/mismatch", span, { what, expected, found: describe(value) });
}

/** True when every dim of both shapes is provably equal. */
export function shapesEqual(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, i) => dimsEqual(dim, b[i] as Dim));
}

/** A tensor without its names: for results that no longer are the input's columns. */
export function shapeOf(value: TensorValue): readonly Dim[] {
  return value.value.type.shape;
}

export function dtypeOf(value: TensorValue): DType {
  return (value.value as Value).type.dtype;
}
