import type { Graph, GraphInput, Node, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { rewriteGraph } from "../../compiler/passes/rewrite.ts";

type Bindings = Parameters<typeof interpret>[1];

/**
 * A graph whose stopped gradients are inputs, and what to feed them: differences of it see what `stop_gradient` says, that these values do not change.
 */
export function holdStopped(graph: Graph, bindings: Bindings): { readonly graph: Graph; readonly held: ReadonlyMap<string, NdArray> } {
  const stops = graph.nodes.filter((node) => node.op === "stop_gradient");
  const nameOf = (node: Node) => `held ${node.id}`;
  const outputs = stops.map((node) => ({ name: nameOf(node), value: node.outputs[0] as Value, doc: null }));
  const held = interpret({ ...graph, outputs }, bindings);
  const inputs: GraphInput[] = [];
  const names = stops.map(nameOf);
  let next = 0;
  const copy = rewriteGraph({ ...graph, outputs: [...graph.outputs, ...outputs] }, [
    (node, _, rewriter) => {
      if (node.op !== "stop_gradient") return null;
      const name = names[next++] as string;
      const { dtype, shape } = (node.outputs[0] as Value).type;
      const value = rewriter.add("input", [], { name, dtype, shape });
      inputs.push({ name, value, optional: false, fill: 0, vocabulary: null, doc: null });
      return [value];
    },
  ]);
  return { graph: { ...copy, inputs: [...copy.inputs, ...inputs], outputs: copy.outputs.slice(0, graph.outputs.length) }, held };
}
