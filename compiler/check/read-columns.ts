import type { Graph, Node, NodeOf, Value } from "../ir/graph.ts";

/** Columns [start, stop) of an input's last axis. */
export interface ColumnRange {
  readonly start: number;
  readonly stop: number;
}

/** The columns of each input's last axis that are read, by input name. */
export function readColumns(graph: Graph): ReadonlyMap<string, readonly ColumnRange[]> {
  const reads = new Map<string, ColumnRange[]>();
  /** Where the columns of an input, or of a slice of one, begin in the input. */
  const origin = new Map<Node, { readonly input: string; readonly start: number }>();
  const everything: ColumnRange = { start: 0, stop: Number.POSITIVE_INFINITY };
  const visit = (nodes: readonly Node[]): void => {
    for (let i = 0; i < nodes.length; i += 1) {
      const node = nodes[i] as Node;
      if (node.op === "input") origin.set(node, { input: node.attributes.name, start: 0 });
      else if (node.op === "slice" && passesOn(node)) continue;
      const { inputs } = node;
      for (let input = 0; input < inputs.length; input += 1) {
        const value = inputs[input] as Value;
        const { op } = value.node;
        // Nothing else has an origin.
        if (op === "input" || op === "slice") noteRead(value);
      }
      if (node.op === "scan") {
        visit(node.attributes.body.nodes);
        node.attributes.body.results.forEach(noteRead);
      }
    }
  };
  /** Whether a slice takes columns of an input, of which what reads the slice reads some. */
  const passesOn = (node: NodeOf<"slice">): boolean => {
    const { axis, start } = node.attributes;
    const from = origin.get((node.inputs[0] as Value).node);
    if (from === undefined || typeof start !== "number" || axis !== (node.outputs[0] as Value).type.shape.length - 1) return false;
    origin.set(node, { input: from.input, start: from.start + start });
    return true;
  };
  const noteRead = (value: Value): void => {
    const from = origin.get(value.node);
    if (from === undefined) return;
    const width = value.type.shape.at(-1);
    const range = typeof width === "number" && value.type.shape.length > 1 ? { start: from.start, stop: from.start + width } : everything;
    const known = reads.get(from.input);
    if (known === undefined) reads.set(from.input, [range]);
    else known.push(range);
  };
  visit(graph.nodes);
  for (const output of graph.outputs) noteRead(output.value);
  return reads;
}
