import { describe, expect, test } from "vitest";
import { checkSource } from "../../compiler/driver.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { reachableNodes } from "../../compiler/ir/reachable.ts";
import { withGradient } from "../ops/gradients.ts";
import { type LibraryCase, libraryCases } from "./library-cases.ts";
import { bindingsOf, type Differentiated, expectSlopes, filled, gradientsOf, noise } from "./slopes.ts";

const rows = 3;

/** A model of the call alone; the objective is made of its results and penalties. */
function build({ from, imports, inputs, call }: LibraryCase): Differentiated {
  const text = `${imports.length === 0 ? "" : `import { ${imports.join(", ")} } from "${from}"`}
model Wrapped {
  input anchor: f32[B, 1]
  ${inputs.map((input) => `input ${input}`).join("\n  ")}
  task bare: regression { loss: none }
  flow per task { return anchor }
  output result = ${call}
}
`;
  const { models, diagnostics } = checkSource("test/autodiff/wrapped.ple", text);
  const model = models[0];
  if (model === undefined) throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const outputs = [
    ...model.graph.outputs.filter(({ name }) => name === "result"),
    ...model.penalties.map(({ name, value }) => ({ name: `penalty ${name}`, value, doc: null })),
  ];
  const nodes = new Set([...model.graph.inputs.map(({ value }) => value.node), ...reachableNodes(outputs.map(({ value }) => value))]);
  const params = model.parameters.filter(({ value }) => nodes.has(value.node));
  const floats = model.graph.inputs.filter(({ value }) => value.type.dtype === "f32");
  const graph: Graph = { ...model.graph, params, nodes: [...nodes].sort((a, b) => a.id - b.id), outputs };
  return withGradient(
    graph,
    [...params, ...floats].map(({ value }) => value),
  );
}

describe.each(libraryCases)("$name", (libraryCase) => {
  const differentiated = build(libraryCase);

  test("the gradient agrees with differences along a random direction of all inputs and weights, and of each", () => {
    expectSlopes(differentiated, bindingsOf(differentiated.graph, rows, noise(0.8), noise(0.7)), { each: true });
  });

  test.each([
    ["zeros", filled(0), noise(0.7)],
    ["zeros and weights of zero", filled(0), filled(0)],
    ["ones", filled(1), noise(0.7)],
    ["large inputs", noise(1e3), noise(0.7)],
    ["large weights, which saturate every gate", noise(1), noise(50)],
  ] as const)("the gradient is finite at %s", (_, drawInput, drawParam) => {
    for (const { name, gradient } of gradientsOf(differentiated, bindingsOf(differentiated.graph, rows, drawInput, drawParam))) {
      expect(gradient?.data.every(Number.isFinite) ?? true, name).toBe(true);
    }
  });
});
