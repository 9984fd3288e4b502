import { type Dim, evaluateDim } from "./dim.ts";
import type { DType } from "./graph.ts";

/** A dense row-major array; every dtype is held as float64, bool as 0 or 1. Never written to once an evaluator has returned it. */
export interface NdArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, dim) => product * dim, 1);
}

/** Row-major strides. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = at(strides, axis + 1) * at(shape, axis + 1);
  return strides;
}

export function makeArray(shape: readonly number[], data: Float64Array = new Float64Array(sizeOf(shape))): NdArray {
  if (data.length !== sizeOf(shape)) throw new Error(`${data.length} values do not fill the shape [${shape.join(", ")}]`);
  return { shape, data };
}

export function fullArray(shape: readonly number[], value: number): NdArray {
  return makeArray(shape, new Float64Array(sizeOf(shape)).fill(value));
}

export function evaluateShape(shape: readonly Dim[], symbols: ReadonlyMap<string, number>): number[] {
  return shape.map((dim) => evaluateDim(dim, symbols));
}

/** A float as a tensor of `dtype` holds it: i32 truncates towards zero, bool is "not zero". */
export function castNumber(value: number, dtype: DType): number {
  if (dtype === "i32") return Math.trunc(value);
  return dtype === "bool" ? Number(value !== 0) : value;
}

/** The NumPy broadcast of shapes that are known to fit. */
export function broadcastShapes(shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const dims = shapes.map((shape) => shape[axis - rank + shape.length] ?? 1);
    return dims.find((dim) => dim !== 1) ?? 1;
  });
}

/** Strides that read `shape` while walking over `target`: 0 along axes that repeat. */
export function broadcastStrides(shape: readonly number[], target: readonly number[]): number[] {
  const strides = stridesOf(shape);
  const missing = target.length - shape.length;
  return target.map((_, axis) => (axis < missing || at(shape, axis - missing) === 1 ? 0 : at(strides, axis - missing)));
}

/** Nested loops over several arrays at once: sizes outermost first, and for each array its step along each loop. */
export interface LoopNest {
  readonly sizes: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/** The loops over `shape`, adjacent ones merged wherever every array allows: equal shapes become a single loop, a trailing broadcast two. */
export function loopNest(shape: readonly number[], strides: readonly (readonly number[])[]): LoopNest {
  const sizes: number[] = [];
  const merged: number[][] = strides.map(() => []);
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const last = sizes.length - 1;
    if (last >= 0 && strides.every((of, i) => at(merged[i] as number[], last) === at(of, axis) * size)) {
      sizes[last] = at(sizes, last) * size;
      strides.forEach((of, i) => {
        (merged[i] as number[])[last] = at(of, axis);
      });
      return;
    }
    sizes.push(size);
    strides.forEach((of, i) => {
      (merged[i] as number[]).push(at(of, axis));
    });
  });
  if (sizes.length === 0) return { sizes: [1], strides: strides.map(() => [0]) };
  return { sizes, strides: merged };
}

/** Runs `inner(offsets)` for every position of all loops but the innermost; `offsets` holds each array's place and is reused. */
export function forEachRow({ sizes, strides }: LoopNest, inner: (offsets: readonly number[]) => void): void {
  if (sizes.includes(0)) return;
  const outer = sizes.length - 1;
  const position = new Array<number>(outer).fill(0);
  const offsets = strides.map(() => 0);
  for (;;) {
    inner(offsets);
    let axis = outer - 1;
    for (; axis >= 0; axis--) {
      position[axis] = at(position, axis) + 1;
      for (let i = 0; i < strides.length; i++) offsets[i] = at(offsets, i) + at(strides[i] as number[], axis);
      if (at(position, axis) < at(sizes, axis)) break;
      for (let i = 0; i < strides.length; i++) offsets[i] = at(offsets, i) - at(strides[i] as number[], axis) * at(sizes, axis);
      position[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** Splits a shape around an axis: how many blocks, the axis, and how many values lie inside one step of it. */
export function aroundAxis(shape: readonly number[], axis: number): { outer: number; length: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), length: at(shape, axis), inner: sizeOf(shape.slice(axis + 1)) };
}

/** The copy of `x` read through `strides` (0 repeats) into an array of `shape`. */
export function gatherStrided(x: NdArray, shape: readonly number[], strides: readonly number[], offset = 0): NdArray {
  const out = makeArray(shape);
  const nest = loopNest(shape, [stridesOf(shape), strides]);
  const length = at(nest.sizes, nest.sizes.length - 1);
  const step = at(nest.strides[1] as number[], nest.sizes.length - 1);
  forEachRow(nest, (offsets) => {
    let to = at(offsets, 0);
    let from = at(offsets, 1) + offset;
    if (step === 1) out.data.set(x.data.subarray(from, from + length), to);
    else if (step === 0) out.data.fill(read(x.data, from), to, to + length);
    else for (let i = 0; i < length; i++, from += step) out.data[to++] = read(x.data, from);
  });
  return out;
}

export function broadcastTo(x: NdArray, shape: readonly number[]): NdArray {
  if (x.shape.length === shape.length && x.shape.every((dim, axis) => dim === shape[axis])) return x;
  return gatherStrided(x, shape, broadcastStrides(x.shape, shape));
}

/** An element known to exist. */
export function at(values: readonly number[], index: number): number {
  return values[index] as number;
}

/** The same for data. Apart from `at`, because a function that sees one kind of array alone is several times as fast. */
export function read(data: Float64Array, index: number): number {
  return data[index] as number;
}
