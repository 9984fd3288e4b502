import type { Dim } from "../ir/dim.ts";
import type { Body, DType, NodeOf } from "../ir/graph.ts";
import type { OpName } from "../ops/attributes.ts";

/** ONNX nodes that compute an IR node; returns the names of its outputs, which may be names of its inputs. */
export type OnnxLowering<K extends OpName> = (onnx: OnnxContext, inputs: readonly string[], node: NodeOf<K>) => string | readonly string[];

/** A number is an int, a list is ints. */
export type OnnxAttribute = number | readonly number[] | string | { readonly float: number } | OnnxSubgraph;
export type OnnxAttributes = Readonly<Record<string, OnnxAttribute>>;
export type OnnxDType = DType | "i64" | "f16";

/** What a lowering may do: append nodes and constants to the graph being written, and refer to it by value names. */
export interface OnnxContext {
  /** The operator set that is written, 17 or later: a lowering asks where an op has changed since. */
  readonly opset: number;
  /** Appends a node of one output, named after the IR node's path. */
  op(type: string, inputs: readonly string[], attributes?: OnnxAttributes): string;
  /** Appends a node of several outputs. */
  ops(type: string, inputs: readonly string[], attributes: OnnxAttributes, outputs: number): readonly string[];
  constant(dtype: OnnxDType, shape: readonly number[], data: readonly number[]): string;
  /** i64[n] */
  ints(values: readonly number[]): string;
  /** i64[rank]: a constant, or computed from the shapes of the inputs where dims are symbolic. */
  shape(dims: readonly Dim[]): string;
  /** i64[]: likewise for one dim. */
  dim(dim: Dim): string;
  input(name: string): string;
  param(name: string): string;
  /** A subgraph such as the body of a Scan; it may use names of the enclosing graph. */
  subgraph(inputs: readonly DType[], build: (names: readonly string[]) => readonly OnnxOutput[]): OnnxSubgraph;
  /** Lowers a loop body given the names of its inputs; returns those of its results. */
  lowerBody(body: Body, inputs: readonly string[]): readonly string[];
}

export interface OnnxOutput {
  readonly name: string;
  readonly dtype: DType;
}

export interface OnnxSubgraph {
  readonly kind: "subgraph";
  readonly nodes: readonly OnnxNode[];
  readonly inputs: readonly OnnxOutput[];
  readonly outputs: readonly OnnxOutput[];
}

export interface OnnxNode {
  readonly type: string;
  readonly name: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: OnnxAttributes;
}
