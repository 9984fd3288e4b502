import { describe, expect, test } from "vitest";
import type { Batch } from "../../runtime/engine.ts";
import type { State } from "../../runtime/training/state.ts";
import { f32, modelOf, numbers, stepOf, train, uniform } from "./run-steps.ts";

const tasks = ["a", "b", "c"] as const;
/** Without adaTT unless a plan says so; a learning rate of 1 makes a step the gradient itself. */
const spec = (experts: string, plan: string) => `
import { Dense, Tower } from "std/layers"
import { mse } from "std/losses"
model Three {
  input x: f32[B, 4]
  experts shared { ${experts} }
  group first { intra: 0.8 }
  group second { inter: 0.5 }
  task a in first: regression { loss: mse }
  task b in first: regression { loss: mse, weight: 2.0 }
  task c in second: regression { loss: mse }
  flow per task { return concat(shared) |> Tower(1, [3]) }
  train { optimizer: sgd(lr: 1.0), weighting: fixed(), ${plan} }
}`;
const dense = "one = Dense(x, [5])\n two = Dense(x, [3])";

function batchOf(seed: number, rows: number, only: (typeof tasks)[number] | null = null): Batch {
  const next = uniform(seed);
  const x = Array.from({ length: rows * 4 }, next);
  const signal = Array.from({ length: rows }, (_, i) => (x[4 * i] ?? 0) - (x[4 * i + 1] ?? 0));
  const targets = { a: signal, b: signal.map((v) => v + 0.5), c: signal.map((v) => -2 * v) };
  const label = (task: (typeof tasks)[number]) => targets[task].map((v) => (only === null || only === task ? v : Number.NaN));
  return new Map([["x", f32([rows, 4], x)] as const, ...tasks.map((task) => [`label/${task}`, f32([rows], label(task))] as const)]);
}

const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * (b[i] ?? Number.NaN), 0);
const length = (a: readonly number[]) => Math.sqrt(dot(a, a));

/** What a step takes away of the parameters that match, in one vector. */
async function moves(
  experts: string,
  plan: string,
  batch: Batch,
  pattern: RegExp,
): Promise<{ readonly by: readonly number[]; readonly state: State }> {
  const model = modelOf(spec(experts, plan));
  const step = stepOf(model);
  const { state: before } = await train(model, { step, steps: 0, batch: () => batch });
  const { state } = await train(model, { step, steps: 1, batch: () => batch });
  const names = [...before.keys()].filter((name) => pattern.test(name)).sort();
  if (names.length === 0) throw new Error(`no parameter matches ${pattern.source}`);
  return { by: names.flatMap((name) => numbers(before, name).map((v, i) => v - (numbers(state, name)[i] ?? Number.NaN))), state };
}

