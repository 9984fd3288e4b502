import type { Node, Value } from "./graph.ts";

/** What a node reads: its operands, and what the body of a loop captures. */
export function operandsOf(node: Node): readonly Value[] {
  return node.op === "scan" ? [...node.inputs, ...node.attributes.body.captures] : node.inputs;
}

/** The nodes that values depend on, in topological order; what stands before `stop` is left out. Nodes of loop bodies come with their loops. */
export function reachableNodes(values: readonly Value[], stop: ReadonlySet<Node> = new Set()): readonly Node[] {
  const found = new Set(values.map((value) => value.node));
  for (const node of found) if (!stop.has(node)) for (const operand of operandsOf(node)) found.add(operand.node);
  return [...found].sort((a, b) => a.id - b.id);
}
