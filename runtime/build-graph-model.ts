import { emitGraphModel, type GraphModelArtifacts } from "../compiler/emit/graph-model.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { prune } from "../compiler/passes/prune.ts";
import { simplify } from "../compiler/passes/simplify.ts";
import { describeAsMetadata, describeModel, type TracedWeights } from "./description.ts";

/** The TensorFlow.js GraphModel of a model, its description in the metadata. */
export function buildGraphModel(model: CheckedModel, { weights, origin }: TracedWeights, version: string): GraphModelArtifacts {
  return emitGraphModel(prune(simplify(model.graph)), {
    weights,
    metadata: describeAsMetadata(describeModel(model), version, origin),
    producerVersion: version,
  });
}
