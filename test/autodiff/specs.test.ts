import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import type { Graph, GraphInput } from "../../compiler/ir/graph.ts";
import { reachableNodes } from "../../compiler/ir/reachable.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { withGradient } from "../ops/gradients.ts";
import { bindingsOf, type Differentiated, type Draw, expectSlopes, filled, gradientsOf, noise } from "./slopes.ts";

const rows = 2;
const specs = readdirSync("specs").filter((name) => name.endsWith(".ple"));

/** Logits, outputs and penalties make the objective. */
function differentiateModel(model: CheckedModel): Differentiated {
  const values = [...new Set([...model.tasks.flatMap(({ logit }) => logit ?? []), ...model.penalties.map(({ value }) => value)])];
  const all = [...new Set([...values, ...model.graph.outputs.map(({ value }) => value)])];
  const nodes = new Set([...model.graph.inputs.map(({ value }) => value.node), ...reachableNodes(all)]);
  const known = new Set(model.graph.inputs.map(({ name }) => name));
  const forTraining = model.trainingInputs
    .filter(({ name, value }) => !known.has(name) && nodes.has(value.node))
    .map(({ name, value }): GraphInput => ({ name, value, optional: false, fill: 0, vocabulary: null, doc: null }));
  const graph: Graph = {
    ...model.graph,
    inputs: [...model.graph.inputs, ...forTraining],
    params: model.parameters,
    nodes: [...nodes].sort((a, b) => a.id - b.id),
    outputs: all.map((value, i) => ({ name: `result ${i}`, value, doc: null })),
  };
  const floats = graph.inputs.filter(({ value }) => value.type.dtype === "f32");
  return withGradient(
    graph,
    [...graph.params, ...floats].map(({ value }) => value),
  );
}

/** Missing rows, for every optional input: all zeros. */
function halfMissing(draw: Draw): Draw {
  return (name, shape) => {
    const { data } = draw(name, shape);
    return { shape, data: name === "features" ? data : data.map((x, i) => (i < data.length / rows ? x : 0)) };
  };
}

describe.each(specs)("%s", (spec) => {
  const model = checkFile(`specs/${spec}`).models[0];
  if (model === undefined) throw new Error(`specs/${spec} does not check`);
  const differentiated = differentiateModel(model);

  test("a gradient reaches every param", () => {
    const unreached = model.parameters.filter((_, i) => differentiated.gradients[i] === null).map(({ name }) => name);
    expect(unreached).toEqual([]);
  });

  test("the graph of the gradient is sound, before and after simplification", () => {
    verifyGraph(differentiated.graph);
    verifyGraph(simplify(differentiated.graph));
  });

  test("the gradient agrees with differences along a random direction", { timeout: 120_000 }, () => {
    expectSlopes(differentiated, bindingsOf(differentiated.graph, rows, noise(0.9), noise(0.3)), { each: false });
  });

  test.each([
    ["zeros", filled(0), noise(0.3)],
    ["weights of zero", noise(1), filled(0)],
    ["missing rows", halfMissing(noise(1)), noise(0.3)],
    ["large inputs", noise(1e3), noise(0.3)],
    ["large weights", noise(1), noise(20)],
  ] as const)("the gradient is finite at %s", { timeout: 60_000 }, (_, drawInput, drawParam) => {
    for (const { name, gradient } of gradientsOf(differentiated, bindingsOf(differentiated.graph, rows, drawInput, drawParam))) {
      expect(gradient?.data.every(Number.isFinite) ?? true, name).toBe(true);
    }
  });
});
