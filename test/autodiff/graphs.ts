import { checkSource } from "../../compiler/driver.ts";
import type { Graph, GraphInput } from "../../compiler/ir/graph.ts";
import { reachableNodes } from "../../compiler/ir/reachable.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import type { LibraryCase } from "./library-cases.ts";

/** The graph of a call of the library: its result and the penalties that it adds. */
export function graphOfCall({ from, imports, inputs, call }: LibraryCase): Graph {
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
  return {
    ...model.graph,
    params: model.parameters.filter(({ value }) => nodes.has(value.node)),
    nodes: [...nodes].sort((a, b) => a.id - b.id),
    outputs,
  };
}

/** The graph of a model whose outputs are logits, predictions and all else that it gives, and penalties. */
export function graphOfModel(model: CheckedModel): Graph {
  const values = [...new Set([...model.tasks.flatMap(({ logit }) => logit ?? []), ...model.penalties.map(({ value }) => value)])];
  const all = [...new Set([...values, ...model.graph.outputs.map(({ value }) => value)])];
  const nodes = new Set([...model.graph.inputs.map(({ value }) => value.node), ...reachableNodes(all)]);
  const known = new Set(model.graph.inputs.map(({ name }) => name));
  const forTraining = model.trainingInputs
    .filter(({ name, value }) => !known.has(name) && nodes.has(value.node))
    .map(({ name, value }): GraphInput => ({ name, value, optional: false, fill: 0, vocabulary: null, doc: null }));
  return {
    ...model.graph,
    inputs: [...model.graph.inputs, ...forTraining],
    params: model.parameters,
    nodes: [...nodes].sort((a, b) => a.id - b.id),
    outputs: all.map((value, i) => ({ name: `result ${i}`, value, doc: null })),
  };
}
