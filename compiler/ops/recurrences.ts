import { fixedLength, type TensorFlowContext } from "../emit/tensorflow-lowering.ts";
import { type Dim, dimsEqual, formatDim, formatShape, subtractDims } from "../ir/dim.ts";
import type { Body, TensorType, Value } from "../ir/graph.ts";
import { aroundAxis, at, makeArray, type NdArray, read } from "../ir/ndarray.ts";
import type { OpAttributes } from "./attributes.ts";
import { batch, type EvaluateContext, type OpRows, type ShapeError } from "./op.ts";
import { reverseScan } from "./reverse-scan.ts";
import { slice } from "./shape-ops.ts";
import { axisError, dimAt, formatType, type Inferred, operandError, shapeAt, shapeError, tensor } from "./shape-rules.ts";
import type { VjpCall } from "./vjp.ts";

export const recurrences: OpRows<"linear_scan" | "scan"> = {
  linear_scan: {
    infer: (types, { axis }) => {
      const error = operandError(types, 2, ["f32"]) ?? axisError(types, axis);
      if (error !== null) return error;
      const [a, b] = [shapeAt(types, 0), shapeAt(types, 1)];
      if (sameShape(a, b)) return [types[0] as TensorType];
      const wrong = a.length === b.length ? a.findIndex((dim, i) => !dimsEqual(dim, b[i] as Dim)) : null;
      const shapes = `${formatShape(a)} and ${formatShape(b)}`;
      if (wrong === null) return shapeError("rank", `a and b of h = a·h + b must have the same shape, and ${shapes} differ`, [0], [1]);
      return shapeError("dim", `a and b of h = a·h + b must have the same shape, and ${shapes} differ`, [0, wrong], [1, wrong]);
    },
    // h_t = a_t h_{t-1} + b_t, h before the first being 0
    evaluate: ([a, b], { axis }) => [linearScan(a as NdArray, b as NdArray, axis)],
    vjp: reverseLinearScan,
    onnx: (onnx, inputs, { inputs: [a], attributes: { axis } }) => {
      const shape = (a as Value).type.shape;
      const zero = onnx.op("Expand", [onnx.constant("f32", [], [0]), onnx.shape(shape.toSpliced(axis, 1))]);
      const body = onnx.subgraph(["f32", "f32", "f32"], ([h, at, bt]) => {
        const next = onnx.op("Add", [onnx.op("Mul", [at as string, h as string]), bt as string]);
        return [next, next].map((name) => ({ name, dtype: "f32" }));
      });
      const attributes = { body, num_scan_inputs: 2, scan_input_axes: [axis, axis], scan_output_axes: [axis] };
      return onnx.ops("Scan", [zero, ...inputs], attributes, 2).slice(1);
    },
    tfjs: (tf, [a, b], node) => {
      const { axis } = node.attributes;
      const length = fixedLength(node, 0, axis);
      const rank = (node.inputs[0] as Value).type.shape.length;
      const [factors, terms] = [a, b].map((of) => unstack(tf, of as string, rank, axis, length)) as [readonly string[], readonly string[]];
      const stacked: string[] = [];
      for (const [t, term] of terms.entries()) {
        const before = stacked[t - 1];
        stacked.push(before === undefined ? term : tf.op("AddV2", [tf.op("Mul", [factors[t] as string, before]), term]));
      }
      return stack(tf, stacked, axis);
    },
    samples: () => [
      { inputs: [factor([batch, 5]), factor([batch, 5])], attributes: { axis: 1 } },
      { inputs: [factor([batch, 5, 3]), factor([batch, 5, 3])], attributes: { axis: 1 } },
      { inputs: [factor([4, batch]), factor([4, batch])], attributes: { axis: 0 } },
      { inputs: [factor([4]), factor([4])], attributes: { axis: 0 } },
    ],
  },

  scan: {
    infer: inferScan,
    evaluate: runScan,
    vjp: reverseScan,
    onnx: (onnx, inputs, { attributes: { axis, states, final = 0, backward = false, body } }) => {
      const stacked = states - final;
      const dtypes = body.inputs.map((value) => value.type.dtype);
      const subgraph = onnx.subgraph(dtypes, (names) => {
        const results = onnx.lowerBody(body, names).map((name, i) => ({ name, dtype: dtypes[i] ?? "f32" }));
        return [...results, ...results.slice(0, stacked)];
      });
      const scanned = inputs.length - states;
      const attributes = {
        body: subgraph,
        num_scan_inputs: scanned,
        scan_input_axes: new Array<number>(scanned).fill(axis),
        scan_output_axes: new Array<number>(stacked).fill(axis),
        ...(backward
          ? { scan_input_directions: new Array<number>(scanned).fill(1), scan_output_directions: new Array<number>(stacked).fill(1) }
          : {}),
      };
      const results = onnx.ops("Scan", inputs, attributes, states + stacked);
      return [...results.slice(states), ...results.slice(stacked, states)];
    },
    tfjs: (tf, inputs, node) => {
      const { axis, states, final = 0, backward = false, body } = node.attributes;
      const length = fixedLength(node, states, axis);
      const steps = inputs
        .slice(states)
        .map((of, i) => unstack(tf, of, (node.inputs[states + i] as Value).type.shape.length, axis, length));
      const after: (readonly string[])[] = [];
      let state: readonly string[] = inputs.slice(0, states);
      for (const t of stepOrder(length, backward)) {
        state = tf.lowerBody(body, [...state, ...steps.map((of) => of[t] as string)]);
        after[t] = state;
      }
      const stacked = (i: number) => after.map((values) => values[i] as string);
      return state.map((last, i) => (i < states - final ? stack(tf, stacked(i), axis) : last));
    },
    // Bodies are graphs; scans are tested by hand.
    samples: () => [],
  },
};

