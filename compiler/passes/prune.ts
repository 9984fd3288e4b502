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
    nodes: graph.nodes.filter((node) => live[node.id] === 1),
    params: graph.params.filter((param) => live[param.value.node.id] === 1),
  };
}

/** By id, 1 for those of the nodes that results depend on, captures of loop bodies included, and 0 for the others. */
export function liveNodes(nodes: readonly Node[], results: readonly Value[]): Uint8Array {
  let ids = 0;
  for (let i = 0; i < nodes.length; i += 1) ids = Math.max(ids, (nodes[i] as Node).id + 1);
  const live = new Uint8Array(ids);
  for (const { node } of results) live[node.id] = 1;
  for (let i = nodes.length - 1; i >= 0; i -= 1) {
    const { id, op, inputs, attributes } = nodes[i] as Node;
    if (live[id] === 0) continue;
    for (let input = 0; input < inputs.length; input += 1) live[(inputs[input] as Value).node.id] = 1;
    if (op === "scan") for (const { node } of attributes.body.captures) live[node.id] = 1;
  }
  return live;
}
