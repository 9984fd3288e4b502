import type { OnnxLowering } from "../emit/onnx-lowering.ts";
import type { TensorFlowLowering } from "../emit/tensorflow-lowering.ts";
import type { TensorType } from "../ir/graph.ts";
import type { NdArray } from "../ir/ndarray.ts";
import type { OpAttributes, OpName } from "./attributes.ts";
import type { Vjp } from "./vjp.ts";

/** Why an op does not fit its operands; the checker turns it into a diagnostic with the source places of the operands. */
export interface ShapeError {
  readonly problem: "dim" | "rank" | "dtype" | "axis" | "count" | "element-count" | "range";
  /** A sentence without source places: `the inner dims 64 and 128 differ`. */
  readonly message: string;
  /** The operands (and axes of them) in conflict, most telling first. */
  readonly operands: readonly { readonly input: number; readonly axis: number | null }[];
}

export interface OpDefinition<K extends OpName> {
  /** Output types, or why there are none. */
  readonly infer: (types: readonly TensorType[], attributes: OpAttributes[K]) => readonly TensorType[] | ShapeError;
  /** Values in float64; dims of attributes take their values from `context.symbols`. */
  readonly evaluate: Evaluate<K>;
  readonly vjp: Vjp<K>;
  readonly onnx: OnnxLowering<K>;
  readonly tfjs: TensorFlowLowering<K>;
  /** Operands that generate the op's tests. */
  readonly samples: () => readonly Sample<K>[];
}

/** The rows of one family, by name; `table.ts` joins the families. */
export type OpRows<K extends OpName> = { readonly [P in K]: OpDefinition<P> };

export type Evaluate<K extends OpName> = (
  inputs: readonly NdArray[],
  attributes: OpAttributes[K],
  context: EvaluateContext,
) => readonly NdArray[];

/** What evaluation needs beside operands: dim symbols, and how to run a loop body. */
export interface EvaluateContext {
  readonly symbols: ReadonlyMap<string, number>;
  readonly runBody: (body: OpAttributes["scan"]["body"], inputs: readonly NdArray[]) => readonly NdArray[];
  /** The next random number in [0, 1), for initialisers. */
  readonly random: () => number;
}

/** A dim of samples that stands for the batch: generated tests also run them with a symbol in its place. */
export const batch = 7;

export interface Sample<K extends OpName> {
  readonly inputs: readonly {
    readonly dtype: TensorType["dtype"];
    readonly shape: readonly number[];
    readonly low?: number;
    readonly high?: number;
  }[];
  readonly attributes: OpAttributes[K];
}

export function isShapeError(result: readonly unknown[] | ShapeError): result is ShapeError {
  return !Array.isArray(result);
}
