import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError } from "../ops/op.ts";
import type { GraphBuilder, Origin } from "./builder.ts";
import { type Dim, dimsEqual } from "./dim.ts";
import type { DType, Value } from "./graph.ts";

/** A number is a scalar of f32. */
export type Operand = Value | number;

/** Writes formulas as nodes of a graph. Operands that do not fit are a bug of whoever wrote the formula, and throw. */
export class Algebra {
  readonly builder: GraphBuilder;
  readonly #origin: Origin;

  constructor(builder: GraphBuilder, origin: Origin) {
    this.builder = builder;
    this.#origin = origin;
  }

  op<K extends OpName>(op: K, inputs: readonly Operand[], attributes: OpAttributes[K]): Value {
    return this.ops(op, inputs, attributes)[0] as Value;
  }

  ops<K extends OpName>(op: K, inputs: readonly Operand[], attributes: OpAttributes[K]): readonly Value[] {
    const operands = inputs.map((input) => (typeof input === "number" ? this.scalar(input) : input));
    const made = this.builder.add(op, operands, attributes, this.#origin);
    if (isShapeError(made)) throw new Error(`a formula at ${this.#origin.path} makes a ${op} whose operands do not fit: ${made.message}`);
    return made;
  }

  scalar(value: number): Value {
    return this.op("constant", [], { dtype: "f32", shape: [], data: [value] });
  }

  full(shape: readonly Dim[], value: number, dtype: DType = "f32"): Value {
    return this.op("full", [], { dtype, shape, value });
  }

  neg = (x: Operand): Value => this.op("neg", [x], {});
  exp = (x: Operand): Value => this.op("exp", [x], {});
  log = (x: Operand): Value => this.op("log", [x], {});
  sqrt = (x: Operand): Value => this.op("sqrt", [x], {});
  sigmoid = (x: Operand): Value => this.op("sigmoid", [x], {});
  abs = (x: Operand): Value => this.op("abs", [x], {});
  sign = (x: Operand): Value => this.op("sign", [x], {});
  sin = (x: Operand): Value => this.op("sin", [x], {});
  cos = (x: Operand): Value => this.op("cos", [x], {});

  add = (a: Operand, b: Operand): Value => this.op("add", [a, b], {});
  sub = (a: Operand, b: Operand): Value => this.op("sub", [a, b], {});
  mul = (a: Operand, b: Operand): Value => this.op("mul", [a, b], {});
  div = (a: Operand, b: Operand): Value => this.op("div", [a, b], {});
  pow = (a: Operand, b: Operand): Value => this.op("pow", [a, b], {});
  min = (a: Operand, b: Operand): Value => this.op("min", [a, b], {});
  max = (a: Operand, b: Operand): Value => this.op("max", [a, b], {});
  eq = (a: Operand, b: Operand): Value => this.op("eq", [a, b], {});
  gt = (a: Operand, b: Operand): Value => this.op("gt", [a, b], {});
  ge = (a: Operand, b: Operand): Value => this.op("ge", [a, b], {});
  matmul = (a: Value, b: Value): Value => this.op("matmul", [a, b], {});

  where(condition: Value, then: Operand, otherwise: Operand): Value {
    return this.op("where", [condition, then, otherwise], {});
  }

  cast(x: Value, dtype: DType): Value {
    return x.type.dtype === dtype ? x : this.op("cast", [x], { dtype });
  }

  sum(x: Value, axes: readonly number[], keep = false): Value {
    return axes.length === 0 ? x : this.op("reduce_sum", [x], { axes, keep });
  }

  mean(x: Value, axes: readonly number[], keep = false): Value {
    return this.op("reduce_mean", [x], { axes, keep });
  }

  reshape(x: Value, shape: readonly Dim[]): Value {
    return shapesEqual(x.type.shape, shape) ? x : this.op("reshape", [x], { shape });
  }

  expand(x: Value, shape: readonly Dim[]): Value {
    return shapesEqual(x.type.shape, shape) ? x : this.op("expand", [x], { shape });
  }

  transpose(x: Value, permutation: readonly number[]): Value {
    return this.op("transpose", [x], { permutation });
  }

  /** Swaps the last two axes. */
  transposeLast(x: Value): Value {
    const axes = x.type.shape.map((_, axis) => axis);
    const [rows, columns] = axes.splice(-2) as [number, number];
    return this.transpose(x, [...axes, columns, rows]);
  }

  slice(x: Value, axis: number, start: Dim, stop: Dim): Value {
    return this.op("slice", [x], { axis, start, stop });
  }

  concat(parts: readonly Value[], axis: number): Value {
    return parts.length === 1 ? (parts[0] as Value) : this.op("concat", parts, { axis });
  }

  reverse(x: Value, axis: number): Value {
    return this.op("reverse", [x], { axis });
  }
}

export function shapesEqual(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dimsEqual(dim, b[axis] as Dim));
}
