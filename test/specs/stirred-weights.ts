import type { Graph } from "../../compiler/ir/graph.ts";
import { initialWeights, randomStream, type Weights } from "../../compiler/weights.ts";

/** Weights as after some training: gates and biases that start at zero would hide what they multiply. */
export function stirredWeights(graph: Pick<Graph, "params">, seed: number): Weights {
  const stirred = new Map<string, Float32Array>();
  for (const [name, values] of initialWeights(graph, seed)) {
    const random = randomStream(seed, `stir ${name}`);
    stirred.set(
      name,
      values.map((value) => value + 0.1 * (random() - 0.5)),
    );
  }
  return stirred;
}
