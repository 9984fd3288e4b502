import { describe, expect, test } from "vitest";
import { f32, modelOf, numbers, stepOf, train } from "./run-steps.ts";
import { plantedBatch, smallSpec } from "./small-model.ts";

const model = modelOf(smallSpec("optimizer: adamw(lr: 5e-3, eps: 1e-5), clip: 5.0, weighting: dwa(), adatt: adatt(warmup: 1, every: 1)"));
const rows = 12;
const batch = (step: number) => plantedBatch(model, step, rows);

describe("loss scaling", () => {
  const step = stepOf(model, { dropout: false, lossScale: true });

  test("changes no step, doubles after 2,000 good ones, and halves after one that overflows", { timeout: 120_000 }, async () => {
    const plain = await train(model, { step: stepOf(model, { dropout: false }), steps: 2, batch });
    const scaled = await train(model, { step, steps: 2, batch });
    for (const [name, { data }] of plain.state)
      for (const [i, value] of data.entries()) expect(numbers(scaled.state, name)[i], name).toBeCloseTo(value, 5);
    const ready = new Map([...scaled.state, ["loss_scale/steps", f32([], [1999])]]);
    const grown = await train(model, { step, steps: 1, batch, from: ready });
    expect(numbers(grown.state, "loss_scale/factor")).toEqual([131072]);
    const spoilt = new Map([...scaled.state, ["loss_scale/factor", f32([], [Number.POSITIVE_INFINITY])]]);
    const after = await train(model, { step, steps: 1, batch, from: spoilt });
    expect(after.reports[0]?.get("metric/taken")).toBe(0);
    expect(after.reports[0]?.get("metric/total")).toBeGreaterThan(0);
    // The loss is finite, and what it says of the tasks is left alone all the same.
    for (const [name, { data }] of spoilt) if (!name.startsWith("loss_scale/")) expect(after.state.get(name)?.data, name).toEqual(data);
    const halved = await train(model, {
      step,
      steps: 1,
      batch: (i) => new Map([...batch(i), ["x", f32([rows, 6], Array(rows * 6).fill(Number.NaN))]]),
      from: scaled.state,
    });
    expect(numbers(halved.state, "loss_scale/factor")).toEqual([32768]);
    for (const [name, { data }] of scaled.state)
      if (!name.startsWith("loss_scale/")) expect(halved.state.get(name)?.data, name).toEqual(data);
  });
});