describe("adaTT in a step", () => {
  const adatt = "adatt: adatt(warmup: 0, every: 1, over: [shared])";

  test("compares what each task alone would do to the shared parameters, and weighs the same step by it", async () => {
    const pattern = /^param\/shared\//;
    const alone = await Promise.all(tasks.map((task) => moves(dense, "", batchOf(5, 8, task), pattern)));
    const [a, b, c] = alone.map(({ by }) => by) as [readonly number[], readonly number[], readonly number[]];
    const found = await moves(dense, adatt, batchOf(5, 8), pattern);
    const cosine = (g: readonly number[], h: readonly number[]) => dot(g, h) / (length(g) * length(h));
    const affinity = [a, b, c].flatMap((g) => [a, b, c].map((h) => (g === h ? 1 : cosine(g, h))));
    for (const [i, value] of numbers(found.state, "adatt/affinity").entries())
      expect(value, `affinity ${i}`).toBeCloseTo(affinity[i] ?? 0, 5);
    // c_j = 1 + Σ S A min(|g_i| / |g_j|, 1) / 2, but for pairs below -0.1.
    const strengths = [
      [0, 0.8, 0.5],
      [0.8, 0, 0.5],
      [0.3, 0.3, 0],
    ];
    const gradients = [a, b, c];
    const pairs = gradients.flatMap((g, i) =>
      gradients.map((h, j) => ({ i, j, cos: cosine(g, h), ratio: Math.min(length(g) / length(h), 1) })),
    );
    const open = pairs.filter(({ i, j, cos }) => i !== j && cos >= -0.1);
    expect([open.length, pairs.length]).toEqual([4, 9]);
    const weights = gradients.map((_, to) =>
      open.reduce((sum, { i, j, cos, ratio }) => (j === to ? sum + ((strengths[i]?.[j] ?? 0) * cos * ratio) / 2 : sum), 1),
    );
    for (const [i, value] of numbers(found.state, "adatt/weights").entries()) expect(value, `weight ${i}`).toBeCloseTo(weights[i] ?? 0, 5);
    for (const [i, value] of found.by.entries())
      expect(value).toBeCloseTo(
        gradients.reduce((sum, g, task) => sum + (weights[task] ?? 0) * (g[i] ?? 0), 0),
        4,
      );
  });

  test("compares over what the experts say where nothing else is named: of one row, over the biases of linear experts", async () => {
    const linear = "one = linear(x, 5)\n two = linear(x, 3)";
    const alone = await Promise.all(tasks.map((task) => moves(linear, "", batchOf(2, 1, task), /^param\/shared\/.*b$/)));
    const found = await moves(linear, "adatt: adatt(warmup: 0, every: 1)", batchOf(2, 1), /^param\/shared\/.*b$/);
    expect(found.by).toHaveLength(8);
    const affinity = numbers(found.state, "adatt/affinity");
    for (const [i, { by: g }] of alone.entries())
      for (const [j, { by: h }] of alone.entries()) expect(affinity[3 * i + j]).toBeCloseTo(dot(g, h) / (length(g) * length(h)), 5);
  });

  test("reports what its weights add to the total", async () => {
    const model = modelOf(spec(dense, adatt));
    const { reports, state } = await train(model, { step: stepOf(model), steps: 1, batch: () => batchOf(5, 8) });
    const losses = tasks.map((task) => (task === "b" ? 2 : 1) * (reports[0]?.get(`loss/${task}`) ?? Number.NaN));
    const weights = numbers(state, "adatt/weights");
    expect(reports[0]?.get("metric/total")).toBeCloseTo(dot(losses, weights), 5);
    expect(reports[0]?.get("metric/transfer")).toBeCloseTo(
      dot(
        losses,
        weights.map((c) => c - 1),
      ),
      5,
    );
  });

  test("freezes with it what `freeze_with` names, decay and moments too, and leaves gates alone then", async () => {
    const plan = "adatt: adatt(warmup: 0, freeze: 2, every: 1, freeze_with: [shared])";
    const model = modelOf(spec(dense, plan).replace("sgd(lr: 1.0)", "adamw(lr: 0.01, weight_decay: 0.5)"));
    const { states } = await train(model, { step: stepOf(model), steps: 5, batch: (i) => batchOf(i, 8), epochOf: (i) => i });
    const names = [...(states[1]?.keys() ?? [])];
    const held = names.filter((name) => name.startsWith("param/shared/") || name.startsWith("adatt/") || /_gates$/.test(name));
    expect(held.filter((name) => name.startsWith("adam/")).length).toBe(4);
    for (const name of names)
      if (held.includes(name)) expect(states[4]?.get(name)?.data, name).toEqual(states[1]?.get(name)?.data);
      else expect(states[4]?.get(name)?.data, name).not.toEqual(states[1]?.get(name)?.data);
    expect(numbers(states[1] ?? new Map(), "param/shared/one/mlp/0/y/W")).not.toEqual(
      numbers(states[0] ?? new Map(), "param/shared/one/mlp/0/y/W"),
    );
  });
});