/** The places along the axis in the order in which a loop comes to them. */
function stepOrder(length: number, backward: boolean): readonly number[] {
  return Array.from({ length }, (_, t) => (backward ? length - 1 - t : t));
}

/**
 * The slices along an axis, which goes first: then each is one piece of memory. In two steps, since on wasm every slice copies the whole tensor that it is
 * taken from: T slices of T steps would cost T², and this costs 2 T √T.
 */
function unstack(tf: TensorFlowContext, x: string, rank: number, axis: number, length: number): readonly string[] {
  const others = Array.from({ length: rank }, (_, i) => i).toSpliced(axis, 1);
  const first = axis === 0 ? x : tf.op("Transpose", [x, tf.ints([axis, ...others])]);
  const chunk = Math.ceil(Math.sqrt(length));
  const sizes = Array.from({ length: Math.ceil(length / chunk) }, (_, i) => Math.min(chunk, length - i * chunk));
  const chunks = tf.op("SplitV", [first, tf.ints(sizes), tf.constant("i32", [], [0])], { num_split: sizes.length });
  return sizes.flatMap((size, i) => {
    const steps = tf.op("Unpack", [outputOf(chunks, i)], { num: size, axis: 0 });
    return Array.from({ length: size }, (_, t) => outputOf(steps, t));
  });
}

function outputOf(node: string, index: number): string {
  return index === 0 ? node : `${node}:${index}`;
}

function stack(tf: TensorFlowContext, values: readonly string[], axis: number): string {
  return tf.op("Pack", values, { N: values.length, axis });
}

function factor(shape: readonly number[]) {
  return { dtype: "f32", shape, low: -1, high: 1 } as const;
}

function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, axis) => dimsEqual(dim, b[axis] as Dim));
}

function inferScan(types: readonly TensorType[], { axis, states, final = 0, body }: OpAttributes["scan"]): Inferred {
  if (states < 1) return shapeError("count", "a scan needs at least one state");
  if (types.length <= states) return shapeError("count", "a scan needs at least one tensor to go over");
  return scannedError(types, axis, states) ?? bodyError(types, axis, states, body) ?? stackStates(types, axis, states, final);
}

function scannedError(types: readonly TensorType[], axis: number, states: number): ShapeError | null {
  for (let input = states; input < types.length; input++) {
    const error = axisError(types, axis, input);
    if (error !== null) return error;
    const [first, length] = [dimAt(types, states, axis), dimAt(types, input, axis)];
    if (dimsEqual(first, length)) continue;
    const message = `the tensors scanned together are ${formatDim(first)} and ${formatDim(length)} long on axis ${axis}`;
    return shapeError("dim", message, [input, axis], [states, axis]);
  }
  return null;
}

