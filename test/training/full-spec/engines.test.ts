import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { checkSource } from "../../../compiler/driver.ts";
import { describeModel } from "../../../runtime/description.ts";
import type { Batch, Tensor } from "../../../runtime/engine.ts";
import { generateBatch } from "../../../runtime/generate.ts";
import { type EngineName, f32, numbers, plantedLabels, stepOf, train } from "../run-steps.ts";

// Adam divides a gradient by its own size: at the default ε = 1e-8 weights whose gradient is 0 by symmetry (the biases of attention keys) move by what
// rounding leaves of it, as far as all others. All else is the spec's.
const path = "specs/ple_cluster_adatt.ple";
const text = readFileSync(path, "utf8").replace("weight_decay: 0.01)", "weight_decay: 0.01, eps: 1e-5)");
const [model] = checkSource(path, text).models;
if (model === undefined || !text.includes("eps: 1e-5"))
  throw new Error(`${path} has no model whose optimiser is adamw(…, weight_decay: 0.01)`);

const rows = 2;
const steps = 20;

/** Points of the ball lie within it; every other input is as `plec run --generate` makes it up, a quarter of the optional ones missing. */
const batch = (step: number): Batch => {
  const inputs = [...generateBatch(describeModel(model), rows, step)].map(([name, tensor]): [string, Tensor] => [
    name,
    name === "hierarchy"
      ? f32(
          tensor.shape,
          tensor.data.map((value) => 0.2 * value),
        )
      : tensor,
  ]);
  const signal = Array.from({ length: rows }, (_, row) => Math.sin(3 * row + step));
  return new Map([...inputs, ...plantedLabels(model, signal)]);
};

const step = stepOf(model, { dropout: false });
/** From the end of adaTT's warm-up on: it measures at steps 0 and 10, and weighs. */
const run = (engine: EngineName) => train(model, { step, steps, batch, epochOf: (i) => 3 + i / 4, engine });
const reference = run("interpreter");

describe("20 steps of the full spec", () => {
  test("move every weight on the interpreter", async () => {
    const { reports, states } = await reference;
    expect(reports.map((report) => report.get("metric/taken"))).toEqual(Array(steps).fill(1));
    const [first, last] = [states[0], states.at(-1)];
    for (const [name, { data }] of first ?? [])
      if (/^(param|weighting)\//.test(name)) expect(last?.get(name)?.data, name).not.toEqual(data);
    expect(Math.max(...numbers(last ?? new Map(), "adatt/weights"))).toBeGreaterThan(1.01);
  });

  test.each(["onnxruntime", "tfjs wasm"] as const)("end on %s where they end on the interpreter", async (engine) => {
    const [expected, found] = [await reference, await run(engine)];
    for (const [i, report] of expected.reports.entries())
      for (const [name, value] of report)
        expect(
          Math.abs((found.reports[i]?.get(name) ?? Number.NaN) - value) / Math.max(Math.abs(value), 1e-3),
          `${name} at step ${i}`,
        ).toBeLessThan(1e-4);
    const off = (at: number, name: string, least: number) => {
      const [a, b] = [found.states[at], expected.states[at]].map((state) => numbers(state ?? new Map(), name));
      const difference = (b ?? []).reduce((most, value, i) => Math.max(most, Math.abs(value - (a?.[i] ?? Number.NaN))), 0);
      return difference / (b ?? []).reduce((most, value) => Math.max(most, Math.abs(value)), least);
    };
    // After one step the first moment is a tenth of the clipped gradient.
    for (const name of expected.state.keys())
      if (name.startsWith("adam/m/")) expect(off(0, name, 0), `gradient: ${name}`).toBeLessThan(1e-4);
    // What began at 0 has moved by 0.01 at most: it is measured against twice that.
    for (const name of expected.state.keys()) expect(off(steps - 1, name, 0.02), name).toBeLessThan(1e-4);
  });
});
