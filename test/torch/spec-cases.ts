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
import type { Request, Typed } from "./ask-torch.ts";

/** A spec with its losses, and values for everything that it takes. */
export interface SpecCase {
  readonly name: string;
  /** Of Python. */
  readonly module: Request["module"];
  /** Logits and all terms of the loss. */
  readonly graph: Graph;
  readonly inputs: ReadonlyMap<string, Typed>;
  readonly weights: ReadonlyMap<string, NdArray>;
}

const rows = 6;

/** The document's α of positives. */
const alphas = "{ ctr: 0.25, cvr: 0.20, churn: 0.60, retention: 0.20 }";

/** What a task's loss is worth, for a mean over the batch: the spec names the loss, and this writes it out. */
const objectives: Readonly<Record<string, string>> = {
  cgc: "bce(logit[:, 0], label)",
  deepfm: "bce(logit[:, 0], label)",
  dcn_v2: "bce(logit[:, 0], label)",
  aitm: "bce(logit[:, 0], label)",
  ple_cluster_adatt: `if task.kind == "binary" then focal(logit[:, 0], label, alpha: ${alphas}[task.name]) else if task.kind == "classes" then nll(logit, label)
    else if task.kind == "embedding" then info_nce(logit, label) else if task.name == "engagement" then mse(logit[:, 0], label) else huber(logit[:, 0], label)`,
  sequences: 'if task.name == "next" then nll(logit, label) else mse(logit, label)',
};

/** A point of a persistence diagram: birth, death and homology degree. */
const diagramPart = (value: number, i: number) => (i % 3 === 2 ? Math.floor(i / 3) % 3 : Math.abs(value) / 2);

/** Values in the range of inputs that have one. */
const plausible: Readonly<Record<string, (value: number, position: number) => number>> = {
  tda_short: diagramPart,
  tda_long: diagramPart,
  tda_short_mask: (_, i) => (i % 7 === 3 ? 0 : 1),
  tda_long_mask: (_, i) => (i % 5 === 3 ? 0 : 1),
  hierarchy: (value) => 0.2 * value,
  cluster_probs: Math.abs,
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
  const module = name === "ple_cluster_adatt" ? "full" : "specs";
  return { name, module, graph, inputs: new Map([...batchOf(model), ...trainingInputsOf(model)]), weights };
});

function withTerms(model: CheckedModel): Graph {
  const logits = model.tasks.flatMap(({ name, logit }) => (logit === null ? [] : [{ name: `logit of ${name}`, value: logit, doc: null }]));
  const outputs = [...logits, ...model.penalties.map(({ name, value }) => ({ name, value, doc: null }))];
  const fed = model.trainingInputs.map((input) => ({ ...input, optional: false, fill: 0, vocabulary: null, doc: null }));
  const nodes = reachableNodes(outputs.map(({ value }) => value));
  return { ...model.graph, inputs: [...model.graph.inputs, ...fed], params: model.parameters, nodes, outputs };
}

/** Made-up rows: one lacks every optional input, and another the last two steps of its sequences. */
function batchOf(model: CheckedModel): readonly (readonly [string, Typed])[] {
  const optional = new Set(model.inputs.filter((input) => input.optional && input.fill === 0).map(({ name }) => name));
  return [...generateBatch(describeModel(model), rows, 9)].map(([name, { dtype, shape, data }]) => {
    const [, steps = 1, width = 1] = shape;
    const values = tensor(shape, (i) => {
      const [row, step] = [Math.floor(i / (steps * width)), Math.floor(i / width) % steps];
      if ((row === 2 && optional.has(name)) || (row === 4 && shape.length === 3 && step >= steps - 2)) return 0;
      return plausible[name]?.(Number(data[i]), i) ?? Number(data[i]);
    });
    return [name, { dtype, ...values }];
  });
}

/** Labels of every kind, some missing, and an epoch in the middle of the annealing. */
function trainingInputsOf(model: CheckedModel): readonly (readonly [string, Typed])[] {
  return model.trainingInputs.map(({ name, value }, position) => {
    const { dtype } = value.type;
    const shape = value.type.shape.map((dim) => (typeof dim === "number" ? dim : rows));
    const task = model.tasks.find((candidate) => name === `label/${candidate.name}`);
    const { data } = noise(shape, 40 + position);
    const width = shape[1] ?? 1;
    return [
      name,
      {
        dtype,
        ...tensor(shape, (i) => {
          const row = Math.floor(i / width);
          if (task === undefined) return 4;
          if (task.kind === "binary" || task.kind === "classes")
            return ((row + position) % ((task.kind === "binary" ? 2 : task.width) + 1)) - 1;
          if (task.kind === "embedding" ? row === 3 : (i + position) % 5 === 3) return Number.NaN;
          return data[i] ?? 0;
        }),
      },
    ];
  });
}
