import type { DType } from "../ir/graph.ts";
import {
  at,
  broadcastShapes,
  broadcastStrides,
  castNumber,
  forEachRow,
  loopNest,
  makeArray,
  type NdArray,
  stridesOf,
} from "../ir/ndarray.ts";
import type { OpAttributes, OpName } from "./attributes.ts";
import { batch, type OpDefinition, type OpRows, type Sample } from "./op.ts";
import { broadcastDims, countError, isDims, operandError, sameDTypeError, shapeAt, shapeError, tensor } from "./shape-rules.ts";

const floats: readonly DType[] = ["f32"];
const numbers: readonly DType[] = ["f32", "i32"];
const bools: readonly DType[] = ["bool"];
const anything: readonly DType[] = ["f32", "i32", "bool"];

type UnaryOp =
  | "neg"
  | "exp"
  | "log"
  | "sqrt"
  | "tanh"
  | "atanh"
  | "sigmoid"
  | "softplus"
  | "relu"
  | "abs"
  | "sign"
  | "floor"
  | "sin"
  | "cos"
  | "not";
type BinaryOp = "add" | "sub" | "mul" | "div" | "pow" | "min" | "max" | "eq" | "ne" | "lt" | "le" | "gt" | "ge" | "and" | "or";

/** Equal, scalar, trailing, stretched on both sides, missing leading axes. */
const broadcasts: readonly (readonly (readonly number[])[])[] = [
  [
    [batch, 3],
    [batch, 3],
  ],
  [[batch, 3], []],
  [[], [2, 3]],
  [[batch, 2, 3], [3]],
  [
    [batch, 1, 3],
    [4, 1],
  ],
];

export const elementwise: OpRows<UnaryOp | BinaryOp | "where" | "cast" | "stop_gradient" | "dropout"> = {
  neg: unary("Neg", numbers, (x) => -x),
  exp: unary("Exp", floats, Math.exp),
  log: unary("Log", floats, Math.log, [0.05, 4]),
  sqrt: unary("Sqrt", floats, Math.sqrt, [0.05, 4]),
  tanh: unary("Tanh", floats, Math.tanh),
  atanh: unary("Atanh", floats, Math.atanh, [-0.95, 0.95]),
  sigmoid: unary("Sigmoid", floats, sigmoid),
  softplus: unary("Softplus", floats, softplus, [-30, 30]),
  relu: unary("Relu", floats, (x) => Math.max(x, 0)),
  abs: unary("Abs", numbers, Math.abs),
  sign: unary("Sign", numbers, Math.sign),
  floor: unary("Floor", floats, Math.floor),
  sin: unary("Sin", floats, Math.sin),
  cos: unary("Cos", floats, Math.cos),
  not: unary("Not", bools, (x) => 1 - x, [0, 1]),

  add: binary("Add", numbers, null, (a, b) => a + b),
  sub: binary("Sub", numbers, null, (a, b) => a - b),
  mul: binary("Mul", numbers, null, (a, b) => a * b),
  div: binary("Div", floats, null, (a, b) => a / b, [0.2, 3]),
  pow: binary("Pow", floats, null, (a, b) => a ** b, [0.2, 3]),
  min: binary("Min", numbers, null, Math.min),
  max: binary("Max", numbers, null, Math.max),
  eq: binary("Equal", anything, "bool", (a, b) => Number(a === b), [0, 2]),
  ne: binary(["Equal", "Not"], anything, "bool", (a, b) => Number(a !== b), [0, 2]),
  lt: binary("Less", numbers, "bool", (a, b) => Number(a < b)),
  le: binary("LessOrEqual", numbers, "bool", (a, b) => Number(a <= b)),
  gt: binary("Greater", numbers, "bool", (a, b) => Number(a > b)),
  ge: binary("GreaterOrEqual", numbers, "bool", (a, b) => Number(a >= b)),
  and: binary("And", bools, null, (a, b) => a & b, [0, 1]),
  or: binary("Or", bools, null, (a, b) => a | b, [0, 1]),

  where: {
    infer: (types) => {
      const condition = types[0];
      const wrong =
        countError(types, 3) ??
        (condition?.dtype === "bool" ? null : shapeError("dtype", `the condition is ${condition?.dtype}, not bool`, [0]));
      const error = wrong ?? sameDTypeError(types, 1);
      if (error !== null) return error;
      const shape = broadcastDims(types);
      return isDims(shape) ? [tensor(types[1]?.dtype ?? "f32", shape)] : shape;
    },
    evaluate: (inputs) => [select(inputs)],
    onnx: (onnx, inputs) => onnx.op("Where", inputs),
    samples: [
      {
        inputs: [
          { dtype: "bool", shape: [batch, 3] },
          { dtype: "f32", shape: [batch, 3] },
          { dtype: "f32", shape: [batch, 3] },
        ],
        attributes: {},
      },
      {
        inputs: [
          { dtype: "bool", shape: [batch, 1] },
          { dtype: "f32", shape: [] },
          { dtype: "f32", shape: [2, 1, 3] },
        ],
        attributes: {},
      },
      {
        inputs: [
          { dtype: "bool", shape: [] },
          { dtype: "i32", shape: [4], low: -9, high: 9 },
          { dtype: "i32", shape: [4], low: -9, high: 9 },
        ],
        attributes: {},
      },
    ],
  },

  cast: {
    infer: (types, { dtype }) => countError(types, 1) ?? [tensor(dtype, shapeAt(types, 0))],
    evaluate: ([x], { dtype }) => [map(x as NdArray, (value) => castNumber(value, dtype))],
    onnx: (onnx, inputs, { attributes: { dtype } }) => onnx.op("Cast", inputs, { to: { f32: 1, i32: 6, bool: 9 }[dtype] }),
    samples: anything.flatMap((from) =>
      anything.map((to): Sample<"cast"> => ({ inputs: [{ dtype: from, shape: [batch, 3], low: -3, high: 3 }], attributes: { dtype: to } })),
    ),
  },

  stop_gradient: {
    infer: (types) => countError(types, 1) ?? types,
    evaluate: (inputs) => inputs,
    onnx: (_, inputs) => inputs,
    samples: [{ inputs: [{ dtype: "f32", shape: [batch, 3] }], attributes: {} }],
  },

  dropout: {
    infer: (types, { rate }) => {
      if (!(rate >= 0 && rate < 1)) return shapeError("range", `the rate must be at least 0 and below 1, not ${rate}`);
      return operandError(types, 1, floats) ?? types;
    },
    evaluate: (inputs) => inputs,
    onnx: (_, inputs) => inputs,
    samples: [{ inputs: [{ dtype: "f32", shape: [batch, 3] }], attributes: { rate: 0.2 } }],
  },
};

