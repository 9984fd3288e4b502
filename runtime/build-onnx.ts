import { emitOnnx } from "../compiler/emit/onnx.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { prune } from "../compiler/passes/prune.ts";
import { simplify } from "../compiler/passes/simplify.ts";
import { describeAsMetadata, describeModel, type TracedWeights } from "./description.ts";

/** The ONNX file of a model, its description in the metadata. */
export async function buildOnnx(model: CheckedModel, { weights, origin }: TracedWeights, version: string): Promise<Uint8Array> {
  return emitOnnx(prune(simplify(model.graph)), {
    weights,
    metadata: describeAsMetadata(describeModel(model), version, origin),
    producerVersion: version,
  });
}
