import { uniform } from "../../training/run-steps.ts";

/** What a fault changes of a sound run. */
export interface Fault {
  readonly second?: string;
  readonly prior?: string;
  readonly entropy?: number;
  readonly strength?: number;
  /** Of the model, before its plan. */
  readonly further?: string;
  /** Settings of `train` that replace or join the sound ones. */
  readonly plan?: Readonly<Record<string, string>>;
  /** A line of the mapping that is left out. */
  readonly unmapped?: string;
  readonly rows?: (row: Row, i: number) => Row;
}

export type Row = Readonly<Record<"a0" | "a1" | "a2" | "b0" | "b1" | "b2" | "s0" | "s1" | "click" | "amount", number | null>>;

/** One phase of three epochs, which is what most faults need. */
const short = { optimizer: "adamw(lr: 0.01)", batch: "32", phases: '[phase("joint", epochs: 3)]' };

/** All that a plan can bring about within six epochs. */
export const everything = {
  optimizer: "adamw(lr: 0.01)",
  schedule: "cosine_restarts(t0: 2, t_mult: 1)",
  batch: "32",
  weighting: "uncertainty(clamp: 4.0)",
  adatt: "adatt(warmup: 1, freeze: 4, every: 3)",
  phases: '[phase("joint", epochs: 5), phase("refine", epochs: 1, freeze: [shared])]',
};

/** A model in which every monitor has something to look at: two experts, gates, a route, a transfer, an annealed penalty. */
export function watched({
  second = "Dense(b, [8])",
  prior = "[0, 0]",
  entropy = 0.05,
  strength = 0.1,
  further = "penalty size = 0.01 * min(1, epoch / 2) * mean(shared.first * shared.first, axis: [0, 1])",
  plan: changed = {},
}: Fault = {}): string {
  const settings = Object.entries({ ...short, ...changed }).map(([name, value]) => `${name}: ${value}`);
  return `import { BlockScale } from "std/gates"
import { Dense, HmmProjector, Residual, Tower } from "std/layers"
import { bce, mse } from "std/losses"

model Watched {
  input a: f32[B, 3]
  input b: f32[B, 3]?
  input state: f32[B, 2]?

  experts shared {
    first: f32[B, 8] = Dense(a, [8])
    second: f32[B, 8] = ${second}
  }

  routes way {
    states: f32[B, 4] = HmmProjector(state, 4)
  }

  let gate per task: f32[B, 16] = BlockScale(shared, by: concat(shared), prior: ${prior}, scale: "mean1", entropy: ${entropy})

  task click: binary { loss: bce, route: states }
  task amount: regression { loss: mse, route: states }
  transfer click -> amount = Residual(strength: ${strength})

  let hidden per task: f32[B, 16] = concat([gate, way]) |> Dense([16])

  flow per task { return hidden |> transfers |> Tower(task.width, [8]) }

  ${further}

  train { ${settings.join(", ")} }
}
`;
}

export const mapping = `source: rows.csv
splits:
  test: { every: 5 }
inputs:
  a: { columns: [a0, a1, a2] }
  b: { columns: [b0, b1, b2] }
  state: { columns: [s0, s1] }
labels:
  click: click
  amount: amount
`;

/** Rows whose labels follow from both experts' inputs and some noise. */
export function rows(change: NonNullable<Fault["rows"]> = (row) => row): string {
  const random = uniform(11);
  const lines = Array.from({ length: 400 }, (_, i) => {
    const [a0, a1, a2, b0, b1, b2, s0, s1, noise] = Array.from({ length: 9 }, random) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const signal = a0 - 0.5 * a1 + b0 + 0.5 * b1 * a2 + 0.3 * s0;
    const row: Row = { a0, a1, a2, b0, b1, b2, s0, s1, click: signal + noise > 0 ? 1 : 0, amount: signal + 0.5 * noise };
    return Object.values(change(row, i))
      .map((value) => value ?? "")
      .join(",");
  });
  return `a0,a1,a2,b0,b1,b2,s0,s1,click,amount\n${lines.join("\n")}\n`;
}
