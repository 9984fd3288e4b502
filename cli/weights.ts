import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { CheckedModel } from "../compiler/model.ts";
import { initialWeights } from "../compiler/weights.ts";
import type { TracedWeights } from "../runtime/build-onnx.ts";
import { reading } from "./spec-files.ts";

/** Weights of a file when one is named, else fresh ones of the seed. */
export async function resolveWeights(
  model: CheckedModel,
  options: { readonly weights?: string; readonly seed: number },
): Promise<TracedWeights> {
  const path = options.weights;
  if (path === undefined) return { weights: initialWeights(model.graph, options.seed), origin: { seed: options.seed } };
  const bytes = reading(path, () => readFileSync(path));
  const { readWeights } = await import("../runtime/safetensors.ts");
  return { weights: readWeights(bytes, model.graph), origin: { fileHash: createHash("sha256").update(bytes).digest("hex") } };
}
