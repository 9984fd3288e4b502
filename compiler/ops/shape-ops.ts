import { addDims, type Dim, dimsEqual, formatDim, formatShape, multiplyDims, subtractDims } from "../ir/dim.ts";
import type { TensorType, Value } from "../ir/graph.ts";
import { aroundAxis, at, broadcastTo, evaluateShape, gatherStrided, makeArray, type NdArray, sizeOf, stridesOf } from "../ir/ndarray.ts";
import { batch, type OpRows } from "./op.ts";
import {
  axisError,
  countError,
  dimAt,
  dimsError,
  dtypeError,
  type Inferred,
  provablyNonNegative,
  sameDTypeError,
  shapeError,
  tensor,
} from "./shape-rules.ts";
import { each, nonDifferentiable } from "./vjp.ts";

/** Ops that move values and compute none. */
export const shapeOps: OpRows<"concat" | "slice" | "reshape" | "transpose" | "expand" | "gather" | "scatter_add" | "one_hot"> = {
  concat: {
    infer: inferConcat,
    evaluate: (inputs, { axis }) => [concat(inputs, axis)],
    vjp: ({ g, inputs, dy, attributes: { axis }, wants }) => {
      let start: Dim = 0;
      return inputs.map((part, operand) => {
        const [from, to] = [start, addDims(start, part.type.shape[axis] as Dim)];
        start = to;
        return wants(operand) ? g.slice(dy, axis, from, to) : null;
      });
    },
    onnx: (onnx, inputs, { attributes: { axis } }) => (inputs.length === 1 ? (inputs[0] as string) : onnx.op("Concat", inputs, { axis })),
    tfjs: (tf, inputs, { attributes: { axis } }) =>
      inputs.length === 1 ? (inputs[0] as string) : tf.op("ConcatV2", [...inputs, tf.constant("i32", [], [axis])], { N: inputs.length }),
    samples: () => [
      { inputs: [f32([batch, 2]), f32([batch, 3])], attributes: { axis: 1 } },
      { inputs: [f32([batch, 2, 3]), f32([batch, 1, 3]), f32([batch, 4, 3])], attributes: { axis: 1 } },
      { inputs: [f32([batch, 3]), f32([2, 3])], attributes: { axis: 0 } },
      { inputs: [f32([batch, 3])], attributes: { axis: 0 } },
    ],
  },

  slice: {
    infer: (types, { axis, start, stop }) => {
      const error = countError(types, 1) ?? axisError(types, axis);
      if (error !== null) return error;
      const { dtype, shape } = types[0] as TensorType;
      const size = dimAt(types, 0, axis);
      const range = `${formatDim(start)}:${formatDim(stop)}`;
      const where = `axis ${axis} of ${formatShape(shape)}`;
      if (!provablyNonNegative(start)) return shapeError("range", `the range ${range} of ${where} may start before 0`, [0, axis]);
      if (!provablyNonNegative(subtractDims(stop, start)))
        return shapeError("range", `the range ${range} of ${where} may end before it starts`, [0, axis]);
      if (!provablyNonNegative(subtractDims(size, stop))) {
        const isSure = typeof size === "number" && typeof stop === "number";
        const reason = isSure ? "goes past the end" : `cannot be shown to end within ${formatDim(size)}`;
        return shapeError("range", `the range ${range} of ${where} ${reason}`, [0, axis]);
      }
      return [tensor(dtype, shape.with(axis, subtractDims(stop, start)))];
    },
    evaluate: ([x], { axis, start, stop }, { symbols }) => {
      const [first, last] = evaluateShape([start, stop], symbols) as [number, number];
      return [slice(x as NdArray, axis, first, last)];
    },
    // dy between zeros
    vjp: each(({ g, x, dy, attributes: { axis, start, stop } }) => {
      const { shape } = x.type;
      const zeros = (length: Dim) => (length === 0 ? [] : [g.full(shape.with(axis, length), 0)]);
      return g.concat([...zeros(start), dy, ...zeros(subtractDims(shape[axis] as Dim, stop))], axis);
    }),
    onnx: (onnx, [x], { inputs: [value], attributes: { axis, start, stop } }) => {
      const size = value?.type.shape[axis] as Dim;
      const bound = (dim: Dim): string => {
        if (typeof dim === "number") return onnx.ints([dim]);
        const fromEnd = subtractDims(dim, size);
        if (fromEnd === 0) return onnx.ints([Number.MAX_SAFE_INTEGER]);
        return typeof fromEnd === "number" && fromEnd < 0 ? onnx.ints([fromEnd]) : onnx.shape([dim]);
      };
      return onnx.op("Slice", [x as string, bound(start), bound(stop), onnx.ints([axis])]);
    },
    // A size of -1 stands for "to the end".
    tfjs: (tf, [x], { inputs: [value], attributes: { axis, start, stop } }) => {
      const { shape } = (value as Value).type;
      const begin = shape.map((_, i) => (i === axis ? start : 0));
      const isToEnd = dimsEqual(stop, shape[axis] as Dim) && !dimsEqual(start, stop);
      const size = shape.map((_, i) => (i === axis && !isToEnd ? subtractDims(stop, start) : -1));
      return tf.op("Slice", [x as string, tf.shape(begin), tf.shape(size)]);
    },
    samples: () => [
      { inputs: [f32([batch, 5])], attributes: { axis: 1, start: 1, stop: 4 } },
      { inputs: [f32([batch, 5])], attributes: { axis: 0, start: 0, stop: 1 } },
      { inputs: [f32([2, batch, 3])], attributes: { axis: 1, start: 0, stop: batch } },
      { inputs: [f32([2, 4, 3])], attributes: { axis: 1, start: 2, stop: 2 } },
    ],
  },

  reshape: {
    infer: (types, { shape }) => {
      const error = countError(types, 1) ?? dimsError(shape);
      if (error !== null) return error;
      const from = types[0] as TensorType;
      if (dimsEqual(elementCount(from.shape), elementCount(shape))) return [tensor(from.dtype, shape)];
      const counts = `${formatDim(elementCount(from.shape))} values do not make ${formatDim(elementCount(shape))}`;
      return shapeError("element-count", `${formatShape(from.shape)} cannot take the shape ${formatShape(shape)}: ${counts}`, [0]);
    },
    evaluate: ([x], { shape }, { symbols }) => [makeArray(evaluateShape(shape, symbols), (x as NdArray).data)],
    vjp: each(({ g, x, dy }) => g.reshape(dy, x.type.shape)),
    onnx: (onnx, [x], { inputs: [value], attributes: { shape } }) => {
      const target = reshapeTarget(value?.type.shape ?? [], shape);
      return onnx.op("Reshape", [x as string, target === null ? onnx.shape(shape) : onnx.ints(target)]);
    },
    tfjs: (tf, [x], { attributes: { shape } }) => tf.reshape(x as string, shape),
    samples: () => [
      { inputs: [f32([batch, 6])], attributes: { shape: [batch, 2, 3] } },
      { inputs: [f32([batch, 2, 3])], attributes: { shape: [batch, 6] } },
      { inputs: [f32([4, batch, 3])], attributes: { shape: [2, 2, batch, 3] } },
      { inputs: [f32([batch, 4])], attributes: { shape: [2, batch, 2] } },
      { inputs: [f32([1, 1])], attributes: { shape: [] } },
      { inputs: [f32([])], attributes: { shape: [1, 1] } },
    ],
  },

  transpose: {
    infer: (types, { permutation }) => {
      const error = countError(types, 1);
      if (error !== null) return error;
      const { dtype, shape } = types[0] as TensorType;
      const isPermutation = permutation.length === shape.length && shape.every((_, axis) => permutation.includes(axis));
      if (!isPermutation)
        return shapeError("axis", `[${permutation.join(", ")}] does not name each axis of ${formatShape(shape)} once`, [0]);
      return [
        tensor(
          dtype,
          permutation.map((axis) => shape[axis] as Dim),
        ),
      ];
    },
    evaluate: ([x], { permutation }) => {
      const { shape } = x as NdArray;
      const strides = stridesOf(shape);
      return [
        gatherStrided(
          x as NdArray,
          permutation.map((axis) => at(shape, axis)),
          permutation.map((axis) => at(strides, axis)),
        ),
      ];
    },
    vjp: each(({ g, dy, attributes: { permutation } }) =>
      g.transpose(
        dy,
        permutation.map((_, axis) => permutation.indexOf(axis)),
      ),
    ),
    onnx: (onnx, inputs, { attributes: { permutation } }) =>
      permutation.length === 0 ? inputs : onnx.op("Transpose", inputs, { perm: permutation }),
    tfjs: (tf, [x], { attributes: { permutation } }) =>
      permutation.length === 0 ? (x as string) : tf.op("Transpose", [x as string, tf.ints(permutation)]),
    samples: () => [
      { inputs: [f32([batch, 3])], attributes: { permutation: [1, 0] } },
      { inputs: [f32([batch, 2, 3])], attributes: { permutation: [1, 0, 2] } },
      { inputs: [f32([2, batch, 3, 4])], attributes: { permutation: [3, 1, 0, 2] } },
    ],
  },

  expand: {
    infer: (types, { shape }) => {
      const error = countError(types, 1) ?? dimsError(shape);
      if (error !== null) return error;
      const from = types[0] as TensorType;
      const missing = shape.length - from.shape.length;
      if (missing < 0) return shapeError("rank", `${formatShape(from.shape)} has more axes than ${formatShape(shape)}`, [0]);
      const wrong = from.shape.findIndex((dim, axis) => dim !== 1 && !dimsEqual(dim, shape[missing + axis] as Dim));
      if (wrong < 0) return [tensor(from.dtype, shape)];
      const dims = `${formatDim(from.shape[wrong] as Dim)} is neither 1 nor ${formatDim(shape[missing + wrong] as Dim)}`;
      return shapeError("dim", `${formatShape(from.shape)} does not stretch to ${formatShape(shape)}: ${dims}`, [0, wrong]);
    },
    evaluate: ([x], { shape }, { symbols }) => [broadcastTo(x as NdArray, evaluateShape(shape, symbols))],
    vjp: each(({ dy }) => dy),
    onnx: (onnx, [x], { inputs: [value], attributes: { shape } }) => {
      // Where the operand has the dim already, Expand takes a 1.
      const from = value?.type.shape ?? [];
      const target = shape.map((dim, axis) => (dimsEqual(dim, from[axis - shape.length + from.length] ?? 1) ? 1 : dim));
      return target.every((dim) => dim === 1) && from.length === shape.length
        ? (x as string)
        : onnx.op("Expand", [x as string, onnx.shape(target)]);
    },
    tfjs: (tf, [x], { inputs: [value], attributes: { shape } }) => tf.broadcast(x as string, (value as Value).type, shape),
    samples: () => [
      { inputs: [f32([1, 3])], attributes: { shape: [batch, 3] } },
      { inputs: [f32([3])], attributes: { shape: [batch, 2, 3] } },
      { inputs: [f32([batch, 1])], attributes: { shape: [batch, 4] } },
      { inputs: [f32([])], attributes: { shape: [2, 2] } },
    ],
  },

  gather: {
    infer: (types, { axis }) => {
      const error = countError(types, 2) ?? axisError(types, axis);
      if (error !== null) return error;
      const [table, indices] = types as readonly [TensorType, TensorType];
      if (indices.dtype !== "i32") return dtypeError(indices, 1, ["i32"]);
      return [tensor(table.dtype, table.shape.toSpliced(axis, 1, ...indices.shape))];
    },
    evaluate: ([table, indices], { axis }) => [gather(table as NdArray, indices as NdArray, axis)],
    vjp: each(({ g, x: table, b: indices, dy, attributes: { axis } }) =>
      g.op("scatter_add", [dy, indices], { axis, length: dimAt([table.type], 0, axis) }),
    ),
    onnx: (onnx, inputs, { attributes: { axis } }) => onnx.op("Gather", inputs, { axis }),
    tfjs: (tf, inputs, { attributes: { axis } }) => tf.op("GatherV2", [...inputs, tf.constant("i32", [], [axis])], { batch_dims: 0 }),
    samples: () => [
      { inputs: [f32([5, 3]), ids([batch], 5)], attributes: { axis: 0 } },
      { inputs: [f32([5, 3]), ids([batch, 2], 5)], attributes: { axis: 0 } },
      { inputs: [f32([batch, 4, 3]), ids([2], 4)], attributes: { axis: 1 } },
      { inputs: [f32([5]), ids([], 5)], attributes: { axis: 0 } },
    ],
  },

  // Indices that repeat are summed.
  scatter_add: {
    infer: (types, { axis, length }) => {
      const error = countError(types, 2) ?? dimsError([length]);
      if (error !== null) return error;
      const [rows, indices] = types as readonly [TensorType, TensorType];
      if (rows.dtype !== "f32") return dtypeError(rows, 0, ["f32"]);
      if (indices.dtype !== "i32") return dtypeError(indices, 1, ["i32"]);
      const wrong = indices.shape.findIndex((dim, i) => !dimsEqual(dim, rows.shape[axis + i] ?? -1));
      if (wrong < 0) return [tensor("f32", rows.shape.toSpliced(axis, indices.shape.length, length))];
      return shapeError(
        "dim",
        `${formatShape(rows.shape)} has no row on axis ${axis} for each of ${formatShape(indices.shape)} indices`,
        [0],
        [1],
      );
    },
    evaluate: ([rows, indices], { axis, length }, { symbols }) => {
      const [count] = evaluateShape([length], symbols) as [number];
      return [scatterAdd(rows as NdArray, indices as NdArray, axis, count)];
    },
    vjp: each(({ g, b: indices, dy, attributes: { axis } }) => g.op("gather", [dy, indices], { axis })),
    onnx: (onnx, [rows, indices], { inputs: [value, at], attributes: { axis, length } }) => {
      const { outer, count, inner, result } = scatterShapes(value as Value, at as Value, axis, length);
      const zeros = onnx.op("Expand", [onnx.constant("f32", [], [0]), onnx.shape([outer, length, inner])]);
      const column = onnx.op("Reshape", [onnx.op("Cast", [indices as string], { to: 7 }), onnx.shape([1, count, 1])]);
      const places = onnx.op("Expand", [column, onnx.shape([outer, count, inner])]);
      const flat = onnx.op("Reshape", [rows as string, onnx.shape([outer, count, inner])]);
      const sums = onnx.op("ScatterElements", [zeros, places, flat], { axis: 1, reduction: "add" });
      return onnx.op("Reshape", [sums, onnx.shape(result)]);
    },
    tfjs: (tf, [rows, indices], { inputs: [value, at], attributes: { axis, length } }) => {
      const { outer, count, inner, result } = scatterShapes(value as Value, at as Value, axis, length);
      const swapped = tf.ints([1, 0, 2]);
      const first = tf.op("Transpose", [tf.reshape(rows as string, [outer, count, inner]), swapped]);
      const places = tf.reshape(indices as string, [count, 1]);
      const sums = tf.op("ScatterNd", [places, first, tf.shape([length, outer, inner])]);
      return tf.reshape(tf.op("Transpose", [sums, swapped]), result);
    },
    samples: () => [
      { inputs: [f32([batch, 3]), ids([batch], 4)], attributes: { axis: 0, length: 5 } },
      { inputs: [f32([batch, 2, 3]), ids([batch, 2], 5)], attributes: { axis: 0, length: 5 } },
      { inputs: [f32([batch, 2, 3]), ids([2], 4)], attributes: { axis: 1, length: 4 } },
      { inputs: [f32([batch, 6]), ids([6], 2)], attributes: { axis: 1, length: 3 } },
      { inputs: [f32([3]), ids([], 5)], attributes: { axis: 0, length: 5 } },
    ],
  },

  one_hot: {
    infer: (types, { depth }) => {
      const error = countError(types, 1) ?? dimsError([depth]);
      if (error !== null) return error;
      const indices = types[0] as TensorType;
      return indices.dtype === "i32" ? [tensor("f32", [...indices.shape, depth])] : dtypeError(indices, 0, ["i32"]);
    },
    // Ids outside [0, depth) give a row of zeros.
    evaluate: ([indices], { depth }, { symbols }) => {
      const [width] = evaluateShape([depth], symbols) as [number];
      const { shape, data } = indices as NdArray;
      const out = makeArray([...shape, width]);
      data.forEach((id, row) => {
        if (id >= 0 && id < width) out.data[row * width + id] = 1;
      });
      return [out];
    },
    vjp: nonDifferentiable("takes whole numbers"),
    onnx: (onnx, [indices], { attributes: { depth } }) => {
      const classes =
        typeof depth === "number"
          ? onnx.constant(
              "i32",
              [depth],
              Array.from({ length: depth }, (_, i) => i),
            )
          : onnx.op("Cast", [onnx.op("Range", [onnx.constant("i64", [], [0]), onnx.dim(depth), onnx.constant("i64", [], [1])])], { to: 6 });
      const column = onnx.op("Unsqueeze", [indices as string, onnx.ints([-1])]);
      return onnx.op("Cast", [onnx.op("Equal", [column, classes])], { to: 1 });
    },
    // The kernel OneHot of wasm leaves what was in the memory before where it should write zeros.
    tfjs: (tf, [indices], { inputs: [value], attributes: { depth } }) => {
      const classes = tf.op("Range", [tf.constant("i32", [], [0]), tf.dim(depth), tf.constant("i32", [], [1])], { Tidx: { dtype: "i32" } });
      const column = tf.reshape(indices as string, [...(value as Value).type.shape, 1]);
      return tf.op("Cast", [tf.op("Equal", [column, classes])], { SrcT: { dtype: "bool" }, DstT: { dtype: "f32" } });
    },
    samples: () => [
      { inputs: [ids([batch], 4)], attributes: { depth: 4 } },
      { inputs: [{ dtype: "i32", shape: [batch, 2], low: -2, high: 6 }], attributes: { depth: 5 } },
      { inputs: [ids([], 3)], attributes: { depth: 3 } },
    ],
  },
};

