import type { TensorFlowContext } from "../emit/tensorflow-lowering.ts";
import type { Operand } from "../ir/algebra.ts";
import { type Dim, dimsEqual, formatDim } from "../ir/dim.ts";
import type { DType, NodeOf, TensorType, Value } from "../ir/graph.ts";
import { aroundAxis, at, makeArray, type NdArray, read, sizeOf } from "../ir/ndarray.ts";

import type { OpAttributes } from "./attributes.ts";
import { batch, type OpDefinition, type OpRows, type Sample } from "./op.ts";
import { type FoldRow, fold, map, maxRow, minRow, sumRow } from "./rows.ts";
import { axisError, dimAt, formatType, type Inferred, operandError, shapeAt, shapeError, tensor } from "./shape-rules.ts";
import { each, type VjpCall, type VjpRule } from "./vjp.ts";

type ReduceOp = "reduce_sum" | "reduce_mean" | "reduce_max" | "reduce_min";
type AxisOp = "softmax" | "log_softmax" | "cumsum" | "reverse";

/** Reductions, and ops that keep the shape and work along one axis. */
export const alongAxes: OpRows<ReduceOp | AxisOp | "layer_norm"> = {
  reduce_sum: reduction(
    { tfjs: "Sum", type: "ReduceSum", axesAreInputSince: 13 },
    ["f32", "i32"],
    { start: 0, row: sumRow },
    each(keptAxes),
  ),
  reduce_mean: reduction(
    { tfjs: "Mean", type: "ReduceMean", axesAreInputSince: 18 },
    ["f32"],
    { start: 0, row: sumRow },
    // The sum's, divided by the count.
    each((call) => call.g.div(keptAxes(call), countAlong(call))),
    (total, count) => total / count,
  ),
  reduce_max: reduction(
    { tfjs: "Max", type: "ReduceMax", axesAreInputSince: 18 },
    ["f32", "i32"],
    { start: -Infinity, row: maxRow },
    each(sharedByExtremes),
  ),
  reduce_min: reduction(
    { tfjs: "Min", type: "ReduceMin", axesAreInputSince: 18 },
    ["f32", "i32"],
    { start: Infinity, row: minRow },
    each(sharedByExtremes),
  ),

  softmax: {
    infer: keepShape("f32"),
    // exp(x - max) / sum exp(x - max)
    evaluate: ([x], { axis }) => [
      alongAxis(x as NdArray, axis, (from, to, length, step) => {
        const max = maxAlong(from, length, step);
        let total = 0;
        for (let i = 0; i < length; i++) total += to[i * step] = Math.exp(read(from, i * step) - max);
        for (let i = 0; i < length; i++) to[i * step] = read(to, i * step) / total;
      }),
    ],
    // y (dy - Σ dy y)
    vjp: each(({ g, y, dy, attributes: { axis } }) => g.mul(y, g.sub(dy, g.sum(g.mul(dy, y), [axis], true)))),
    onnx: (onnx, inputs, { attributes: { axis } }) => onnx.op("Softmax", inputs, { axis }),
    tfjs: (tf, [x], node) => alongLastAxis(tf, x as string, node, (last) => tf.op("Softmax", [last])),
    samples: () => axisSamples([-30, 30]),
  },

  log_softmax: {
    infer: keepShape("f32"),
    // x - max - log sum exp(x - max)
    evaluate: ([x], { axis }) => [
      alongAxis(x as NdArray, axis, (from, to, length, step) => {
        const max = maxAlong(from, length, step);
        let total = 0;
        for (let i = 0; i < length; i++) total += Math.exp(read(from, i * step) - max);
        const shift = max + Math.log(total);
        for (let i = 0; i < length; i++) to[i * step] = read(from, i * step) - shift;
      }),
    ],
    // dy - exp(y) Σ dy
    vjp: each(({ g, y, dy, attributes: { axis } }) => g.sub(dy, g.mul(g.exp(y), g.sum(dy, [axis], true)))),
    onnx: (onnx, inputs, { attributes: { axis } }) => onnx.op("LogSoftmax", inputs, { axis }),
    tfjs: (tf, [x], node) => alongLastAxis(tf, x as string, node, (last) => tf.op("LogSoftmax", [last])),
    samples: () => axisSamples([-30, 30]),
  },

  cumsum: {
    infer: keepShape("f32", "i32"),
    evaluate: ([x], { axis }) => [
      alongAxis(x as NdArray, axis, (from, to, length, step) => {
        let total = 0;
        for (let i = 0; i < length; i++) to[i * step] = total += read(from, i * step);
      }),
    ],
    vjp: each(({ g, dy, attributes: { axis } }) => g.reverse(g.op("cumsum", [g.reverse(dy, axis)], { axis }), axis)),
    onnx: (onnx, [x], { attributes: { axis } }) => onnx.op("CumSum", [x as string, onnx.constant("i64", [], [axis])]),
    tfjs: (tf, [x], { attributes: { axis } }) =>
      tf.op("Cumsum", [x as string, tf.constant("i32", [], [axis])], { exclusive: false, reverse: false }),
    samples: () => axisSamples([-2, 2]),
  },

  reverse: {
    infer: keepShape("f32", "i32", "bool"),
    evaluate: ([x], { axis }) => [
      alongAxis(x as NdArray, axis, (from, to, length, step) => {
        for (let i = 0; i < length; i++) to[i * step] = read(from, (length - 1 - i) * step);
      }),
    ],
    vjp: each(({ g, dy, attributes: { axis } }) => g.reverse(dy, axis)),
    onnx: (onnx, [x], { attributes: { axis } }) =>
      onnx.op("Slice", [x as string, onnx.ints([-1]), onnx.ints([Number.MIN_SAFE_INTEGER]), onnx.ints([axis]), onnx.ints([-1])]),
    tfjs: (tf, [x], { attributes: { axis } }) => tf.op("ReverseV2", [x as string, tf.ints([axis])]),
    samples: () => axisSamples([-2, 2]),
  },

  layer_norm: {
    infer: (types, { epsilon }) => {
      const error =
        operandError(types, 3, ["f32"]) ?? (epsilon > 0 ? null : shapeError("range", `epsilon must be above 0, not ${epsilon}`));
      if (error !== null) return error;
      const rank = shapeAt(types, 0).length;
      if (rank === 0) return shapeError("rank", "normalises the last axis, and a scalar has none", [0]);
      const width = dimAt(types, 0, rank - 1);
      for (const [input, name] of [
        [1, "gamma"],
        [2, "beta"],
      ] as const) {
        const type = types[input] as TensorType;
        if (type.shape.length === 1 && dimsEqual(type.shape[0] as Dim, width)) continue;
        return shapeError(
          "dim",
          `${name} must be f32[${formatDim(width)}], as wide as the last axis, not ${formatType(type)}`,
          [input, 0],
          [0, rank - 1],
        );
      }
      return [types[0] as TensorType];
    },
    evaluate: ([x, gamma, beta], { epsilon }) => [layerNorm(x as NdArray, gamma as NdArray, beta as NdArray, epsilon)],
    vjp: each(
      // With n the normalised x and d = dy · gamma: dx = (d - mean d - n mean(d n)) / √(var + epsilon).
      (call) => {
        const { g, b: gamma, dy } = call;
        const { normal, inverse, last } = normalised(call);
        const d = g.mul(dy, gamma);
        const centred = g.sub(d, g.mean(d, last, true));
        return g.mul(inverse, g.sub(centred, g.mul(normal, g.mean(g.mul(d, normal), last, true))));
      },
      (call) => call.g.mul(call.dy, normalised(call).normal),
      ({ dy }) => dy,
    ),
    onnx: (onnx, inputs, { attributes: { epsilon } }) => onnx.op("LayerNormalization", inputs, { axis: -1, epsilon: { float: epsilon } }),
    tfjs: (tf, [x, gamma, beta], { inputs: [value], attributes: { epsilon } }) => {
      const axis = tf.ints([(value as Value).type.shape.length - 1]);
      const mean = (of: string) => tf.op("Mean", [of, axis], { keep_dims: true });
      const centred = tf.op("Sub", [x as string, mean(x as string)]);
      const variance = mean(tf.op("Square", [centred]));
      const scale = tf.op("Rsqrt", [tf.op("AddV2", [variance, tf.constant("f32", [], [epsilon])])]);
      return tf.op("AddV2", [tf.op("Mul", [tf.op("Mul", [centred, scale]), gamma as string]), beta as string]);
    },
    samples: () => [
      { inputs: [normal([batch, 6]), normal([6]), normal([6])], attributes: { epsilon: 1e-5 } },
      { inputs: [normal([batch, 3, 4]), normal([4]), normal([4])], attributes: { epsilon: 1e-3 } },
    ],
  },
};

