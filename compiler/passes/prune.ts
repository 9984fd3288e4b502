import type { Graph, Node } from "../ir/graph.ts";

/** Drops every node, and every param, that no output needs. Declared inputs stay. Nodes keep their identity. */
export function prune(graph: Graph): Graph {
  const needed = new Set<Node>();
  const stack = [...graph.outputs.map((output) => output.value.node), ...graph.inputs.map((input) => input.value.node)];
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (needed.has(node)) continue;
    needed.add(node);
    for (const input of node.inputs) stack.push(input.node);
    if (node.op === "scan") for (const capture of node.attributes.body.captures) stack.push(capture.node);
  }
  return { ...graph, nodes: graph.nodes.filter((node) => needed.has(node)), params: graph.params.filter((param) => needed.has(param.value.node)) };
}
