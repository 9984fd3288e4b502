import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { CheckedModel } from "../compiler/model.ts";
import { drawWeights } from "../compiler/weights.ts";
import type { TracedWeights } from "../runtime/description.ts";
import { CommandError, exitCodes } from "./io.ts";
import { reading } from "./spec-files.ts";

/**
 * Weights of a file when one is named, else fresh ones of the seed.
 *
 * @throws CommandError for a file that is not the weights of this model
 */
export async function resolveWeights(
  model: CheckedModel,
  options: { readonly weights?: string; readonly seed: number },
): Promise<TracedWeights> {
  const path = options.weights;
  if (path === undefined) return { weights: drawWeights(model.graph, options.seed), origin: { seed: options.seed } };
  const bytes = reading(path, () => readFileSync(path));
  const { readWeights, SafetensorsError } = await import("../runtime/safetensors.ts");
  try {
    // A file holds what training trains: parameters of penalties too, which predictions do not need.
    const weights = readWeights(bytes, { params: model.parameters });
    return { weights, origin: { fileHash: createHash("sha256").update(bytes).digest("hex") } };
  } catch (error) {
    if (error instanceof SafetensorsError) throw new CommandError(`${path}: ${error.message}`, exitCodes.findings);
    throw error;
  }
}
