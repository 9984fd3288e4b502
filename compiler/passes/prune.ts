import type { Graph, Node, Value } from "../ir/graph.ts";

/**
 * Drops the nodes that no output depends on, and params with them; declared inputs stay. What is kept are the same nodes and values, so that
 * references into the graph stay good.
 */
export function prune(graph: Graph): Graph {
  const live = liveNodes(
    graph.nodes,
    graph.outputs.map((output) => output.value),
  );
  for (const { value } of graph.inputs) live[value.node.id] = 1;
  return {
    ...graph,
    nodes: marked(graph.nodes, live),
    params: graph.params.filter((param) => live[param.value.node.id] === 1),
  };
}

/** Those of the nodes that have a 1. */
function marked(nodes: readonly Node[], marks: Uint8Array): readonly Node[] {
  let count = 0;
  for (let i = 0; i < nodes.length; i += 1) if (marks[(nodes[i] as Node).id] === 1) count += 1;
  const kept = new Array<Node>(count);
  count = 0;
  for (let i = 0; i < nodes.length; i += 1) {
    const node = nodes[i] as Node;
    if (marks[node.id] === 1) kept[count++] = node;
  }
  return kept;
}

/** By id, 1 for those of the nodes that results depend on, captures of loop bodies included, and 0 for the others. */
export function liveNodes(nodes: readonly Node[], results: readonly Value[]): Uint8Array {
  const live = new Uint8Array(idsOf(nodes));
  for (const { node } of results) live[node.id] = 1;
  for (let i = nodes.length - 1; i >= 0; i -= 1) {
    const node = nodes[i] as Node;
    if (live[node.id] === 0) continue;
    const { inputs } = node;
    for (let input = 0; input < inputs.length; input += 1) live[(inputs[input] as Value).node.id] = 1;
    if (node.op === "scan") for (const { node: captured } of node.attributes.body.captures) live[captured.id] = 1;
  }
  return live;
}

/** What all ids of nodes are below. */
function idsOf(nodes: readonly Node[]): number {
  let ids = 0;
  for (let i = 0; i < nodes.length; i += 1) {
    const { id } = nodes[i] as Node;
    if (id >= ids) ids = id + 1;
  }
  return ids;
}
