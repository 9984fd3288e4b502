import type { CheckedModel } from "../../compiler/model.ts";
import type { Batch } from "../../runtime/engine.ts";
import { f32, plantedLabels, uniform } from "./run-steps.ts";

/** Gates, groups, transfers, every kind of task, evidence, an autoencoder, a causal expert: what the large spec has, small. */
export const smallSpec = (settings: string, entropy = 0.05) => `
import { Causal } from "std/experts"
import { BlockScale } from "std/gates"
import { Dense, Residual, Tower } from "std/layers"
import { bce, focal, huber, info_nce, nll } from "std/losses"
import { EvidentialHead, SparseAutoencoder, evidential_loss } from "std/heads"

model Small {
  input x: f32[B, 6]
  experts shared {
    dense: f32[B, 8] = Dense(x, [8], dropout: 0.2)
    causal: f32[B, 8] = Causal(x, nodes: 4, out: 8)
  }
  group first { intra: 0.8, inter: 0.3 }
  group second { intra: 0.6, inter: 0.2 }
  task click in first: binary { loss: focal, prefer: [dense] }
  task buy in first: binary { loss: bce, weight: 1.5 }
  task basket in second: classes(3) { loss: nll }
  task amount in second: regression { loss: huber }
  task brand in second: embedding(4) { loss: info_nce }
  transfer click -> buy = Residual()
  let cgc per task = BlockScale(shared, by: concat(shared), prior: [if e in task.prefer then 1 else -1 for e in names(shared)], entropy: ${entropy})
  let hidden per task = cgc |> linear(8) per group |> layer_norm |> silu
  flow per task { return hidden |> transfers |> Tower(task.width, [8], dropout: 0.1) }
  let evidence per task = EvidentialHead(hidden, task)
  penalty evidence per task = evidential_loss(evidence, f32(label), epoch, task, strength: 0.1, anneal: 2)
  let sae = SparseAutoencoder(concat(shared), expand: 2)
  output latents = sae.latents
  train { ${settings} }
}`;

/** A batch of `smallSpec` whose labels follow from x. */
export function plantedBatch(model: CheckedModel, step: number, count: number): Batch {
  const next = uniform(100 + step);
  const x = Array.from({ length: count * 6 }, next);
  const signal = Array.from({ length: count }, (_, i) => ((x[6 * i] ?? 0) + (x[6 * i + 1] ?? 0)) / 2);
  return new Map([["x", f32([count, 6], x)], ...plantedLabels(model, signal)]);
}
