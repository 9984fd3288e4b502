import type { CheckedModel } from "../compiler/model.ts";
import { drawWeights } from "../compiler/weights.ts";
import type { TracedWeights } from "./description.ts";
import { bytesOfFile, hashOfFile } from "./file-bytes.ts";
import { placeWeights } from "./safetensors.ts";

/**
 * Weights of a .safetensors file when one is named, read as they are asked for, else fresh ones of the seed.
 *
 * @throws SafetensorsError for a file that is not the weights of this model, and errors of the file system; so do reads, once the file has changed
 */
export function weightsOf(
  model: CheckedModel,
  { path, seed }: { readonly path?: string | undefined; readonly seed: number },
): TracedWeights {
  if (path === undefined) return { weights: drawWeights(model.graph, seed), origin: { seed } };
  // A file holds what training trains: parameters of penalties too, which predictions do not need.
  return { weights: placeWeights(bytesOfFile(path), { params: model.parameters }), origin: { fileHash: hashOfFile(path) } };
}
