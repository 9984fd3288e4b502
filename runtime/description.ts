import { type Dim, formatDim } from "../compiler/ir/dim.ts";
import type { DType, Graph } from "../compiler/ir/graph.ts";
import type { CheckedModel, ModelSlice, TaskKind } from "../compiler/model.ts";
import type { WeightSource } from "../compiler/weights.ts";

/** What running a model needs to know of it, as plain data: it travels in the metadata of compiled files. */
export interface ModelDescription {
  readonly name: string;
  readonly hash: string;
  readonly inputs: readonly InputDescription[];
  /** The enabled tasks, in order of declaration; each is an output under its name. */
  readonly tasks: readonly TaskDescription[];
  /** Further outputs, such as `gates/ctr`. */
  readonly outputs: readonly { readonly name: string; readonly doc: string | null }[];
  readonly banks: readonly { readonly name: string; readonly entries: readonly string[] }[];
}

export interface InputDescription {
  readonly name: string;
  readonly dtype: DType;
  /** Symbolic dims by their text, such as "B". */
  readonly shape: readonly (number | string)[];
  readonly optional: boolean;
  readonly fill: number;
  readonly vocabulary: number | null;
  readonly slices: readonly SliceDescription[];
}

export interface SliceDescription {
  readonly name: string;
  readonly start: number;
  readonly width: number;
  readonly slices: readonly SliceDescription[];
}

export interface TaskDescription {
  readonly name: string;
  readonly kind: TaskKind;
  readonly width: number;
  readonly group: string | null;
}

export function describeModel(model: CheckedModel): ModelDescription {
  return {
    name: model.name,
    hash: model.hash,
    inputs: model.inputs.map(({ name, dtype, shape, optional, fill, vocabulary, slices }) => ({
      name,
      dtype,
      shape: shape.map(describeDim),
      optional,
      fill,
      vocabulary,
      slices: slices.map(describeSlice),
    })),
    tasks: model.tasks.filter((task) => task.enabled).map(({ name, kind, width, group }) => ({ name, kind, width, group })),
    outputs: model.outputs.map(({ name, doc }) => ({ name, doc })),
    banks: model.banks.map(({ name, entries }) => ({ name, entries: entries.map((entry) => entry.name) })),
  };
}

/** The description of a model of which a graph has only some inputs and outputs. */
export function describePart(model: CheckedModel, graph: Graph): ModelDescription {
  const [inputs, outputs] = [graph.inputs, graph.outputs].map((items) => new Set(items.map((item) => item.name)));
  const whole = describeModel(model);
  return {
    ...whole,
    inputs: whole.inputs.filter(({ name }) => inputs?.has(name)),
    tasks: whole.tasks.filter(({ name }) => outputs?.has(name)),
    outputs: whole.outputs.filter(({ name }) => outputs?.has(name)),
  };
}

function describeDim(dim: Dim): number | string {
  return typeof dim === "number" ? dim : formatDim(dim);
}

function describeSlice({ name, start, width, slices }: ModelSlice): SliceDescription {
  return { name, start, width, slices: slices.map(describeSlice) };
}

/** Keys of the metadata that plec writes into compiled models. */
export const metadataKeys = {
  version: "plec.version",
  model: "plec.model",
  hash: "plec.spec_sha256",
  inputs: "plec.inputs",
  slices: "plec.slices",
  tasks: "plec.tasks",
  outputs: "plec.outputs",
  banks: "plec.banks",
  seed: "plec.seed",
  weights: "plec.weights_sha256",
  precision: "plec.precision",
  preparation: "plec.preparation",
} as const;

/** Where the weights of a compiled model come from. */
export type WeightsOrigin = { readonly seed: number } | { readonly fileHash: string };

/** Weights with a record of where they come from. */
export interface TracedWeights {
  readonly weights: WeightSource;
  readonly origin: WeightsOrigin;
}

export function describeAsMetadata(
  description: ModelDescription,
  version: string,
  origin: WeightsOrigin,
  precision: "fp32" | "fp16" = "fp32",
): Record<string, string> {
  return {
    [metadataKeys.version]: version,
    [metadataKeys.model]: description.name,
    [metadataKeys.hash]: description.hash,
    [metadataKeys.inputs]: JSON.stringify(description.inputs.map(({ slices: _, ...input }) => input)),
    [metadataKeys.slices]: JSON.stringify(sliceMap(description)),
    [metadataKeys.tasks]: JSON.stringify(description.tasks),
    [metadataKeys.outputs]: JSON.stringify(description.outputs),
    [metadataKeys.banks]: JSON.stringify(description.banks),
    ...(precision === "fp32" ? {} : { [metadataKeys.precision]: precision }),
    ...("seed" in origin ? { [metadataKeys.seed]: String(origin.seed) } : { [metadataKeys.weights]: origin.fileHash }),
  };
}

/** Inputs that have slices, with the tree of them. */
function sliceMap(description: ModelDescription): Record<string, readonly SliceDescription[]> {
  return Object.fromEntries(description.inputs.filter((input) => input.slices.length > 0).map((input) => [input.name, input.slices]));
}

/** The description in the metadata of a compiled model; null when plec did not write it. */
export function descriptionFromMetadata(metadata: ReadonlyMap<string, string>): ModelDescription | null {
  const texts = [metadataKeys.inputs, metadataKeys.slices, metadataKeys.tasks, metadataKeys.outputs, metadataKeys.banks].map((key) =>
    metadata.get(key),
  );
  if (texts.some((text) => text === undefined)) return null;
  // The JSON is what describeAsMetadata wrote: the key names carry the version of this layout.
  const [inputs, slices, tasks, outputs, banks] = texts.map((text) => JSON.parse(text as string) as unknown) as [
    readonly Omit<InputDescription, "slices">[],
    Readonly<Record<string, readonly SliceDescription[]>>,
    readonly TaskDescription[],
    ModelDescription["outputs"],
    ModelDescription["banks"],
  ];
  return {
    name: metadata.get(metadataKeys.model) ?? "model",
    hash: metadata.get(metadataKeys.hash) ?? "",
    inputs: inputs.map((input) => ({ ...input, slices: slices[input.name] ?? [] })),
    tasks,
    outputs,
    banks,
  };
}
