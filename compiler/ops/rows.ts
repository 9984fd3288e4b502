import {
  at,
  broadcastShapes,
  broadcastStrides,
  forEachRow,
  type LoopNest,
  loopNest,
  makeArray,
  type NdArray,
  stridesOf,
} from "../ir/ndarray.ts";

/**
 * Innermost loops of the interpreter: `length` values are written to `out` from `to` on, read from `a` and `b` by their steps. The operations that most of
 * a model is made of have loops of their own, without calls: a call for each value costs five times as much, one of an imported function too where a
 * test runner loads the modules.
 */
export type PairRow = (
  out: Float64Array,
  to: number,
  length: number,
  a: Float64Array,
  i: number,
  stepA: number,
  b: Float64Array,
  j: number,
  stepB: number,
) => void;

export const addRow: PairRow = (out, to, length, a, i, stepA, b, j, stepB) => {
  for (const end = to + length; to < end; to++, i += stepA, j += stepB) out[to] = (a[i] as number) + (b[j] as number);
};

export const subRow: PairRow = (out, to, length, a, i, stepA, b, j, stepB) => {
  for (const end = to + length; to < end; to++, i += stepA, j += stepB) out[to] = (a[i] as number) - (b[j] as number);
};

export const mulRow: PairRow = (out, to, length, a, i, stepA, b, j, stepB) => {
  for (const end = to + length; to < end; to++, i += stepA, j += stepB) out[to] = (a[i] as number) * (b[j] as number);
};

export const divRow: PairRow = (out, to, length, a, i, stepA, b, j, stepB) => {
  for (const end = to + length; to < end; to++, i += stepA, j += stepB) out[to] = (a[i] as number) / (b[j] as number);
};

export function pairRow(f: (a: number, b: number) => number): PairRow {
  return (out, to, length, a, i, stepA, b, j, stepB) => {
    for (const end = to + length; to < end; to++, i += stepA, j += stepB) out[to] = f(a[i] as number, b[j] as number);
  };
}

export const powRow = pairRow((a, b) => a ** b);
export const minimumRow = pairRow(Math.min);
export const maximumRow = pairRow(Math.max);

/** Folds `length` values into one. */
export type FoldRow = (total: number, x: Float64Array, from: number, length: number, step: number) => number;

export const sumRow: FoldRow = (total, x, from, length, step) => {
  for (let i = 0; i < length; i++, from += step) total += x[from] as number;
  return total;
};

export const maxRow: FoldRow = (total, x, from, length, step) => {
  for (let i = 0; i < length; i++, from += step) total = Math.max(total, x[from] as number);
  return total;
};

export const minRow: FoldRow = (total, x, from, length, step) => {
  for (let i = 0; i < length; i++, from += step) total = Math.min(total, x[from] as number);
  return total;
};

export function map({ shape, data }: NdArray, f: (value: number) => number): NdArray {
  const out = new Float64Array(data.length);
  for (let i = 0; i < out.length; i++) out[i] = f(data[i] as number);
  return { shape, data: out };
}

/** The row operation over the broadcast of two arrays. */
export function zip(a: NdArray, b: NdArray, row: PairRow): NdArray {
  const shape = broadcastShapes([a.shape, b.shape]);
  const out = makeArray(shape);
  const nest = loopNest(shape, [stridesOf(shape), broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)]);
  const { length, steps } = innermost(nest);
  forEachRow(nest, (offsets) =>
    row(out.data, at(offsets, 0), length, a.data, at(offsets, 1), at(steps, 1), b.data, at(offsets, 2), at(steps, 2)),
  );
  return out;
}

/** where(condition, a, b) over the broadcast of all three. */
export function select(condition: NdArray, a: NdArray, b: NdArray): NdArray {
  const operands = [condition, a, b];
  const shape = broadcastShapes(operands.map((operand) => operand.shape));
  const out = makeArray(shape);
  const nest = loopNest(shape, [stridesOf(shape), ...operands.map((operand) => broadcastStrides(operand.shape, shape))]);
  const { length, steps } = innermost(nest);
  forEachRow(nest, (offsets) => {
    let [to, c, i, j] = offsets as [number, number, number, number];
    for (const end = to + length; to < end; to++, c += at(steps, 1), i += at(steps, 2), j += at(steps, 3)) {
      out.data[to] = (condition.data[c] as number) !== 0 ? (a.data[i] as number) : (b.data[j] as number);
    }
  });
  return out;
}

/** Folds the axes, from `start` on. */
export function fold(x: NdArray, axes: readonly number[], { start, row }: { readonly start: number; readonly row: FoldRow }): Float64Array {
  const kept = x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim));
  const out = new Float64Array(kept.reduce((product, dim) => product * dim, 1)).fill(start);
  const strides = stridesOf(kept).map((stride, axis) => (axes.includes(axis) ? 0 : stride));
  const nest = loopNest(x.shape, [stridesOf(x.shape), strides]);
  const { length, steps } = innermost(nest);
  const [stepX, stepOut] = steps as [number, number];
  forEachRow(nest, (offsets) => {
    let [from, to] = offsets as [number, number];
    if (stepOut === 0) out[to] = row(out[to] as number, x.data, from, length, stepX);
    else for (let i = 0; i < length; i++, from += stepX, to += stepOut) out[to] = row(out[to] as number, x.data, from, 1, 1);
  });
  return out;
}

function innermost({ sizes, strides }: LoopNest): { readonly length: number; readonly steps: readonly number[] } {
  const last = sizes.length - 1;
  return { length: at(sizes, last), steps: strides.map((of) => at(of, last)) };
}
