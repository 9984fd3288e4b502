import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CheckedModel } from "../compiler/model.ts";
import type { TracedWeights } from "../runtime/description.ts";
import { CommandError, exitCodes } from "./io.ts";
import { reading } from "./spec-files.ts";

/** The best weights of a run for its folder, any other path for itself. */
export function weightsPath(path: string): string {
  if (!existsSync(path) || !statSync(path).isDirectory()) return path;
  const best = join(path, "checkpoints", "best.safetensors");
  if (existsSync(best)) return best;
  throw new CommandError(`${path} is no run with weights: ${best} is not there`);
}

/**
 * Weights of a file, or of a run, when one is named, else fresh ones of the seed.
 *
 * @throws CommandError for a file that is not the weights of this model
 */
export async function resolveWeights(
  model: CheckedModel,
  { weights: given, seed }: { readonly weights?: string; readonly seed: number },
): Promise<TracedWeights> {
  const path = given === undefined ? undefined : weightsPath(given);
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
