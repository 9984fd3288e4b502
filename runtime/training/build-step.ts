import { emitGraphModel, type GraphModelArtifacts } from "../../compiler/emit/graph-model.ts";
import { emitOnnx, type OnnxOptions } from "../../compiler/emit/onnx.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import type { TrainingPlan } from "../../compiler/training/plan.ts";
import type { TrainingGraph } from "../../compiler/training/step.ts";
import type { StateEntry } from "../../compiler/training/step-graph.ts";
import type { WeightSource } from "../../compiler/weights.ts";
import { type NamedTensor, writeSafetensors } from "../safetensors.ts";
import { initialState } from "./state.ts";

const noWeights: WeightSource = { get: () => undefined };

/** A training graph as an ONNX file, whose metadata say which phase it is of and what the driver has to do. */
export function buildTrainingOnnx(
  model: CheckedModel,
  plan: TrainingPlan,
  phase: number,
  { graph, state, tables }: TrainingGraph,
  target: Pick<OnnxOptions, "opset" | "irVersion"> & { readonly version: string },
): Uint8Array {
  const { name, epochs, start } = plan.phases[phase] ?? { name: "", epochs: 0, start: 0 };
  const { batch, accumulate, earlyStop, seed } = plan;
  const training = {
    phase: name,
    epochs,
    start,
    batch,
    accumulate,
    early_stop: earlyStop,
    seed,
    state: state.map((entry) => entry.name),
    tables,
  };
  const { version, ...versions } = target;
  return emitOnnx(graph, {
    ...versions,
    weights: noWeights,
    metadata: {
      "plec.version": version,
      "plec.model": model.name,
      "plec.spec_sha256": model.hash,
      "plec.training": JSON.stringify(training),
    },
    producerVersion: version,
  });
}

/** A training graph for TensorFlow.js. */
export function buildTrainingGraphModel({ graph }: TrainingGraph, version: string): GraphModelArtifacts {
  return emitGraphModel(graph, { weights: noWeights, metadata: { "plec.version": version }, producerVersion: version });
}

/** The state before the first step as a safetensors file; a state that several graphs share stands in it once. */
export function buildStateFile(graphs: readonly TrainingGraph[], weights: WeightSource): Uint8Array {
  const entries = new Map<string, StateEntry>(graphs.flatMap(({ state }) => state.map((entry) => [entry.name, entry] as const)));
  const tensors = new Map<string, NamedTensor>();
  for (const [name, { shape, data }] of initialState([...entries.values()], weights))
    if (data instanceof Float32Array) tensors.set(name, { shape, data });
  return writeSafetensors({ tensors, metadata: {} });
}