/** What a layer normalisation makes of x before its scale and shift, and the factor that makes it. */
function normalised({ g, x, attributes: { epsilon } }: VjpCall<"layer_norm">) {
  const last = [x.type.shape.length - 1];
  const centred = g.sub(x, g.mean(x, last, true));
  const inverse = g.div(1, g.sqrt(g.add(g.mean(g.mul(centred, centred), last, true), epsilon)));
  return { normal: g.mul(centred, inverse), inverse, last };
}

/** A value of the result's shape, with the axes that the reduction dropped. */
function withKeptAxes<K extends ReduceOp>({ g, x, attributes }: VjpCall<K>, value: Value): Value {
  const { axes } = attributes as OpAttributes[ReduceOp];
  return g.reshape(
    value,
    x.type.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim)),
  );
}

function keptAxes<K extends ReduceOp>(call: VjpCall<K>): Value {
  return withKeptAxes(call, call.dy);
}

/** How many values are reduced to one. */
function countAlong({ g, x, attributes: { axes } }: VjpCall<"reduce_mean">): Operand {
  const dims = axes.map((axis) => x.type.shape[axis] as Dim);
  if (dims.every((dim) => typeof dim === "number")) return sizeOf(dims);
  return g.sum(
    g.full(dims, 1),
    dims.map((_, axis) => axis),
  );
}

