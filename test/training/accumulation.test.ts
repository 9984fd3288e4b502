import { describe, expect, test } from "vitest";
import type { CheckedModel } from "../../compiler/model.ts";
import { trainingPlan } from "../../compiler/training/plan.ts";
import { gradientGraph, type StepOptions, updateGraph } from "../../compiler/training/step.ts";
import type { Batch } from "../../runtime/engine.ts";
import type { State } from "../../runtime/training/state.ts";
import { f32, modelOf, numbers, stepOf, train } from "./run-steps.ts";
import { plantedBatch, smallSpec } from "./small-model.ts";

/** Rows from `start` on, of every tensor of a batch. */
function rowsOf(batch: Batch, start: number, count: number): Batch {
  return new Map(
    [...batch].map(([name, { dtype, shape, data }]) => {
      const [rows = 1, ...rest] = shape;
      const width = data.length / rows;
      return [
        name,
        { dtype, shape: [count, ...rest], data: data.slice(start * width, (start + count) * width) } as typeof batch extends ReadonlyMap<
          string,
          infer T
        >
          ? T
          : never,
      ];
    }),
  );
}

/** The state after each update of a batch in parts. */
async function inParts(
  model: CheckedModel,
  batches: readonly Batch[],
  parts: number,
  options: StepOptions,
  from?: State,
): Promise<readonly State[]> {
  const plan = trainingPlan(model);
  const [gradients, update] = [gradientGraph(model, plan, options), updateGraph(model, plan, options)];
  const states: State[] = [];
  let state = from;
  for (const batch of batches) {
    const count = (batch.values().next().value?.shape[0] ?? 0) / parts;
    const sums: State = (
      await train(model, {
        step: gradients,
        steps: parts,
        batch: (i) => rowsOf(batch, i * count, count),
        epochOf: () => 1.5,
        ...(state === undefined ? {} : { from: state }),
      })
    ).state;
    expect(numbers(sums, "gradient/batches")).toEqual([parts]);
    const moved = await train(model, {
      step: update,
      steps: 1,
      batch: () => new Map(),
      epochOf: () => 1.5,
      from: new Map([...(state ?? []), ...sums]),
    });
    state = new Map([...(state ?? []), ...sums, ...moved.state]);
    for (const [name, { data }] of state)
      if (name.startsWith("gradient/"))
        expect(
          [...data].every((v) => v === 0),
          name,
        ).toBe(true);
    states.push(state);
  }
  return states;
}

describe("batches in parts", () => {
  // All but the contrast within the batch, whose negatives are those of the part.
  const text = smallSpec(
    `optimizer: adamw(lr: 5e-3, eps: 1e-5), schedule: cosine_restarts(t0: 2), clip: 0.5, weighting: uncertainty(), adatt: adatt(warmup: 1, every: 100)`,
  ).replace(/^.*task brand.*$/m, "");
  const model = modelOf(text);
  const rows = 16;
  /** In each quarter every task lacks its first label. */
  const batchOf = (step: number): Batch =>
    new Map(
      [...plantedBatch(model, step, rows)].map(([name, tensor]) => {
        const missing = name === "label/amount" ? Number.NaN : -1;
        if (!name.startsWith("label/")) return [name, tensor];
        return [name, { ...tensor, data: tensor.data.map((v, i) => (i % 4 === 0 ? missing : v)) } as typeof tensor];
      }),
    );
  const options = { dropout: false, measure: false };
  // As adaTT would have weighed the tasks before.
  const from: State = new Map([["adatt/weights", f32([4], [1.5, 0.5, 1.2, 0.8])]]);

  test("four quarters take the step of the whole, three times over: losses, penalties, weights of tasks and clipping", {
    timeout: 120_000,
  }, async () => {
    const batches = [0, 1, 2].map(batchOf);
    const whole = await train(model, {
      step: stepOf(model, options),
      steps: 3,
      batch: (i) => batches[i] ?? new Map(),
      epochOf: () => 1.5,
      from,
    });
    expect(whole.reports[0]?.get("metric/gradient_norm")).toBeGreaterThan(0.5);
    expect(whole.reports[0]?.get("weight/click")).toBe(1.5);
    const parts = await inParts(model, batches, 4, options, from);
    for (const [i, expected] of whole.states.entries()) {
      for (const [name, { data }] of expected) {
        const found = numbers(parts[i] ?? new Map(), name);
        const size = Math.max(0.1, ...[...data].map(Math.abs));
        for (const [j, value] of data.entries())
          expect(Math.abs((found[j] ?? Number.NaN) - value) / size, `${name} after ${i}`).toBeLessThan(1e-5);
      }
    }
  });

  test("a part that is not finite spoils the step and nothing else: weights, moments and what weighs the tasks stay, the buffers are emptied", async () => {
    const dwa = modelOf(text.replace("uncertainty()", "dwa()"));
    const [good, other] = [batchOf(0), batchOf(1)];
    const spoilt = new Map([
      ...good,
      [
        "x",
        f32(
          [rows, 6],
          [...(good.get("x")?.data ?? [])].map((v, i) => (i === 0 ? Number.NaN : v)),
        ),
      ],
    ]);
    const [first, second] = await inParts(dwa, [other, spoilt], 1, { ...options, measure: true });
    for (const [name, { data }] of first ?? []) expect(second?.get(name)?.data, name).toEqual(data);
    const [third] = await inParts(dwa, [good], 2, options, second);
    expect(numbers(third ?? new Map(), "adam/steps")).toEqual([2]);
  });

  test("parts count alike: a task that has labels in one of two parts moves by half of that part's gradient", async () => {
    const one = modelOf(`
import { Dense, Tower } from "std/layers"
import { mse } from "std/losses"
model One {
  input x: f32[B, 6]
  task a: regression { loss: mse }
  flow a { return Dense(x, [8]) |> Tower(1, [4]) }
  train { optimizer: sgd(lr: 1.0), accumulate: 2 }
}`);
    const batch = plantedBatch(one, 0, 12);
    const label = [...(batch.get("label/a")?.data ?? [])];
    const half = new Map([
      ...batch,
      [
        "label/a",
        f32(
          [12],
          label.map((v, i) => (i < 6 ? v : Number.NaN)),
        ),
      ],
    ]);
    const start = (await train(one, { step: stepOf(one), steps: 0, batch: () => batch })).state;
    const alone = (await train(one, { step: stepOf(one), steps: 1, batch: () => rowsOf(batch, 0, 6) })).state;
    const [found] = await inParts(one, [half], 2, {});
    for (const name of start.keys()) {
      const [before, full] = [numbers(start, name), numbers(alone, name)];
      for (const [i, value] of numbers(found ?? new Map(), name).entries())
        expect(value - (before[i] ?? 0), name).toBeCloseTo(((full[i] ?? 0) - (before[i] ?? 0)) / 2, 6);
    }
  });
});
