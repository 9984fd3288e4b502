import { type Dim, dimsEqual, formatDim, formatShape, multiplyDims } from "../ir/dim.ts";
import type { TensorType, Value } from "../ir/graph.ts";
import { at, broadcastShapes, broadcastStrides, makeArray, type NdArray, sizeOf, stridesOf } from "../ir/ndarray.ts";
import { batch, type OpRows, type Sample } from "./op.ts";
import { elementCount } from "./shape-ops.ts";
import { broadcastDims, dimAt, isDims, operandError, shapeAt, shapeError, tensor } from "./shape-rules.ts";
import { each } from "./vjp.ts";

export const linearAlgebra: OpRows<"matmul"> = {
  matmul: {
    infer: (types) => {
      const error = operandError(types, 2, ["f32"]);
      if (error !== null) return error;
      const flat = [0, 1].find((input) => shapeAt(types, input).length < 2);
      if (flat !== undefined) {
        return shapeError("rank", `a matrix product takes operands of rank 2 or more, not ${formatShape(shapeAt(types, flat))}`, [flat]);
      }
      const [rankA, rankB] = [shapeAt(types, 0).length, shapeAt(types, 1).length];
      const [left, right] = [dimAt(types, 0, rankA - 1), dimAt(types, 1, rankB - 2)];
      if (!dimsEqual(left, right)) {
        const shapes = `${formatShape(shapeAt(types, 0))} @ ${formatShape(shapeAt(types, 1))}`;
        return shapeError(
          "dim",
          `in ${shapes} the inner dims ${formatDim(left)} and ${formatDim(right)} differ`,
          [0, rankA - 1],
          [1, rankB - 2],
        );
      }
      const leading = broadcastDims(types, 2);
      return isDims(leading) ? [tensor("f32", [...leading, dimAt(types, 0, rankA - 2), dimAt(types, 1, rankB - 1)])] : leading;
    },
    evaluate: ([a, b]) => [matmul(a as NdArray, b as NdArray)],
    vjp: each(
      ({ g, b, dy }) => g.matmul(dy, g.transposeLast(b)),
      ({ g, a, b, dy }) => {
        if (b.type.shape.length > 2) return g.matmul(g.transposeLast(a), dy);
        // One matrix for all: one product over all rows, and no product for each of them to be summed afterwards.
        const rows = (x: Value) => g.reshape(x, [elementCount(x.type.shape.slice(0, -1)), x.type.shape.at(-1) as Dim]);
        return g.matmul(g.transposeLast(rows(a)), rows(dy));
      },
    ),
    onnx: (onnx, inputs) => onnx.op("MatMul", inputs),
    tfjs: (tf, [a, b], { inputs, outputs }) => {
      const [typeA, typeB, result] = [...inputs, ...outputs].map((value) => value.type) as [TensorType, TensorType, TensorType];
      // The same matrix for all: one product of rank 2.
      if (typeB.shape.length === 2) {
        if (typeA.shape.length === 2) return tf.op("MatMul", [a as string, b as string]);
        const [inner, columns] = typeB.shape as [Dim, Dim];
        const rows = multiplyDims(elementCount(typeA.shape.slice(0, -2)), typeA.shape[typeA.shape.length - 2] as Dim);
        const product = tf.op("MatMul", [tf.reshape(a as string, [rows, inner]), b as string]);
        return tf.reshape(product, [...result.shape.slice(0, -1), columns]);
      }
      const leading = result.shape.slice(0, -2);
      const operands = [
        [a as string, typeA],
        [b as string, typeB],
      ] as const;
      return tf.op(
        "BatchMatMulV2",
        operands.map(([x, type]) => tf.broadcast(x, type, [...leading, ...type.shape.slice(-2)])),
      );
    },
    samples: () => [
      matmulSample([batch, 4], [4, 5]),
      matmulSample([batch, 3, 4], [4, 2]),
      matmulSample([batch, 3, 4], [batch, 4, 2]),
      matmulSample([batch, 1, 1, 4], [3, 4, 2]),
      matmulSample([2, 1, 3, 4], [batch, 4, 2]),
    ],
  },
};

function matmulSample(a: readonly number[], b: readonly number[]): Sample<"matmul"> {
  return { inputs: [a, b].map((shape) => ({ dtype: "f32", shape, low: -2, high: 2 })), attributes: {} };
}

/** Leading axes broadcast; each product walks rows of b, so that the inner loop is contiguous. */
export function matmul(a: NdArray, b: NdArray): NdArray {
  const leading = broadcastShapes([a.shape.slice(0, -2), b.shape.slice(0, -2)]);
  const rows = at(a.shape, a.shape.length - 2);
  const inner = at(a.shape, a.shape.length - 1);
  const columns = at(b.shape, b.shape.length - 1);
  const out = makeArray([...leading, rows, columns]);
  const strides = stridesOf(leading);
  const stridesA = broadcastStrides(a.shape.slice(0, -2), leading);
  const stridesB = broadcastStrides(b.shape.slice(0, -2), leading);
  for (let block = 0; block < sizeOf(leading); block++) {
    let [blockA, blockB] = [0, 0];
    leading.forEach((size, axis) => {
      const position = Math.floor(block / at(strides, axis)) % size;
      blockA += position * at(stridesA, axis);
      blockB += position * at(stridesB, axis);
    });
    multiply(
      a.data.subarray(blockA * rows * inner, (blockA + 1) * rows * inner),
      b.data.subarray(blockB * inner * columns, (blockB + 1) * inner * columns),
      out.data.subarray(block * rows * columns, (block + 1) * rows * columns),
      { rows, inner, columns },
    );
  }
  return out;
}

interface ProductSize {
  readonly rows: number;
  readonly inner: number;
  readonly columns: number;
}

/** out += a @ b, four rows of b at a time: each pass over a row of out then does four products. */
function multiply(a: Float64Array, b: Float64Array, out: Float64Array, { rows, inner, columns }: ProductSize): void {
  const blocked = inner - (inner % 4);
  for (let row = 0; row < rows; row++) {
    const to = row * columns;
    const from = row * inner;
    for (let k = 0; k < blocked; k += 4) {
      const [a0, a1, a2, a3] = [a[from + k] as number, a[from + k + 1] as number, a[from + k + 2] as number, a[from + k + 3] as number];
      const b0 = k * columns;
      const b1 = b0 + columns;
      const b2 = b1 + columns;
      const b3 = b2 + columns;
      for (let c = 0; c < columns; c++) {
        const sum = a0 * (b[b0 + c] as number) + a1 * (b[b1 + c] as number) + a2 * (b[b2 + c] as number) + a3 * (b[b3 + c] as number);
        out[to + c] = (out[to + c] as number) + sum;
      }
    }
    for (let k = blocked; k < inner; k++) {
      const factor = a[from + k] as number;
      for (let c = 0; c < columns; c++) out[to + c] = (out[to + c] as number) + factor * (b[k * columns + c] as number);
    }
  }
}
