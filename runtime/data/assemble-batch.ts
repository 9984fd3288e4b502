import { type Batch, makeTensor, type Tensor } from "../engine.ts";
import type { PackedRows, TensorLayout } from "./row-layout.ts";

/** The tensors of the first `count` packed rows. An open dim is as long as the longest row of the batch needs, at least 1. */
export function assembleBatch(tensors: readonly TensorLayout[], rows: PackedRows, count: number): Batch {
  const steps = new Map<string, number>();
  for (const { symbol, lengthOffset } of tensors) {
    if (symbol === null || lengthOffset < 0) continue;
    let longest = steps.get(symbol) ?? 1;
    for (let row = 0; row < count; row++) longest = Math.max(longest, rows.ints[row * rows.intWidth + lengthOffset] ?? 0);
    steps.set(symbol, longest);
  }
  return new Map(tensors.map((tensor) => [tensor.name, assemble(tensor, rows, count, steps)]));
}

function assemble(tensor: TensorLayout, rows: PackedRows, count: number, steps: ReadonlyMap<string, number>): Tensor {
  const { dtype, rowShape, symbol, offset, fill, width } = tensor;
  const shape = symbol === null ? rowShape : [steps.get(symbol) ?? 1, ...rowShape.slice(1)];
  const taken = symbol === null ? width : shape.reduce((product, dim) => product * dim, 1);
  const isFloat = dtype === "f32";
  const size = count * taken;
  const data = isFloat ? new Float32Array(size) : dtype === "i32" ? new Int32Array(size) : new Uint8Array(size);
  if (offset < 0) data.fill(fill);
  else {
    const [from, stride] = isFloat ? [rows.floats, rows.floatWidth] : [rows.ints, rows.intWidth];
    // a wider open dim than this tensor has keeps its zeros
    const copied = Math.min(taken, width);
    for (let row = 0; row < count; row++) {
      const at = row * stride + offset;
      if (copied === 1) data[row * taken] = from[at] as number;
      else data.set(from.subarray(at, at + copied), row * taken);
    }
  }
  return makeTensor(dtype, [count, ...shape], data);
}
