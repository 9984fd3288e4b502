import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { CheckedModel } from "../compiler/model.ts";
import { drawWeights } from "../compiler/weights.ts";
import type { TracedWeights } from "./description.ts";
import { readWeights } from "./safetensors.ts";

/**
 * Weights of a .safetensors file when one is named, else fresh ones of the seed.
 *
 * @throws SafetensorsError for a file that is not the weights of this model, and errors of the file system
 */
export function weightsOf(
  model: CheckedModel,
  { path, seed }: { readonly path?: string | undefined; readonly seed: number },
): TracedWeights {
  if (path === undefined) return { weights: drawWeights(model.graph, seed), origin: { seed } };
  const bytes = readFileSync(path);
  // A file holds what training trains: parameters of penalties too, which predictions do not need.
  const weights = readWeights(bytes, { params: model.parameters });
  return { weights, origin: { fileHash: createHash("sha256").update(bytes).digest("hex") } };
}
