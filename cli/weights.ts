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
  const [{ placeWeights, SafetensorsError }, { bytesOfFile, hashOfFile }] = await Promise.all([
    import("../runtime/safetensors.ts"),
    import("../runtime/file-bytes.ts"),
  ]);
  const attempt = <T>(read: () => T): T => {
    try {
      return reading(path, read);
    } catch (error) {
      if (error instanceof SafetensorsError) throw new CommandError(`${path}: ${error.message}`, exitCodes.findings);
      throw error;
    }
  };
  return attempt(() => {
    // A file holds what training trains: parameters of penalties too, which predictions do not need.
    const weights = placeWeights(bytesOfFile(path), { params: model.parameters });
    return { weights: { get: (name) => attempt(() => weights.get(name)) }, origin: { fileHash: hashOfFile(path) } };
  });
}
