import { emitGraphModel, type GraphModelArtifacts } from "../compiler/emit/graph-model.ts";
import type { Graph } from "../compiler/ir/graph.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { describeAsMetadata, describePart, type TracedWeights } from "./description.ts";

/** The TensorFlow.js GraphModel of a graph of the model, the description in the metadata. */
export function buildGraphModel(
  model: CheckedModel,
  graph: Graph,
  { weights, origin }: TracedWeights,
  version: string,
  further: Readonly<Record<string, string>> = {},
): GraphModelArtifacts {
  return emitGraphModel(graph, {
    weights,
    metadata: { ...describeAsMetadata(describePart(model, graph), version, origin), ...further },
    producerVersion: version,
  });
}
