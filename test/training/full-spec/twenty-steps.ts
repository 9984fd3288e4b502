import { readFileSync } from "node:fs";
import { describeModel } from "../../../runtime/description.ts";
import { type Batch, makeTensor, type Tensor } from "../../../runtime/engine.ts";
import { generateBatch } from "../../../runtime/generate.ts";
import { type EngineName, modelOf, plantedLabels, stepOf, train } from "../run-steps.ts";

// Adam divides a gradient by its own size: at the default ε = 1e-8 weights whose gradient is 0 by symmetry (the biases of attention keys) move by what
// rounding leaves of it, as far as all others. All else is the spec's.
const path = "specs/ple_cluster_adatt.ple";
const text = readFileSync(path, "utf8").replace("weight_decay: 0.01)", "weight_decay: 0.01, eps: 1e-5)");
if (!text.includes("eps: 1e-5")) throw new Error(`${path} has no optimiser adamw(…, weight_decay: 0.01)`);
export const model = modelOf(text);

const rows = 2;
export const steps = 20;

/** What a number made up for an input becomes: points of the ball lie within it, and those of diagrams have whole degrees, at every fourth step none. */
function placed(name: string, value: number, i: number, step: number): number {
  if (name === "hierarchy") return 0.2 * value;
  const degrees = { tda_short: 2, tda_long: 3 }[name];
  if (degrees === undefined) return value;
  return step % 4 === 3 ? 0 : i % 3 === 2 ? Math.floor(degrees * value) : value;
}

/** Every other input is as `plec run --generate` makes it up, a quarter of the optional ones missing. */
export const batch = (step: number): Batch => {
  const inputs = [...generateBatch(describeModel(model), rows, step)].map(([name, { dtype, shape, data }]): [string, Tensor] => [
    name,
    makeTensor(
      dtype,
      shape,
      data.map((value, i) => placed(name, value, i, step)),
    ),
  ]);
  const signal = Array.from({ length: rows }, (_, row) => Math.sin(3 * row + step));
  return new Map([...inputs, ...plantedLabels(model, signal)]);
};

export const step = stepOf(model, { dropout: false });
/** From the end of adaTT's warm-up on: it measures at steps 0 and 10, and weighs. */
export const run = (engine: EngineName) => train(model, { step, steps, batch, epochOf: (i) => 3 + i / 4, engine });
