import { type Diagnostic, makeDiagnostic } from "../../dsl/diagnostic.ts";
import { explainDim } from "../elaborate/explain-dim.ts";
import { type Dim, formatDim } from "../ir/dim.ts";
import type { Body, DType, NodeOf, TensorType, Value } from "../ir/graph.ts";
import type { OpName } from "../ops/attributes.ts";
import { targetCatalogue } from "./catalogue.ts";

/** TensorFlow nodes that compute an IR node; returns the names of its outputs, which may be names of its inputs. */
export type TensorFlowLowering<K extends OpName> = (
  tf: TensorFlowContext,
  inputs: readonly string[],
  node: NodeOf<K>,
) => string | readonly string[];

/** A number is an int. */
export type TensorFlowAttribute = number | boolean | { readonly dtype: DType } | { readonly shape: readonly Dim[] };
export type TensorFlowAttributes = Readonly<Record<string, TensorFlowAttribute>>;

export interface TensorFlowNode {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly attributes: TensorFlowAttributes;
}

/** What a lowering may do: append nodes and constants to the graph being written, and refer to tensors by name. */
export interface TensorFlowContext {
  /** Appends a node named after the IR node's path; the name is that of its first output, `name:1` that of its second. */
  op(type: string, inputs: readonly string[], attributes?: TensorFlowAttributes): string;
  constant(dtype: DType, shape: readonly number[], data: readonly number[]): string;
  /** i32[n] */
  ints(values: readonly number[]): string;
  /** i32[rank]: a constant, or computed from the shapes of the inputs where dims are symbolic. */
  shape(dims: readonly Dim[]): string;
  /** i32[]: likewise for one dim. */
  dim(dim: Dim): string;
  /** The tensor in another shape; at most one symbolic dim costs nothing. */
  reshape(x: string, shape: readonly Dim[]): string;
  /** The tensor repeated along axes of size 1 and missing leading axes. */
  broadcast(x: string, from: TensorType, shape: readonly Dim[]): string;
  param(name: string): string;
  /** Lowers a loop body given the names of its inputs; returns those of its results. */
  lowerBody(body: Body, inputs: readonly string[]): readonly string[];
}

/** Thrown for a graph that TensorFlow.js cannot run; the diagnostic says where it comes from and what to change. */
export class NotLowerable extends Error {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.diagnostic = diagnostic;
  }
}

/** The number of steps of a loop over an axis, which TensorFlow.js runs unrolled. */
export function fixedLength({ op, span, inputs }: NodeOf<"scan" | "linear_scan">, scanned: number, axis: number): number {
  const over = inputs[scanned] as Value;
  const length = over.type.shape[axis] as Dim;
  if (typeof length === "number" && length > 0) return length;
  const { help } = targetCatalogue["target/loop-length"];
  const values = { op, steps: formatDim(length) };
  throw new NotLowerable(makeDiagnostic(targetCatalogue, "target/loop-length", span, values, { notes: explainDim(over, axis), help }));
}
