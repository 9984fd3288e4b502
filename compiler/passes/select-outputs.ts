import { symbolsOf } from "../ir/dim.ts";
import type { Graph, GraphInput } from "../ir/graph.ts";
import { liveNodes, prune } from "./prune.ts";

/** The graph with some of its outputs, in its own order. */
export function selectOutputs(graph: Graph, names: ReadonlySet<string>): Graph {
  return prune({ ...graph, outputs: graph.outputs.filter((output) => names.has(output.name)) });
}

/** The graph without inputs that nothing reads, except where one is needed to tell the length of an axis. */
export function dropUnreadInputs(graph: Graph): Graph {
  const live = liveNodes(
    graph.nodes,
    graph.outputs.map((output) => output.value),
  );
  const kept = new Set<GraphInput>(graph.inputs.filter((input) => live[input.value.node.id] === 1));
  const symbols = (input: GraphInput) => input.value.type.shape.flatMap(symbolsOf);
  const read = graph.nodes.filter((node) => live[node.id] === 1);
  const used = new Set(read.flatMap((node) => node.outputs.flatMap((value) => value.type.shape.flatMap(symbolsOf))));
  for (const symbol of used) {
    if ([...kept].some((input) => symbols(input).includes(symbol))) continue;
    const carriers = graph.inputs.filter((input) => symbols(input).includes(symbol));
    const carrier = carriers.find((input) => !input.optional) ?? carriers[0];
    if (carrier !== undefined) kept.add(carrier);
  }
  return prune({ ...graph, inputs: graph.inputs.filter((input) => kept.has(input)) });
}
