import type { CheckedModel } from "../compiler/model.ts";
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
  { weights: path, seed }: { readonly weights?: string; readonly seed: number },
): Promise<TracedWeights> {
  const [{ weightsOf }, { SafetensorsError }] = await Promise.all([
    import("../runtime/weights-of.ts"),
    import("../runtime/safetensors.ts"),
  ]);
  const attempt = <T>(read: () => T): T => {
    try {
      return reading(path ?? "", read);
    } catch (error) {
      if (error instanceof SafetensorsError) throw new CommandError(`${path}: ${error.message}`, exitCodes.findings);
      throw error;
    }
  };
  const { weights, origin } = attempt(() => weightsOf(model, { path, seed }));
  return { weights: { get: (name) => attempt(() => weights.get(name)) }, origin };
}
