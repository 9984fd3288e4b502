import { differentiate } from "../autodiff/differentiate.ts";
import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";

/** Gradients of several scalars with respect to the same tensors, over one forward pass. */
export interface TaskGradients {
  /** For each tensor that any of the scalars depends on: f32[scalars, n], one flattened gradient in each row. */
  readonly stacked: readonly { readonly of: Value; readonly rows: Value }[];
  /** f32[scalars, scalars]: inner products over all tensors. */
  readonly products: Value;
}

export function taskGradients(f: Formula, scalars: readonly Value[], wrt: readonly Value[]): TaskGradients {
  const found = scalars.map((value) => differentiate(f.builder, [{ value, cotangent: f.scalar(1) }], wrt));
  const stacked = wrt.flatMap((of, i) => {
    const gradients = found.map((all) => all[i] ?? null);
    if (gradients.every((gradient) => gradient === null)) return [];
    return [
      {
        of,
        rows: f.concat(
          gradients.map((gradient) => f.row(gradient ?? f.full(of.type.shape, 0))),
          0,
        ),
      },
    ];
  });
  const count = scalars.length;
  const products = stacked.map(({ rows }) => f.matmul(rows, f.transposeLast(rows)));
  return { stacked, products: products.length === 0 ? f.full([count, count], 0) : f.total(products) };
}

/** f32[n]: the diagonal of a square matrix. */
export function diagonal(f: Formula, matrix: Value): Value {
  const [count] = matrix.type.shape;
  return f.sum(f.mul(matrix, identity(f, Number(count))), [1]);
}

export function identity(f: Formula, count: number): Value {
  return f.matrix(Array.from({ length: count }, (_, i) => Array.from({ length: count }, (_, j) => Number(i === j))));
}

/**
 * PCGrad in the coordinates of the tasks' gradients: row i holds the coefficients of task i's gradient once its conflicts with the others, taken in turn from
 * i + 1 on, are projected away. The paper takes them in random order.
 *
 * @param products  f32[K, K], inner products of the gradients
 * @returns  f32[K]: the factor of each task's gradient in the sum
 * @see Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020
 */
export function projectConflicts(f: Formula, products: Value): Value {
  const count = Number(products.type.shape[0]);
  const norms = diagonal(f, products);
  const unit = identity(f, count);
  const rowOf = (matrix: Value, i: number) => f.reshape(f.op("slice", [matrix], { axis: 0, start: i, stop: i + 1 }), [count]);
  const projected = Array.from({ length: count }, (_, i) => {
    let coefficients = rowOf(unit, i);
    for (let k = 1; k < count; k++) {
      const j = (i + k) % count;
      const dot = f.sumAll(f.mul(coefficients, rowOf(products, j)));
      const norm = f.element(norms, j);
      const along = f.div(f.min(dot, 0), f.where(f.gt(norm, 0), norm, 1));
      coefficients = f.sub(coefficients, f.mul(rowOf(unit, j), along));
    }
    return coefficients;
  });
  return f.total(projected);
}
