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
  for (const input of graph.inputs) live.add(input.value.node);
  return {
    ...graph,
    nodes: graph.nodes.filter((node) => live.has(node)),
    params: graph.params.filter((param) => live.has(param.value.node)),
  };
}

/** The nodes that results depend on, captures of loop bodies included. */
export function liveNodes(nodes: readonly Node[], results: readonly Value[]): Set<Node> {
  const live = new Set<Node>();
  const keep = (values: readonly Value[]) => {
    for (let i = 0; i < values.length; i += 1) live.add((values[i] as Value).node);
  };
  keep(results);
  for (let i = nodes.length - 1; i >= 0; i -= 1) {
    const node = nodes[i] as Node;
    if (!live.has(node)) continue;
    keep(node.inputs);
    if (node.op === "scan") keep(node.attributes.body.captures);
  }
  return live;
}