/** The axes of rows as three: those before the axis, the indices', and those after. */
function scatterShapes(rows: Value, indices: Value, axis: number, length: Dim) {
  const { shape } = rows.type;
  const rank = indices.type.shape.length;
  return {
    outer: elementCount(shape.slice(0, axis)),
    count: elementCount(indices.type.shape),
    inner: elementCount(shape.slice(axis + rank)),
    result: shape.toSpliced(axis, rank, length),
  };
}

function f32(shape: readonly number[]) {
  return { dtype: "f32", shape, low: -2, high: 2 } as const;
}

function ids(shape: readonly number[], vocabulary: number) {
  return { dtype: "i32", shape, low: 0, high: vocabulary - 1 } as const;
}

function inferConcat(types: readonly TensorType[], { axis }: { readonly axis: number }): Inferred {
  if (types.length === 0) return shapeError("count", "there is nothing to concatenate");
  const error = axisError(types, axis) ?? sameDTypeError(types);
  if (error !== null) return error;
  const first = types[0] as TensorType;
  let total: Dim = 0;
  for (const [input, { shape }] of types.entries()) {
    if (shape.length !== first.shape.length) {
      const shapes = `${formatShape(first.shape)} and ${formatShape(shape)}`;
      return shapeError("rank", `parts must have the same rank, and ${shapes} differ`, [input], [0]);
    }
    const wrong = shape.findIndex((dim, i) => i !== axis && !dimsEqual(dim, first.shape[i] as Dim));
    if (wrong >= 0) {
      const shapes = `${formatShape(first.shape)} and ${formatShape(shape)}`;
      return shapeError(
        "dim",
        `parts may differ along axis ${axis} only, and ${shapes} differ on axis ${wrong}`,
        [input, wrong],
        [0, wrong],
      );
    }
    total = addDims(total, shape[axis] as Dim);
  }
  return [tensor(first.dtype, first.shape.with(axis, total))];
}

