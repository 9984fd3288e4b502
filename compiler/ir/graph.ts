import type { Span } from "../../dsl/source.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import type { Dim } from "./dim.ts";

/**
 * The tensor IR: a graph in single-assignment form. Every node has an op, input values, attributes typed per op, and one or more output values.
 * Nodes stand in topological order.
 */
export type DType = "f32" | "i32" | "bool";

export interface TensorType {
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

/** One output of a node. Compared by identity. */
export interface Value {
  readonly node: Node;
  readonly index: number;
  readonly type: TensorType;
}

export type Node = { readonly [K in OpName]: NodeOf<K> }[OpName];

export interface NodeOf<K extends OpName> {
  /** Unique in the graph, bodies included; inputs have smaller ids. */
  readonly id: number;
  readonly op: K;
  readonly inputs: readonly Value[];
  readonly attributes: OpAttributes[K];
  readonly outputs: readonly Value[];
  /** Source path, such as `cgc/ctr/softmax`: the name in exports. Not unique. */
  readonly path: string;
  /** The expression that made it; null for nodes made by passes. */
  readonly span: Span | null;
}

/**
 * The loop body of a `scan`. May refer to values of the enclosing graph directly; those are listed in `captures`.
 * `inputs` are the states, then one slice of each scanned tensor; `results` are the next states.
 */
export interface Body {
  readonly inputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly results: readonly Value[];
  readonly captures: readonly Value[];
}

export interface GraphInput {
  readonly name: string;
  readonly value: Value;
  /** Filled with `fill` when absent. */
  readonly optional: boolean;
  readonly fill: number;
  /** For categorical ids: the number of categories; values must be in [0, vocabulary). */
  readonly vocabulary: number | null;
  readonly doc: string | null;
}

export interface GraphParam {
  /** The path that names it in weight files, such as `shared/perslay/mu`. */
  readonly name: string;
  readonly value: Value;
  /** A graph of one output, of shape broadcastable to the param's, whose random ops draw at the param's shape. */
  readonly initial: Graph;
  /** Subject to weight decay. */
  readonly decay: boolean;
  readonly frozen: boolean;
  readonly tag: string | null;
}

export interface GraphOutput {
  readonly name: string;
  readonly value: Value;
  readonly doc: string | null;
}

export interface Graph {
  readonly name: string;
  readonly inputs: readonly GraphInput[];
  readonly params: readonly GraphParam[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly GraphOutput[];
}
