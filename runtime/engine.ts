import type { DType } from "../compiler/ir/graph.ts";

/** A concrete tensor, row-major. Bools are 0 or 1 in bytes. */
export type Tensor =
  | { readonly dtype: "f32"; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: "i32"; readonly shape: readonly number[]; readonly data: Int32Array }
  | { readonly dtype: "bool"; readonly shape: readonly number[]; readonly data: Uint8Array };

/** Tensors by name. */
export type Batch = ReadonlyMap<string, Tensor>;

/** Executes one compiled model. */
export interface Engine {
  readonly name: string;
  /** Runs the model on every input (optional ones filled in before) and gives the outputs asked for, or all of them. */
  run(inputs: Batch, outputs?: readonly string[]): Promise<Batch>;
  close(): Promise<void>;
}

/** Thrown when the optional package of an engine is not there; the message says how to install it. */
export class EngineMissing extends Error {}

/** Thrown by a run whose GPU went away, or whose wasm ran out of memory, and by every later run of that engine. */
export class DeviceLost extends Error {}

export function makeTensor(dtype: DType, shape: readonly number[], values: ArrayLike<number>): Tensor {
  if (dtype === "f32") return { dtype, shape, data: values instanceof Float32Array ? values : Float32Array.from(values) };
  if (dtype === "i32") return { dtype, shape, data: values instanceof Int32Array ? values : Int32Array.from(values) };
  return { dtype, shape, data: values instanceof Uint8Array ? values : Uint8Array.from(values) };
}

/** Lists in lists, as in JSON; one number for rank 0. */
export function tensorToLists(tensor: Tensor): unknown {
  const build = (axis: number, offset: number, size: number): unknown => {
    if (axis === tensor.shape.length) return tensor.dtype === "bool" ? tensor.data[offset] === 1 : tensor.data[offset];
    const length = tensor.shape[axis] ?? 0;
    const step = length === 0 ? 0 : size / length;
    return Array.from({ length }, (_, index) => build(axis + 1, offset + index * step, step));
  };
  return build(0, 0, tensor.data.length);
}
