import { type Batch, makeTensor } from "../engine.ts";
import { labelName } from "./contract.ts";
import { unscale } from "./scale.ts";
import type { Preparation } from "./statistics.ts";

/** Predictions in the units of the data, where the labels were scaled for training. */
export function unscalePredictions(predictions: Batch, { mapping, statistics }: Preparation): Batch {
  const unscaled = new Map(predictions);
  for (const { target, scale } of mapping.labels) {
    const tensor = predictions.get(target);
    if (scale.length === 0 || tensor === undefined) continue;
    const moments = statistics.moments[labelName(target)] ?? null;
    const width = tensor.shape[1] ?? 1;
    const values = Float32Array.from(tensor.data, (value, i) => unscale(value, scale, moments, i % width));
    unscaled.set(target, makeTensor("f32", tensor.shape, values));
  }
  return unscaled;
}
