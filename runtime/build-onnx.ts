import { type ExternalDataOptions, emitOnnx, emitOnnxFiles, type OnnxFiles, type OnnxOptions } from "../compiler/emit/onnx.ts";
import type { Graph } from "../compiler/ir/graph.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { foldAbsentInputs } from "../compiler/passes/fold-absent.ts";
import { prune } from "../compiler/passes/prune.ts";
import { dropUnreadInputs, selectOutputs } from "../compiler/passes/select-outputs.ts";
import { simplify } from "../compiler/passes/simplify.ts";
import type { WeightSource } from "../compiler/weights.ts";
import { describeAsMetadata, describeModel, describePart, type TracedWeights } from "./description.ts";

/** What of a model goes into a file. */
export interface ModelPart {
  /** Names of the outputs, predictions included; all of them without it. */
  readonly outputs?: ReadonlySet<string>;
  /** Optional inputs that are folded into their fills. */
  readonly without?: ReadonlySet<string>;
}

export type OnnxTarget = Pick<OnnxOptions, "precision" | "opset" | "irVersion"> & { readonly external: ExternalDataOptions };

/** The ONNX file of a model, its description in the metadata. */
export async function buildOnnx(model: CheckedModel, { weights, origin }: TracedWeights, version: string): Promise<Uint8Array> {
  return emitOnnx(prune(simplify(model.graph)), {
    weights,
    metadata: describeAsMetadata(describeModel(model), version, origin),
    producerVersion: version,
  });
}

/** The graph of a part of a model, simplified. A part has no inputs that nothing in it reads. */
export function graphOfPart(model: CheckedModel, { outputs, without = new Set() }: ModelPart, weights: WeightSource): Graph {
  const selected = outputs === undefined ? model.graph : selectOutputs(model.graph, outputs);
  const folded = without.size === 0 ? simplify(selected) : foldAbsentInputs(selected, { names: without, weights });
  return prune(outputs === undefined && without.size === 0 ? folded : dropUnreadInputs(folded));
}

/** The ONNX files of a graph of the model, described in the metadata, to which more can be added. */
export function buildOnnxFiles(
  model: CheckedModel,
  graph: Graph,
  { weights, origin }: TracedWeights,
  version: string,
  { external, ...target }: OnnxTarget,
  further: Readonly<Record<string, string>> = {},
): OnnxFiles {
  const metadata = { ...describeAsMetadata(describePart(model, graph), version, origin, target.precision), ...further };
  return emitOnnxFiles(graph, { ...target, weights, metadata, producerVersion: version }, external);
}
