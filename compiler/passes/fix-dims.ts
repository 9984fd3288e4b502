import { GraphBuilder } from "../ir/builder.ts";
import { copyNodes } from "../ir/copy-nodes.ts";
import { type Dim, evaluateDim, symbolsOf } from "../ir/dim.ts";
import type { Graph, Value } from "../ir/graph.ts";

/** The graph for one size of its symbols, such as one number of rows: every dim that follows from them is a number. */
export function fixDims(graph: Graph, symbols: ReadonlyMap<string, number>): Graph {
  const builder = new GraphBuilder();
  const copies = new Map<Value, Value>();
  const fixed = (dim: Dim) => (symbolsOf(dim).every((symbol) => symbols.has(symbol)) ? evaluateDim(dim, symbols) : dim);
  copyNodes(builder, graph.nodes, copies, fixed);
  const withCopy = <T extends { readonly value: Value }>(items: readonly T[]): T[] =>
    items.map((item) => ({ ...item, value: copies.get(item.value) as Value }));
  const { inputs, params, outputs } = graph;
  return { ...graph, inputs: withCopy(inputs), params: withCopy(params), outputs: withCopy(outputs), nodes: builder.nodes };
}