/** log(1 + exp x) without overflow: max(x, 0) + log1p(exp(-|x|)). */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** 1 / (1 + exp -x), from exp of a negative number only. */
export function sigmoid(x: number): number {
  const e = Math.exp(-Math.abs(x));
  return (x >= 0 ? 1 : e) / (1 + e);
}

type Range = readonly [low: number, high: number];

function unary<K extends UnaryOp>(
  onnxType: string,
  allowed: readonly DType[],
  f: (x: number) => number,
  range: Range = [-3, 3],
): OpDefinition<K> {
  return {
    infer: (types) => operandError(types, 1, allowed) ?? types,
    evaluate: ([x]) => [map(x as NdArray, f)],
    onnx: (onnx, inputs) => onnx.op(onnxType, inputs),
    samples: allowed.flatMap((dtype) => [
      sample([[batch, 3]], dtype, range),
      sample([[2, 3, 4]], dtype, range),
      sample([[]], dtype, range),
    ]),
  };
}

/** A list of ONNX ops applies the later ones to the result of the first. A `result` of null is the dtype of the operands. */
function binary<K extends BinaryOp>(
  onnxTypes: string | readonly [string, string],
  allowed: readonly DType[],
  result: DType | null,
  f: (a: number, b: number) => number,
  range: Range = [-3, 3],
): OpDefinition<K> {
  const [first, then] = typeof onnxTypes === "string" ? [onnxTypes] : onnxTypes;
  return {
    infer: (types) => {
      const error = operandError(types, 2, allowed) ?? sameDTypeError(types);
      if (error !== null) return error;
      const shape = broadcastDims(types);
      return isDims(shape) ? [tensor(result ?? types[0]?.dtype ?? "f32", shape)] : shape;
    },
    evaluate: ([a, b]) => [zip(a as NdArray, b as NdArray, f)],
    onnx: (onnx, inputs) => {
      const value = onnx.op(first as string, inputs);
      return then === undefined ? value : onnx.op(then, [value]);
    },
    samples: allowed.flatMap((dtype) => broadcasts.map((shapes) => sample<K>(shapes, dtype, range))),
  };
}

function sample<K extends UnaryOp | BinaryOp>(shapes: readonly (readonly number[])[], dtype: DType, [low, high]: Range): Sample<K> {
  const attributes = {} as OpAttributes[K & OpName];
  return { inputs: shapes.map((shape) => ({ dtype, shape, low, high })), attributes };
}

export function map(x: NdArray, f: (value: number) => number): NdArray {
  const out = makeArray(x.shape);
  for (let i = 0; i < out.data.length; i++) out.data[i] = f(x.data[i] as number);
  return out;
}

/** f over the broadcast of two arrays. */
export function zip(a: NdArray, b: NdArray, f: (a: number, b: number) => number): NdArray {
  const shape = broadcastShapes([a.shape, b.shape]);
  const out = makeArray(shape);
  const nest = loopNest(shape, [stridesOf(shape), broadcastStrides(a.shape, shape), broadcastStrides(b.shape, shape)]);
  const inner = nest.sizes.length - 1;
  const length = at(nest.sizes, inner);
  const [, stepA, stepB] = nest.strides.map((strides) => at(strides, inner)) as [number, number, number];
  forEachRow(nest, (offsets) => {
    let [to, i, j] = offsets as [number, number, number];
    for (const end = to + length; to < end; to++, i += stepA, j += stepB) out.data[to] = f(a.data[i] as number, b.data[j] as number);
  });
  return out;
}

function select(inputs: readonly NdArray[]): NdArray {
  const shape = broadcastShapes(inputs.map((input) => input.shape));
  const [condition, then, otherwise] = inputs as readonly [NdArray, NdArray, NdArray];
  const out = makeArray(shape);
  const nest = loopNest(shape, [stridesOf(shape), ...inputs.map((input) => broadcastStrides(input.shape, shape))]);
  const inner = nest.sizes.length - 1;
  const length = at(nest.sizes, inner);
  const [, stepC, stepA, stepB] = nest.strides.map((strides) => at(strides, inner)) as [number, number, number, number];
  forEachRow(nest, (offsets) => {
    let [to, c, i, j] = offsets as [number, number, number, number];
    for (const end = to + length; to < end; to++, c += stepC, i += stepA, j += stepB) {
      out.data[to] = (condition.data[c] as number) !== 0 ? (then.data[i] as number) : (otherwise.data[j] as number);
    }
  });
  return out;
}
