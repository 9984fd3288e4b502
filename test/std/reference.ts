import type { NdArray } from "../../compiler/ir/ndarray.ts";

/** Plain loops over rows that the library's modules are held against: no code in common with the compiler. */
export type Row = readonly number[];

/** x W + b, W given as a matrix f32[n, m]. */
export function linear(x: Row, W: NdArray, b?: NdArray): Row {
  const [n, m] = W.shape as [number, number];
  return Array.from({ length: m }, (_, j) => {
    let total = b?.data[j] ?? 0;
    for (let i = 0; i < n; i++) total += (x[i] as number) * (W.data[i * m + j] as number);
    return total;
  });
}

/** (x - mean) / √(var + 1e-5) · gamma + beta. */
export function layerNorm(x: Row, gamma: NdArray, beta: NdArray): Row {
  const mean = sum(x) / x.length;
  const variance = sum(x.map((v) => (v - mean) ** 2)) / x.length;
  return x.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * at(gamma.data, i) + at(beta.data, i));
}

export function rmsNorm(x: Row, gamma: NdArray): Row {
  const root = Math.sqrt(dot(x, x) / x.length + 1e-5);
  return x.map((v, i) => (v / root) * at(gamma.data, i));
}

export const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));
export const silu = (v: number): number => v * sigmoid(v);
export const softplus = (v: number): number => Math.max(v, 0) + Math.log1p(Math.exp(-Math.abs(v)));
export const symlog = (v: number): number => Math.sign(v) * Math.log1p(Math.abs(v));

export function softmax(x: Row): Row {
  const top = Math.max(...x);
  const powers = x.map((v) => Math.exp(v - top));
  return powers.map((v) => v / sum(powers));
}

export function sum(x: Row): number {
  return x.reduce((total, v) => total + v, 0);
}

export function dot(x: Row, y: Row): number {
  return x.reduce((total, v, i) => total + v * at(y, i), 0);
}

export function add(x: Row, y: Row): Row {
  return x.map((v, i) => v + at(y, i));
}

export function scale(x: Row, by: number): Row {
  return x.map((v) => v * by);
}

export function at(values: ArrayLike<number>, index: number): number {
  const value = values[index];
  if (value === undefined) throw new Error(`no value at ${index} of ${values.length}`);
  return value;
}

/** The rows of the last axis. */
export function rows({ shape, data }: NdArray): Row[] {
  const width = shape.at(-1) ?? 1;
  return Array.from({ length: data.length / width }, (_, i) => [...data.subarray(i * width, (i + 1) * width)]);
}

/** The largest absolute difference of two equally long sequences. */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} values`);
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(at(a, i) - at(b, i));
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
