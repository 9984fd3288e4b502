import { type GraphModel, loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import type { Feed, InputInfo, Slice } from "./customer.ts";

export interface Task {
  readonly name: string;
  readonly kind: "binary" | "classes" | "regression" | "embedding";
  readonly width: number;
  readonly group: string | null;
}

/** What the page needs to know of the model, from the metadata that plec writes into `model.json`. */
export interface ModelInfo {
  readonly name: string;
  readonly inputs: readonly InputInfo[];
  readonly slices: Readonly<Record<string, readonly Slice[]>>;
  readonly tasks: readonly Task[];
  readonly experts: readonly string[];
  /** The seed of weights that nobody trained; null for trained ones. */
  readonly seed: string | null;
}

export interface TaskScore {
  readonly task: Task;
  /** One number, or one for each class or dim. */
  readonly prediction: readonly number[];
  /** A weight for each expert. */
  readonly gates: readonly number[];
  /** What the model does not know, and what cannot be known; null where the task has no such distribution. */
  readonly uncertainty: { readonly epistemic: number; readonly aleatoric: number } | null;
}

export interface LoadedModel {
  readonly info: ModelInfo;
  /** Scores one customer. */
  score(feeds: ReadonlyMap<string, Feed>): Promise<readonly TaskScore[]>;
}

/** Thrown when there is no model, or another one than the page shows. */
export class ModelMissing extends Error {}

/**
 * @throws ModelMissing
 */
export async function loadModel(url: string): Promise<LoadedModel> {
  const answer = await fetch(url, { method: "HEAD" });
  if (!answer.ok) throw new ModelMissing(`There is no model at ${url} yet.`);
  const model = await loadGraphModel(url);
  const info = readInfo(model);
  return { info, score: (feeds) => score(model, info, feeds) };
}

function readInfo(model: GraphModel): ModelInfo {
  const metadata = (model.metadata as { readonly plec?: Readonly<Record<string, string>> } | undefined)?.plec;
  if (metadata === undefined) throw new ModelMissing("The model was not written by plec.");
  const read = <T>(key: string): T => JSON.parse(metadata[`plec.${key}`] ?? "null") as T;
  const banks = read<readonly { readonly name: string; readonly entries: readonly string[] }[]>("banks");
  const experts = banks.find(({ name }) => name === "shared")?.entries;
  const outputs = new Set(model.outputs.map(({ name }) => name));
  const tasks = read<readonly Task[]>("tasks");
  const lacking = tasks.find(({ name }) => !outputs.has(`gates/${name}`));
  if (experts === undefined || lacking !== undefined)
    throw new ModelMissing("The model lacks what the page shows: gates of the shared experts.");
  return {
    name: metadata["plec.model"] ?? "model",
    inputs: read("inputs"),
    slices: read("slices"),
    tasks,
    experts,
    seed: metadata["plec.seed"] ?? null,
  };
}

async function score(model: GraphModel, { tasks }: ModelInfo, feeds: ReadonlyMap<string, Feed>): Promise<readonly TaskScore[]> {
  const types = { f32: "float32", i32: "int32", bool: "bool" } as const;
  const tensors = Object.fromEntries([...feeds].map(([name, { dtype, shape, data }]) => [name, tf.tensor(data, [...shape], types[dtype])]));
  const results = model.predict(tensors) as tf.NamedTensorMap;
  try {
    const names = Object.keys(results);
    const read = await Promise.all(Object.values(results).map((tensor) => tensor.data()));
    const values = new Map(names.map((name, i) => [name, Array.from(read[i] ?? [])]));
    return tasks.map((task) => {
      const [epistemic, aleatoric] = values.get(`uncertainty/${task.name}`) ?? [];
      return {
        task,
        prediction: values.get(task.name) ?? [],
        gates: values.get(`gates/${task.name}`) ?? [],
        uncertainty: epistemic === undefined || aleatoric === undefined ? null : { epistemic, aleatoric },
      };
    });
  } finally {
    tf.dispose([tensors, results]);
  }
}
