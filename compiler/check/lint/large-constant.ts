import { formatShape } from "../../ir/dim.ts";
import type { Node } from "../../ir/graph.ts";
import { defineRule } from "./engine/rule.ts";

export const largeConstant = defineRule({
  code: "lint/large-constant",
  severity: "warning",
  message: "a constant of {count} numbers, {shape}, becomes part of every compiled file",
  why: "Numbers written into a spec are compiled into the graph: they are neither in the weight file nor shared between files, half precision and external data leave them as they are, and every pass over the graph reads them.",
  help: "Compute it in the graph (`arange`, `one_hot`, `repeat`), make it an input, or a `param` with `{ frozen: true }` whose values come with the weights.",
  options: { elements: { default: 10_000, least: 1, what: "constants with more numbers than this are large" } },
  check({ models }, report, { elements }) {
    for (const { whole, analysis } of models) {
      for (const node of withBodies(whole.nodes)) {
        if (node.op !== "constant" || node.attributes.data.length <= elements) continue;
        const { data, dtype, shape } = node.attributes;
        report(analysis.placeOf(node), { count: data.length.toLocaleString("en-US"), shape: `${dtype}${formatShape(shape)}` });
      }
    }
  },
});

function withBodies(nodes: readonly Node[]): readonly Node[] {
  return nodes.flatMap((node) => (node.op === "scan" ? [node, ...withBodies(node.attributes.body.nodes)] : [node]));
}
