import { readFileSync } from "node:fs";
import { checkSource } from "../../compiler/driver.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { reachableNodes } from "../../compiler/ir/reachable.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { describeModel } from "../../runtime/description.ts";
import { generateBatch } from "../../runtime/generate.ts";
import { modelOf } from "../specs/checked-specs.ts";
import { stirredWeights } from "../specs/stirred-weights.ts";
import { noise, tensor } from "../std/build-library.ts";
import type { Typed } from "./ask-torch.ts";

/** A spec with its losses, and values for everything that it takes. */
export interface SpecCase {
  readonly name: string;
  /** Logits and all terms of the loss. */
  readonly graph: Graph;
  readonly inputs: ReadonlyMap<string, Typed>;
  readonly weights: ReadonlyMap<string, NdArray>;
}

const rows = 6;

/** What a task's loss is worth, for a mean over the batch: the spec names the loss, and this writes it out. */
const objectives: Readonly<Record<string, string>> = {
  cgc: "bce(logit[:, 0], label)",
  deepfm: "bce(logit[:, 0], label)",
  dcn_v2: "bce(logit[:, 0], label)",
  aitm: "bce(logit[:, 0], label)",
  sequences: 'if task.name == "next" then nll(logit, label) else mse(logit, label)',
};

export const specCases: readonly SpecCase[] = Object.entries(objectives).map(([name, objective]) => {
  const path = name === "sequences" ? "test/torch/sequences.ple" : `specs/${name}.ple`;
  const text = readFileSync(path, "utf8").trimEnd();
  const judged = `${text.slice(0, -1)}  penalty objective per task = task.weight * mean(${objective}, axis: 0)\n}\n`;
  const model = modelOf(checkSource(path, judged));
  const graph = withTerms(model);
  const weights = new Map(
    [...stirredWeights(graph, 3)].map(([param, values]) => {
      const shape = graph.params.find((candidate) => candidate.name === param)?.value.type.shape as readonly number[];
      return [param, makeArray(shape, Float64Array.from(values))];
    }),
  );
  return { name, graph, inputs: new Map([...batchOf(model), ...labelsOf(model)]), weights };
});

function withTerms(model: CheckedModel): Graph {
  const logits = model.tasks.flatMap(({ name, logit }) => (logit === null ? [] : [{ name: `logit of ${name}`, value: logit, doc: null }]));
  const outputs = [...logits, ...model.penalties.map(({ name, value }) => ({ name, value, doc: null }))];
  const fed = model.trainingInputs.map((input) => ({ ...input, optional: false, fill: 0, vocabulary: null, doc: null }));
  const nodes = reachableNodes(outputs.map(({ value }) => value));
  return { ...model.graph, inputs: [...model.graph.inputs, ...fed], params: model.parameters, nodes, outputs };
}

/** Made-up rows; of sequences one row has none, and of another the last two steps are missing. */
function batchOf(model: CheckedModel): readonly (readonly [string, Typed])[] {
  return [...generateBatch(describeModel(model), rows, 9)].map(([name, { dtype, shape, data }]) => {
    const [, steps = 1, width = 1] = shape;
    const missing = (i: number) => {
      const [row, step] = [Math.floor(i / (steps * width)), Math.floor(i / width) % steps];
      return shape.length === 3 && ((row === 2 && name === "visits") || (row === 4 && step >= steps - 2));
    };
    return [name, { dtype, ...tensor(shape, (i) => (missing(i) ? 0 : Number(data[i]))) }];
  });
}

/** Labels of every kind, some missing. */
function labelsOf(model: CheckedModel): readonly (readonly [string, Typed])[] {
  return model.tasks.map(({ name, kind, width }, task) => {
    const classes = kind === "classes" ? width : 2;
    if (kind !== "regression")
      return [`label/${name}`, { dtype: kind === "binary" ? "f32" : "i32", ...tensor([rows], (i) => ((i + task) % (classes + 1)) - 1) }];
    const values = noise([rows, width], 40);
    return [`label/${name}`, { dtype: "f32", ...tensor(values.shape, (i) => (i % 5 === 3 ? Number.NaN : (values.data[i] ?? 0))) }];
  });
}
