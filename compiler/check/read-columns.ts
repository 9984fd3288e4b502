import type { Graph, Node, Value } from "../ir/graph.ts";

/** Columns [start, stop) of an input's last axis. */
export interface ColumnRange {
  readonly start: number;
  readonly stop: number;
}

/** The columns of each input's last axis that are read, by input name. */
export function readColumns(graph: Graph): ReadonlyMap<string, readonly ColumnRange[]> {
  const reads = new Map<string, ColumnRange[]>();
  /** Where the columns of a slice of an input begin in the input. */
  const origin = new Map<Value, { readonly input: string; readonly start: number }>();
  const originOf = (value: Value) => (value.node.op === "input" || value.node.op === "slice" ? origin.get(value) : undefined);
  const everything: ColumnRange = { start: 0, stop: Number.POSITIVE_INFINITY };
  const visit = (node: Node): void => {
    const value = node.outputs[0] as Value;
    if (node.op === "input") origin.set(value, { input: node.attributes.name, start: 0 });
    if (node.op === "slice" && node.attributes.axis === value.type.shape.length - 1 && typeof node.attributes.start === "number") {
      const from = originOf(node.inputs[0] as Value);
      if (from !== undefined) {
        origin.set(value, { input: from.input, start: from.start + node.attributes.start });
        return;
      }
    }
    for (let i = 0; i < node.inputs.length; i += 1) noteRead(node.inputs[i] as Value);
    if (node.op === "scan") {
      for (const inner of node.attributes.body.nodes) visit(inner);
      node.attributes.body.results.forEach(noteRead);
    }
  };
  const noteRead = (value: Value): void => {
    const from = originOf(value);
    if (from === undefined) return;
    const width = value.type.shape.at(-1);
    const range = typeof width === "number" && value.type.shape.length > 1 ? { start: from.start, stop: from.start + width } : everything;
    const known = reads.get(from.input);
    if (known === undefined) reads.set(from.input, [range]);
    else known.push(range);
  };
  graph.nodes.forEach(visit);
  for (const output of graph.outputs) noteRead(output.value);
  return reads;
}