/** To the places of the largest or smallest value, in equal shares. */
function sharedByExtremes<K extends ReduceOp>(call: VjpCall<K>): Value {
  const { g, x, y } = call;
  const { axes } = call.attributes as OpAttributes[ReduceOp];
  const isExtreme = g.cast(g.eq(x, withKeptAxes(call, y)), "f32");
  return g.mul(isExtreme, g.div(keptAxes(call), g.sum(isExtreme, axes, true)));
}

/** TensorFlow's softmax knows the last axis alone. */
function alongLastAxis(
  tf: TensorFlowContext,
  x: string,
  { inputs: [value], attributes: { axis } }: NodeOf<"softmax" | "log_softmax">,
  build: (x: string) => string,
): string {
  const last = (value as Value).type.shape.length - 1;
  if (axis === last) return build(x);
  const swapped = tf.ints((value as Value).type.shape.map((_, i) => (i === axis ? last : i === last ? axis : i)));
  return tf.op("Transpose", [build(tf.op("Transpose", [x, swapped])), swapped]);
}

function normal(shape: readonly number[]) {
  return { dtype: "f32", shape, low: -2, high: 2 } as const;
}

function keepShape(...allowed: readonly DType[]): (types: readonly TensorType[], attributes: { readonly axis: number }) => Inferred {
  return (types, { axis }) => operandError(types, 1, allowed) ?? axisError(types, axis) ?? types;
}

function axisSamples<K extends AxisOp>([low, high]: readonly [number, number]): readonly Sample<K>[] {
  const cases: readonly (readonly [shape: readonly number[], axis: number])[] = [
    [[batch, 5], 1],
    [[batch, 5], 0],
    [[batch, 4, 3], 1],
    [[batch, 4, 3], 2],
    [[4], 0],
  ];
  return cases.map(([shape, axis]) => ({ inputs: [{ dtype: "f32", shape, low, high }], attributes: { axis } as OpAttributes[K] }));
}