function bodyError(types: readonly TensorType[], axis: number, states: number, body: Body): ShapeError | null {
  if (body.inputs.length !== types.length) {
    return shapeError("count", `the body takes ${body.inputs.length} values, and there are ${types.length} states and scanned tensors`);
  }
  if (body.results.length !== states) return shapeError("count", `the body gives ${body.results.length} values for ${states} states`);
  for (const [input, type] of types.entries()) {
    const expected = input < states ? type : tensor(type.dtype, type.shape.toSpliced(axis, 1));
    const taken = (body.inputs[input] as Value).type;
    if (!sameType(expected, taken))
      return shapeError("dim", `the body takes ${formatType(taken)} where it gets ${formatType(expected)}`, [input]);
  }
  for (const [state, { type }] of body.results.entries()) {
    const initial = types[state] as TensorType;
    if (sameType(initial, type)) continue;
    const dtypes = initial.dtype === type.dtype ? "dim" : "dtype";
    return shapeError(dtypes, `state ${state} starts as ${formatType(initial)} and the step makes it ${formatType(type)}`, [state]);
  }
  return null;
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

function stackStates(types: readonly TensorType[], axis: number, states: number, final: number): Inferred {
  const length = dimAt(types, states, axis);
  const flat = types.slice(0, states - final).findIndex(({ shape }) => shape.length < axis);
  if (flat >= 0) {
    const shape = formatShape(shapeAt(types, flat));
    return shapeError("axis", `states are stacked along axis ${axis}, and state ${flat} of shape ${shape} has too few axes for that`, [
      flat,
    ]);
  }
  return types
    .slice(0, states)
    .map((type, state) => (state < states - final ? tensor(type.dtype, type.shape.toSpliced(axis, 0, length)) : type));
}

function runScan(
  inputs: readonly NdArray[],
  { axis, states, final = 0, backward = false, body }: OpAttributes["scan"],
  context: EvaluateContext,
): readonly NdArray[] {
  const scanned = inputs.slice(states);
  const length = at((scanned[0] as NdArray).shape, axis);
  let state = inputs.slice(0, states);
  const stacked = state.slice(0, states - final).map(({ shape }) => makeArray(shape.toSpliced(axis, 0, length)));
  for (const t of stepOrder(length, backward)) {
    const steps = scanned.map((x) => makeArray(x.shape.toSpliced(axis, 1), slice(x, axis, t, t + 1).data));
    state = context.runBody(body, [...state, ...steps]).slice();
    for (const [i, out] of stacked.entries()) {
      const { outer, inner } = aroundAxis(out.shape, axis);
      const { data } = state[i] as NdArray;
      for (let block = 0; block < outer; block++)
        out.data.set(data.subarray(block * inner, (block + 1) * inner), (block * length + t) * inner);
    }
  }
  return [...stacked, ...state.slice(states - final)];
}

/**
 * With λ_t the whole derivative by h_t: λ_t = dy_t + a_{t+1} λ_{t+1}, which is the recurrence in reverse with a moved by one step; then db = λ and
 * da_t = λ_t h_{t-1}.
 */
function reverseLinearScan({ g, a, b, y: h, dy, attributes: { axis }, wants }: VjpCall<"linear_scan">): readonly (Value | null)[] {
  const { shape } = b.type;
  const zero = g.full(shape.with(axis, 1), 0);
  const beforeLast = subtractDims(shape[axis] as Dim, 1);
  const delayed = (x: Value) => (beforeLast === 0 ? zero : g.concat([zero, g.slice(x, axis, 0, beforeLast)], axis));
  const adjoint = g.op("linear_scan", [delayed(g.reverse(a, axis)), g.reverse(dy, axis)], { axis });
  const lambda = g.reverse(adjoint, axis);
  return [wants(0) ? g.mul(lambda, delayed(h)) : null, wants(1) ? lambda : null];
}

export function linearScan(a: NdArray, b: NdArray, axis: number): NdArray {
  const out = makeArray(a.shape);
  const { outer, length, inner } = aroundAxis(a.shape, axis);
  for (let block = 0; block < outer; block++) {
    const first = block * length * inner;
    out.data.set(b.data.subarray(first, first + inner), first);
    recur(out.data, a.data, b.data, { from: first + inner, to: first + length * inner, back: inner });
  }
  return out;
}

function recur(
  h: Float64Array,
  a: Float64Array,
  b: Float64Array,
  range: { readonly from: number; readonly to: number; readonly back: number },
): void {
  const { from, to, back } = range;
  for (let i = from; i < to; i++) h[i] = read(a, i) * read(h, i - back) + read(b, i);
}
