import { expect, test } from "vitest";
import { trainingPlan } from "../../compiler/training/plan.ts";
import { gradientGraph } from "../../compiler/training/step.ts";
import { f32, modelOf, numbers, train, uniform } from "./run-steps.ts";

test("gradients of points at the edge of the hyperbolic ball do not hang on rounding: float32 and float64 agree", async () => {
  const model = modelOf(`
import { UnifiedHGCN } from "std/experts"
import { mse } from "std/losses"
model Saturated {
  input places: f32[B, 20] { a: 8, b: 8, c: 4 }
  input merchant: f32[B, 27]
  task a: regression { loss: mse }
  flow a { return UnifiedHGCN([places.a, places.b, places.c], merchant) |> linear(1) }
  train { optimizer: sgd(lr: 1.0) }
}`);
  const step = gradientGraph(model, trainingPlan(model));
  const next = uniform(1);
  const between = (count: number, high: number) => Array.from({ length: count }, () => (high * (next() + 1)) / 2);
  const batch = new Map([
    ["places", f32([8, 20], between(160, 0.2))],
    ["merchant", f32([8, 27], between(216, 1))],
    ["label/a", f32([8], between(8, 3))],
  ]);
  const run = { step, steps: 1, batch: () => batch };
  const [exact, found] = [await train(model, run), await train(model, { ...run, engine: "onnxruntime" })];
  for (const name of ["gradient/decayed", "gradient/undecayed"]) {
    const [a, b] = [numbers(found.state, name), numbers(exact.state, name)];
    const largest = b.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const off = b.reduce((most, value, i) => Math.max(most, Math.abs(value - (a[i] ?? Number.NaN))), 0);
    expect(largest).toBeGreaterThan(1);
    expect(off / largest).toBeLessThan(5e-5);
  }
});