export function elementCount(shape: readonly Dim[]): Dim {
  return shape.reduce<Dim>(multiplyDims, 1);
}

/** The target of an ONNX Reshape without computed dims: 0 keeps the dim of that axis, one -1 stands for the rest. Null where that is not enough. */
function reshapeTarget(from: readonly Dim[], to: readonly Dim[]): readonly number[] | null {
  let inferred = 0;
  const target = to.map((dim, axis) => {
    if (typeof dim === "number") return dim;
    if (axis < from.length && dimsEqual(dim, from[axis] as Dim)) return 0;
    inferred++;
    return -1;
  });
  return inferred > 1 || to.includes(0) ? null : target;
}

export function concat(parts: readonly NdArray[], axis: number): NdArray {
  const first = parts[0] as NdArray;
  const total = parts.reduce((sum, part) => sum + at(part.shape, axis), 0);
  const out = makeArray(first.shape.with(axis, total));
  const { outer, inner } = aroundAxis(first.shape, axis);
  let start = 0;
  for (const part of parts) {
    const run = at(part.shape, axis) * inner;
    for (let block = 0; block < outer; block++)
      out.data.set(part.data.subarray(block * run, (block + 1) * run), block * total * inner + start);
    start += run;
  }
  return out;
}

export function slice(x: NdArray, axis: number, start: number, stop: number): NdArray {
  const out = makeArray(x.shape.with(axis, stop - start));
  const { outer, length, inner } = aroundAxis(x.shape, axis);
  const run = (stop - start) * inner;
  for (let block = 0; block < outer; block++) {
    const from = (block * length + start) * inner;
    out.data.set(x.data.subarray(from, from + run), block * run);
  }
  return out;
}

