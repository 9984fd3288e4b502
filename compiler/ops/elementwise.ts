import type { DType, TensorType, Value } from "../ir/graph.ts";
import { castNumber, type NdArray } from "../ir/ndarray.ts";
import type { OpAttributes, OpName } from "./attributes.ts";
import { batch, type OpDefinition, type OpRows, type Sample } from "./op.ts";
import { addRow, divRow, map, maximumRow, minimumRow, mulRow, type PairRow, pairRow, powRow, select, subRow, zip } from "./rows.ts";
import {
  broadcastDims,
  countError,
  type Inferred,
  isDims,
  operandError,
  sameDTypeError,
  shapeAt,
  shapeError,
  tensor,
} from "./shape-rules.ts";
import { each, type NonDifferentiable, nonDifferentiable, type Vjp, type VjpCall } from "./vjp.ts";

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
  neg: unary(
    both("Neg"),
    numbers,
    (x) => -x,
    ({ g, dy }) => g.neg(dy),
  ),
  exp: unary(both("Exp"), floats, Math.exp, ({ g, y, dy }) => g.mul(dy, y)),
  log: unary(both("Log"), floats, Math.log, ({ g, x, dy }) => g.div(dy, x), [0.05, 4]),
  // The slope at 0 is infinite; 0 is taken, so that a norm sends nothing to the vector of zeros.
  sqrt: unary(both("Sqrt"), floats, Math.sqrt, ({ g, y, dy }) => g.where(g.gt(y, 0), g.div(dy, g.mul(2, y)), 0), [0.05, 4]),
  tanh: unary(both("Tanh"), floats, Math.tanh, ({ g, y, dy }) => g.mul(dy, g.sub(1, g.mul(y, y)))),
  atanh: unary(both("Atanh"), floats, Math.atanh, ({ g, x, dy }) => g.div(dy, g.sub(1, g.mul(x, x))), [-0.95, 0.95]),
  sigmoid: unary(both("Sigmoid"), floats, sigmoid, ({ g, y, dy }) => g.mul(dy, g.mul(y, g.sub(1, y)))),
  softplus: unary(both("Softplus"), floats, softplus, ({ g, x, dy }) => g.mul(dy, g.sigmoid(x)), [-30, 30]),
  relu: unary(
    both("Relu"),
    floats,
    (x) => Math.max(x, 0),
    ({ g, x, dy }) => g.where(g.gt(x, 0), dy, 0),
  ),
  abs: unary(both("Abs"), numbers, Math.abs, ({ g, x, dy }) => g.mul(dy, g.sign(x))),
  sign: unary(both("Sign"), numbers, Math.sign, nonDifferentiable("is constant between its jumps")),
  floor: unary(both("Floor"), floats, Math.floor, nonDifferentiable("is constant between its jumps")),
  sin: unary(both("Sin"), floats, Math.sin, ({ g, x, dy }) => g.mul(dy, g.cos(x))),
  cos: unary(both("Cos"), floats, Math.cos, ({ g, x, dy }) => g.neg(g.mul(dy, g.sin(x)))),
  not: unary({ onnx: "Not", tfjs: "LogicalNot" }, bools, (x) => 1 - x, nonDifferentiable("takes flags"), [0, 1]),

  add: arithmetic(
    { onnx: "Add", tfjs: "AddV2" },
    numbers,
    addRow,
    each(
      ({ dy }) => dy,
      ({ dy }) => dy,
    ),
  ),
  sub: arithmetic(
    both("Sub"),
    numbers,
    subRow,
    each(
      ({ dy }) => dy,
      ({ g, dy }) => g.neg(dy),
    ),
  ),
  mul: arithmetic(
    both("Mul"),
    numbers,
    mulRow,
    each(
      ({ g, b, dy }) => g.mul(dy, b),
      ({ g, a, dy }) => g.mul(dy, a),
    ),
  ),
  div: arithmetic(
    { onnx: "Div", tfjs: "RealDiv" },
    floats,
    divRow,
    each(
      ({ g, b, dy }) => g.div(dy, b),
      ({ g, b, y, dy }) => g.neg(g.div(g.mul(dy, y), b)),
    ),
    [0.2, 3],
  ),
  pow: arithmetic(
    both("Pow"),
    floats,
    powRow,
    each(
      (call) => call.g.mul(call.dy, powerSlope(call)),
      // a^b log a, and 0 for a base that has no logarithm
      ({ g, a, y, dy }) => g.mul(dy, g.where(g.gt(a, 0), g.mul(y, g.log(g.where(g.gt(a, 0), a, 1))), 0)),
    ),
    [0.2, 3],
  ),
  min: arithmetic(
    { onnx: "Min", tfjs: "Minimum" },
    numbers,
    minimumRow,
    each(
      (call) => chosen(call, call.b, call.a),
      (call) => chosen(call, call.a, call.b),
    ),
  ),
  max: arithmetic(
    { onnx: "Max", tfjs: "Maximum" },
    numbers,
    maximumRow,
    each(
      (call) => chosen(call, call.a, call.b),
      (call) => chosen(call, call.b, call.a),
    ),
  ),
  eq: comparison(both("Equal"), anything, (a, b) => a === b),
  ne: comparison({ onnx: ["Equal", "Not"], tfjs: "NotEqual" }, anything, (a, b) => a !== b),
  lt: comparison(both("Less"), numbers, (a, b) => a < b),
  le: comparison({ onnx: "LessOrEqual", tfjs: "LessEqual" }, numbers, (a, b) => a <= b),
  gt: comparison(both("Greater"), numbers, (a, b) => a > b),
  ge: comparison({ onnx: "GreaterOrEqual", tfjs: "GreaterEqual" }, numbers, (a, b) => a >= b),
  and: comparison({ onnx: "And", tfjs: "LogicalAnd" }, bools, (a, b) => a !== 0 && b !== 0),
  or: comparison({ onnx: "Or", tfjs: "LogicalOr" }, bools, (a, b) => a !== 0 || b !== 0),

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
    evaluate: ([condition, a, b]) => [select(condition as NdArray, a as NdArray, b as NdArray)],
    vjp: each(
      () => null,
      ({ g, x: condition, dy }) => g.where(condition, dy, 0),
      ({ g, x: condition, dy }) => g.where(condition, 0, dy),
    ),
    onnx: (onnx, inputs) => onnx.op("Where", inputs),
    tfjs: (tf, inputs) => tf.op("SelectV2", inputs),
    samples: () => [
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
    vjp: each(({ dy }) => dy),
    onnx: (onnx, inputs, { attributes: { dtype } }) => onnx.op("Cast", inputs, { to: { f32: 1, i32: 6, bool: 9 }[dtype] }),
    // A cast to bool on wasm keeps the low byte of the integer part.
    tfjs: (tf, [x], { inputs: [value], attributes: { dtype } }) => {
      const from = (value as Value).type.dtype;
      if (dtype === "bool" && from !== "bool") return tf.op("NotEqual", [x as string, tf.constant(from, [], [0])]);
      return tf.op("Cast", [x as string], { SrcT: { dtype: from }, DstT: { dtype } });
    },
    samples: () =>
      anything.flatMap((from) =>
        anything.map(
          (to): Sample<"cast"> => ({ inputs: [{ dtype: from, shape: [batch, 3], low: -3, high: 3 }], attributes: { dtype: to } }),
        ),
      ),
  },

  stop_gradient: {
    infer: (types) => countError(types, 1) ?? types,
    evaluate: (inputs) => inputs,
    vjp: nonDifferentiable("is there to stop the gradient"),
    onnx: (_, inputs) => inputs,
    tfjs: (_, inputs) => inputs,
    samples: () => [{ inputs: [{ dtype: "f32", shape: [batch, 3] }], attributes: {} }],
  },

  dropout: {
    infer: (types, { rate }) => {
      if (!(rate >= 0 && rate < 1)) return shapeError("range", `the rate must be at least 0 and below 1, not ${rate}`);
      return operandError(types, 1, floats) ?? types;
    },
    evaluate: (inputs) => inputs,
    vjp: each(({ dy }) => dy),
    onnx: (_, inputs) => inputs,
    tfjs: (_, inputs) => inputs,
    samples: () => [{ inputs: [{ dtype: "f32", shape: [batch, 3] }], attributes: { rate: 0.2 } }],
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

/** b a^(b - 1). Where that is infinite, at 0 for exponents below 1, it is 0 as for the square root. */
function powerSlope({ g, a, b }: VjpCall<"pow">): Value {
  const exponent = b.node.op === "constant" && b.type.shape.length === 0 ? b.node.attributes.data[0] : undefined;
  if (exponent === 2) return g.mul(2, a);
  if (exponent !== undefined && exponent >= 1) return g.mul(exponent, g.pow(a, exponent - 1));
  const isInfinite = g.op("and", [g.eq(a, 0), g.op("lt", [b, 1], {})], {});
  return g.where(isInfinite, 0, g.mul(b, g.pow(g.where(isInfinite, 1, a), g.sub(b, 1))));
}

/** The cotangent of the operand that wins where it is the larger one; equal operands share it. */
function chosen({ g, dy }: VjpCall<"min" | "max">, larger: Value, smaller: Value): Value {
  return g.where(g.gt(larger, smaller), dy, g.where(g.eq(larger, smaller), g.mul(dy, 0.5), 0));
}

type Range = readonly [low: number, high: number];

/** The op types of the targets. */
interface Targets<Onnx = string> {
  readonly onnx: Onnx;
  readonly tfjs: string;
}

function both(type: string): Targets {
  return { onnx: type, tfjs: type };
}

function unary<K extends UnaryOp>(
  targets: Targets,
  allowed: readonly DType[],
  f: (x: number) => number,
  derivative: ((call: VjpCall<K>) => Value) | NonDifferentiable,
  range: Range = [-3, 3],
): OpDefinition<K> {
  return {
    infer: (types) => operandError(types, 1, allowed) ?? types,
    evaluate: ([x]) => [map(x as NdArray, f)],
    vjp: typeof derivative === "function" ? each(derivative) : derivative,
    onnx: (onnx, inputs) => onnx.op(targets.onnx, inputs),
    tfjs: (tf, inputs) => tf.op(targets.tfjs, inputs),
    samples: () =>
      allowed.flatMap((dtype) => [sample([[batch, 3]], dtype, range), sample([[2, 3, 4]], dtype, range), sample([[]], dtype, range)]),
  };
}

/** The result is of the operands' dtype. */
function arithmetic<K extends BinaryOp>(
  targets: Targets,
  allowed: readonly DType[],
  row: PairRow,
  vjp: Vjp<K>,
  range: Range = [-3, 3],
): OpDefinition<K> {
  return {
    infer: (types) => inferPair(types, allowed, null),
    evaluate: ([a, b]) => [zip(a as NdArray, b as NdArray, row)],
    vjp,
    onnx: (onnx, inputs) => onnx.op(targets.onnx, inputs),
    tfjs: (tf, inputs) => tf.op(targets.tfjs, inputs),
    samples: () => pairSamples(allowed, range),
  };
}

/** The result is bool. Of two ONNX ops the second applies to the result of the first. */
function comparison<K extends BinaryOp>(
  targets: Targets<string | readonly [string, string]>,
  allowed: readonly DType[],
  holds: (a: number, b: number) => boolean,
): OpDefinition<K> {
  const [first, then] = typeof targets.onnx === "string" ? [targets.onnx] : targets.onnx;
  const row = pairRow((a, b) => Number(holds(a, b)));
  return {
    infer: (types) => inferPair(types, allowed, "bool"),
    evaluate: ([a, b]) => [zip(a as NdArray, b as NdArray, row)],
    vjp: nonDifferentiable("gives flags"),
    onnx: (onnx, inputs) => {
      const value = onnx.op(first as string, inputs);
      return then === undefined ? value : onnx.op(then, [value]);
    },
    tfjs: (tf, inputs) => tf.op(targets.tfjs, inputs),
    // Numbers from few, so that some are equal.
    samples: () => pairSamples(allowed, [0, 2]),
  };
}

function inferPair(types: readonly TensorType[], allowed: readonly DType[], result: DType | null): Inferred {
  const error = operandError(types, 2, allowed) ?? sameDTypeError(types);
  if (error !== null) return error;
  const shape = broadcastDims(types);
  if (!isDims(shape)) return shape;
  const first = types[0] as TensorType;
  return [shape === first.shape && result === null ? first : tensor(result ?? first.dtype, shape)];
}

function pairSamples<K extends BinaryOp>(allowed: readonly DType[], range: Range): readonly Sample<K>[] {
  return allowed.flatMap((dtype) => broadcasts.map((shapes) => sample<K>(shapes, dtype, range)));
}

function sample<K extends UnaryOp | BinaryOp>(shapes: readonly (readonly number[])[], dtype: DType, [low, high]: Range): Sample<K> {
  const attributes = {} as OpAttributes[K & OpName];
  return { inputs: shapes.map((shape) => ({ dtype, shape, low, high })), attributes };
}
