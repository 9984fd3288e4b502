import { readFileSync } from "node:fs";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { uniform } from "../training/run-steps.ts";

/** A small model with all that a plan can ask for. */
export function shop({ train = joint, task = "" }: { readonly train?: string; readonly task?: string } = {}): string {
  return `import { WeightedSum } from "std/gates"
import { Dense, Tower } from "std/layers"
import { bce, huber, nll } from "std/losses"

model Shop {
  input x: f32[B, 3]
  input shelf: id[B] of 5

  let all = concat([x, embedding(shelf, 2)])

  experts shared {
    dense[2] = Dense(all, [8], dropout: 0.1)
  }

  task click: binary { loss: bce }
  task basket: classes(5) { loss: nll }
  task amount: regression { loss: huber(delta: 1.0), weight: 2.0 }
  ${task}

  let mixed per task = WeightedSum(shared, by: all)

  flow per task {
    return mixed |> Tower(task.width, [8])
  }

  train { ${train} }
}
`;
}

export const joint = 'optimizer: adamw(lr: 0.01), batch: 32, clip: 5.0, phases: [phase("joint", epochs: 3)]';

/** Two phases, adaTT that measures every third step and freezes, batches in parts, restarts, learned weights. */
export const everything = `
    optimizer: adamw(lr: 0.01),
    schedule: cosine_restarts(t0: 1, t_mult: 1),
    batch: 16,
    accumulate: 2,
    clip: 5.0,
    early_stop: 7,
    weighting: uncertainty(clamp: 4.0),
    adatt: adatt(warmup: 1, freeze: 3, every: 3),
    phases: [phase("joint", epochs: 3), phase("refine", epochs: 2, freeze: [shared])],`;

export const mapping = `source: shop.csv
splits:
  test: { every: 5 }
inputs:
  x: { columns: [a, b, c], scale: standard }
  shelf:
labels:
  click: click
  basket: { column: basket, categories: [none, few, some, many, all] }
  amount: amount
`;

/** Rows whose labels follow from their values, some of them missing. */
export function rows(count = 240): string {
  const random = uniform(5);
  const lines = Array.from({ length: count }, (_, i) => {
    const [a, b, c] = [random(), random(), random()];
    const shelf = ["books", "garden", "toys", "food"][i % 4];
    const sum = a + b + (i % 4) / 4;
    const click = i % 7 === 0 ? "" : String(sum > 0.2);
    const basket = ["none", "few", "some", "many", "all"][Math.max(0, Math.min(4, Math.floor(sum * 2 + 2)))];
    return [a, b, c, shelf, click, basket, (sum + 0.1 * c).toFixed(4)].join(",");
  });
  return `a,b,c,shelf,click,basket,amount\n${lines.join("\n")}\n`;
}

export const files = { "shop.ple": shop(), "everything.ple": shop({ train: everything }), "data.yaml": mapping, "shop.csv": rows() };

/** The bytes of every tensor of a checkpoint, by name. */
export function tensorsOf(path: string): Readonly<Record<string, string>> {
  const { tensors } = readSafetensors(readFileSync(path));
  return Object.fromEntries(
    [...tensors].map(([name, { data }]) => [name, Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("hex")]),
  );
}
