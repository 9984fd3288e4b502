import { Algebra, type Operand } from "../ir/algebra.ts";
import type { GraphBuilder } from "../ir/builder.ts";
import { type Dim, multiplyDims } from "../ir/dim.ts";
import type { Value } from "../ir/graph.ts";

/** What training writes beside the algebra: vectors over tasks, conditions, flat rows. */
export class Formula extends Algebra {
  constructor(builder: GraphBuilder, path: string) {
    super(builder, { path, span: null });
  }

  /** The same with other names for its nodes. */
  named(path: string): Formula {
    return new Formula(this.builder, path);
  }

  vector(data: readonly number[]): Value {
    return this.op("constant", [], { dtype: "f32", shape: [data.length], data });
  }

  matrix(rows: readonly (readonly number[])[]): Value {
    return this.op("constant", [], { dtype: "f32", shape: [rows.length, rows[0]?.length ?? 0], data: rows.flat() });
  }

  tanh = (x: Operand): Value => this.op("tanh", [x], {});
  floor = (x: Operand): Value => this.op("floor", [x], {});
  softplus = (x: Operand): Value => this.op("softplus", [x], {});
  lt = (a: Operand, b: Operand): Value => this.op("lt", [a, b], {});
  and = (a: Value, b: Value): Value => this.op("and", [a, b], {});
  stop = (x: Value): Value => this.op("stop_gradient", [x], {});
  /** 1 where the condition holds, else 0. */
  f32 = (condition: Value): Value => this.op("cast", [condition], { dtype: "f32" });
  /** False for NaN and infinities. */
  isFinite = (x: Operand): Value => this.lt(this.abs(x), 3.4e38);

  /** The sum over all axes. */
  sumAll(x: Value): Value {
    return this.sum(
      x,
      x.type.shape.map((_, axis) => axis),
    );
  }

  /** Over all axes unless some are named. */
  largest(x: Value, axes: readonly number[] = x.type.shape.map((_, axis) => axis)): Value {
    return axes.length === 0 ? x : this.op("reduce_max", [x], { axes, keep: false });
  }

  /** Scalars as one vector. */
  stack(scalars: readonly Value[]): Value {
    return this.concat(
      scalars.map((scalar) => this.reshape(scalar, [1])),
      0,
    );
  }

  /** One number of a vector, as a scalar. */
  element(vector: Value, index: number): Value {
    return this.reshape(this.slice(vector, 0, index, index + 1), []);
  }

  total(values: readonly Value[]): Value {
    return values.length === 0 ? this.scalar(0) : values.reduce((a, b) => this.add(a, b));
  }

  /** All elements in one row: f32[1, n]. */
  row(x: Value): Value {
    return this.reshape(x, [1, x.type.shape.reduce<Dim>((product, dim) => multiplyDims(product, dim), 1)]);
  }
}
