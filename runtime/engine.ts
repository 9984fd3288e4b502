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

export function makeTensor(dtype: DType, shape: readonly number[], values: ArrayLike<number>): Tensor {
  if (dtype === "f32") return { dtype, shape, data: values instanceof Float32Array ? values : Float32Array.from(values) };
  if (dtype === "i32") return { dtype, shape, data: values instanceof Int32Array ? values : Int32Array.from(values) };
  return { dtype, shape, data: values instanceof Uint8Array ? values : Uint8Array.from(values) };
}