function reduction<K extends ReduceOp>(
  target: { readonly tfjs: string; readonly type: string; readonly axesAreInputSince: number },
  allowed: readonly DType[],
  folding: { readonly start: number; readonly row: FoldRow },
  vjp: VjpRule<K>,
  finish?: (total: number, count: number) => number,
): OpDefinition<K> {
  return {
    infer: (types, { axes, keep }) => {
      const error = operandError(types, 1, allowed) ?? axes.map((axis) => axisError(types, axis)).find((wrong) => wrong !== null);
      if (error) return error;
      const { dtype, shape } = types[0] as TensorType;
      if (keep)
        return [
          tensor(
            dtype,
            shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim)),
          ),
        ];
      return [
        tensor(
          dtype,
          shape.filter((_, axis) => !axes.includes(axis)),
        ),
      ];
    },
    evaluate: ([x], { axes, keep }) => [reduce(x as NdArray, axes, keep, folding, finish)],
    vjp,
    onnx: (onnx, [x], { attributes: { axes, keep } }) => {
      if (axes.length === 0) return x as string;
      if (onnx.opset >= target.axesAreInputSince) return onnx.op(target.type, [x as string, onnx.ints(axes)], { keepdims: Number(keep) });
      return onnx.op(target.type, [x as string], { axes, keepdims: Number(keep) });
    },
    tfjs: (tf, [x], { attributes: { axes, keep } }) =>
      axes.length === 0 ? (x as string) : tf.op(target.tfjs, [x as string, tf.ints(axes)], { keep_dims: keep }),
    samples: () =>
      allowed.flatMap((dtype) => [
        reduceSample<K>(dtype, [batch, 4], [1], false),
        reduceSample<K>(dtype, [batch, 4], [0], true),
        reduceSample<K>(dtype, [batch, 3, 4], [1], true),
        reduceSample<K>(dtype, [batch, 3, 4], [0, 2], false),
        reduceSample<K>(dtype, [2, 3], [0, 1], false),
        reduceSample<K>(dtype, [2, 3], [], false),
      ]),
  };
}

function reduceSample<K extends ReduceOp>(dtype: DType, shape: readonly number[], axes: readonly number[], keep: boolean): Sample<K> {
  return { inputs: [{ dtype, shape, low: -3, high: 3 }], attributes: { axes, keep } as OpAttributes[K] };
}

function reduce(
  x: NdArray,
  axes: readonly number[],
  keep: boolean,
  folding: { readonly start: number; readonly row: FoldRow },
  finish?: (total: number, count: number) => number,
): NdArray {
  const kept = keep ? x.shape.map((dim, axis) => (axes.includes(axis) ? 1 : dim)) : x.shape.filter((_, axis) => !axes.includes(axis));
  const out = makeArray(kept, fold(x, axes, folding));
  const count = sizeOf(axes.map((axis) => at(x.shape, axis)));
  return finish === undefined ? out : map(out, (total) => finish(total, count));
}

/** Calls `run` on every line along the axis: `from` and `to` begin at the line's first value, later values lie `step` apart. */
export function alongAxis(
  x: NdArray,
  axis: number,
  run: (from: Float64Array, to: Float64Array, length: number, step: number) => void,
): NdArray {
  const out = makeArray(x.shape);
  const { outer, length, inner } = aroundAxis(x.shape, axis);
  for (let block = 0; block < outer; block++) {
    for (let line = 0; line < inner; line++) {
      const start = block * length * inner + line;
      run(x.data.subarray(start), out.data.subarray(start), length, inner);
    }
  }
  return out;
}

function maxAlong(values: Float64Array, length: number, step: number): number {
  let max = -Infinity;
  for (let i = 0; i < length; i++) max = Math.max(max, read(values, i * step));
  return max;
}

/** (x - mean) / sqrt(var + epsilon) · gamma + beta over the last axis, population variance. */
function layerNorm(x: NdArray, gamma: NdArray, beta: NdArray, epsilon: number): NdArray {
  return alongAxis(x, x.shape.length - 1, (from, to, length) => {
    let mean = 0;
    for (let i = 0; i < length; i++) mean += read(from, i) / length;
    let variance = 0;
    for (let i = 0; i < length; i++) variance += (read(from, i) - mean) ** 2 / length;
    const scale = 1 / Math.sqrt(variance + epsilon);
    for (let i = 0; i < length; i++) to[i] = (read(from, i) - mean) * scale * read(gamma.data, i) + read(beta.data, i);
  });
}
