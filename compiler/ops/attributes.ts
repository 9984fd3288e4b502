import type { Dim } from "../ir/dim.ts";
import type { Body, DType } from "../ir/graph.ts";

type None = Record<string, never>;

interface Reduction {
  /** Non-negative, ascending. */
  readonly axes: readonly number[];
  readonly keep: boolean;
}

interface AlongAxis {
  /** Non-negative. */
  readonly axis: number;
}

/** Every op of the IR with its attributes. Elementwise binary ops broadcast as NumPy does; what the language allows of that is the checker's business. */
export interface OpAttributes {
  // sources
  input: { readonly name: string; readonly dtype: DType; readonly shape: readonly Dim[] };
  param: { readonly name: string; readonly shape: readonly Dim[] };
  /** Row-major values. */
  constant: { readonly dtype: DType; readonly shape: readonly number[]; readonly data: readonly number[] };
  full: { readonly dtype: DType; readonly shape: readonly Dim[]; readonly value: number };
  /** f32[length] 0, 1, 2, ... */
  arange: { readonly length: Dim };
  /** An input of a scan body. */
  body_input: { readonly dtype: DType; readonly shape: readonly Dim[]; readonly position: number; readonly loop: number };
  /** In initialisers only. */
  random_uniform: { readonly shape: readonly Dim[]; readonly low: number; readonly high: number };
  /** In initialisers only; mean 0. */
  random_normal: { readonly shape: readonly Dim[]; readonly std: number };

  // elementwise
  neg: None;
  exp: None;
  log: None;
  sqrt: None;
  tanh: None;
  atanh: None;
  sigmoid: None;
  softplus: None;
  relu: None;
  abs: None;
  sign: None;
  floor: None;
  sin: None;
  cos: None;
  not: None;
  add: None;
  sub: None;
  mul: None;
  div: None;
  pow: None;
  min: None;
  max: None;
  eq: None;
  ne: None;
  lt: None;
  le: None;
  gt: None;
  ge: None;
  and: None;
  or: None;
  /** condition, then, otherwise */
  where: None;
  cast: { readonly dtype: DType };
  stop_gradient: None;
  /** Identity at inference. */
  dropout: { readonly rate: number };

  // along axes
  reduce_sum: Reduction;
  reduce_mean: Reduction;
  reduce_max: Reduction;
  reduce_min: Reduction;
  softmax: AlongAxis;
  log_softmax: AlongAxis;
  cumsum: AlongAxis;
  reverse: AlongAxis;
  /** x[.., n], gamma[n], beta[n] → (x - mean) / sqrt(var + epsilon) * gamma + beta over the last axis, population variance. */
  layer_norm: { readonly epsilon: number };
  /** Leading axes broadcast as in NumPy; both operands have rank ≥ 2. */
  matmul: None;

  // shape
  concat: AlongAxis;
  slice: { readonly axis: number; readonly start: Dim; readonly stop: Dim };
  reshape: { readonly shape: readonly Dim[] };
  transpose: { readonly permutation: readonly number[] };
  expand: { readonly shape: readonly Dim[] };
  /** table, i32 indices → table with `axis` replaced by the shape of the indices. */
  gather: AlongAxis;
  /** rows, i32 indices → zeros with `length` rows on the axis, to which each row is added at its index: what `gather` is the other way round. */
  scatter_add: { readonly axis: number; readonly length: Dim };
  /** i32[..S] → f32[..S, depth] */
  one_hot: { readonly depth: Dim };

  // recurrences
  /** a, b of equal shape → h with h_t = a_t h_{t-1} + b_t along the axis, h before the first being 0. */
  linear_scan: AlongAxis;
  /**
   * inputs: `states` initial states, then the scanned tensors; outputs: each state stacked along the axis, one for each step; of the last `final`
   * states (none by default) what they are after the last step alone. A `backward` scan begins at the end of the axis and ends at its start.
   */
  scan: { readonly axis: number; readonly states: number; readonly final?: number; readonly backward?: boolean; readonly body: Body };
}

export type OpName = keyof OpAttributes;
