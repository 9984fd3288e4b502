import { differentiate } from "../../compiler/autodiff/differentiate.ts";
import { GraphBuilder } from "../../compiler/ir/builder.ts";
import type { Graph, Node, Value } from "../../compiler/ir/graph.ts";
import { makeArray, type NdArray, sizeOf } from "../../compiler/ir/ndarray.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { noise } from "../std/build-library.ts";

export const seedName = (output: string): string => `seed of ${output}`;

/**
 * The gradient of Σ seed · output, over the outputs named, by inputs and params: a graph whose outputs have the names of those, and which takes the seeds
 * as inputs. What nothing flows to is left out.
 */
export function gradientGraph(graph: Graph, outputs: readonly string[], wrt: readonly string[]): Graph {
  const builder = GraphBuilder.continuing(graph.nodes);
  const origin = { path: "gradient", span: null };
  const seeds = graph.outputs
    .filter(({ name }) => outputs.includes(name))
    .map(({ name, value }) => {
      const { dtype, shape } = value.type;
      const made = builder.add("input", [], { name: seedName(name), dtype, shape }, origin) as readonly Value[];
      return { name, value, cotangent: made[0] as Value };
    });
  const leaves = [...graph.inputs, ...graph.params].filter(({ name }) => wrt.includes(name));
  const found = differentiate(
    builder,
    seeds,
    leaves.map(({ value }) => value),
  );
  const fed = seeds.map(({ name, cotangent }) => ({
    ...{ name: seedName(name), value: cotangent },
    ...{ optional: false, fill: 0, vocabulary: null, doc: null },
  }));
  return prune({
    ...graph,
    inputs: [...graph.inputs, ...fed],
    nodes: builder.nodes as readonly Node[],
    outputs: leaves.flatMap(({ name }, i) => (found[i] ? [{ name, value: found[i], doc: null }] : [])),
  });
}

/** Seeds for outputs of these shapes, none like another. */
export function drawSeeds(outputs: ReadonlyMap<string, NdArray>): ReadonlyMap<string, NdArray> {
  return new Map([...outputs].map(([name, { shape }], i) => [name, noise(shape, 500 + i)]));
}

/** What the gradient graph found by `name`; zeros where nothing flows to. */
export function gradientOf(found: ReadonlyMap<string, NdArray>, name: string, like: NdArray): NdArray {
  return found.get(name) ?? makeArray(like.shape, new Float64Array(sizeOf(like.shape)));
}