function gather(table: NdArray, indices: NdArray, axis: number): NdArray {
  const out = makeArray(table.shape.toSpliced(axis, 1, ...indices.shape));
  const { outer, length, inner } = aroundAxis(table.shape, axis);
  const count = sizeOf(indices.shape);
  indices.data.forEach((index, i) => {
    if (!(index >= 0 && index < length)) throw new RangeError(`index ${index} is outside of the ${length} rows it selects from`);
    for (let block = 0; block < outer; block++) {
      const from = (block * length + index) * inner;
      out.data.set(table.data.subarray(from, from + inner), (block * count + i) * inner);
    }
  });
  return out;
}

function scatterAdd(rows: NdArray, indices: NdArray, axis: number, length: number): NdArray {
  const rank = indices.shape.length;
  const out = makeArray(rows.shape.toSpliced(axis, rank, length));
  const outer = sizeOf(rows.shape.slice(0, axis));
  const inner = sizeOf(rows.shape.slice(axis + rank));
  const count = sizeOf(indices.shape);
  indices.data.forEach((index, i) => {
    if (!(index >= 0 && index < length)) throw new RangeError(`index ${index} is outside of the ${length} rows it adds to`);
    for (let block = 0; block < outer; block++) {
      const [from, to] = [(block * count + i) * inner, (block * length + index) * inner];
      for (let j = 0; j < inner; j++) out.data[to + j] = (out.data[to + j] as number) + (rows.data[from + j] as number);
    }
  });
  return out;
}
