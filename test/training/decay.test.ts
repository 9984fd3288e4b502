import { describe, expect, test } from "vitest";
import { f32, modelOf, numbers, stepOf, train } from "./run-steps.ts";

const spec = (plan: string) => `
import { Dense, Tower } from "std/layers"
import { mse } from "std/losses"
model Held {
  input x: f32[B, 4]
  param scale: f32[4] = 2
  param kept: f32[4, 4] = xavier_uniform { decay: false }
  param stone: f32[4, 4] = xavier_uniform { frozen: true }
  experts shared { one = Dense(x * scale, [5]) two = Dense(x @ kept @ stone, [3]) }
  task a: regression { loss: mse }
  flow a { return concat(shared) |> Tower(1, [3]) }
  train { ${plan} }
}`;

const optimizers = [
  ["adamw", "optimizer: adamw(lr: 0.1, weight_decay: 0.25)"],
  ["sgd", "optimizer: sgd(lr: 0.1, weight_decay: 0.25, momentum: 0.9)"],
] as const;

describe.each(optimizers)("%s, on a batch without labels, whose gradient is 0", (_, plan) => {
  const model = modelOf(spec(plan));
  const nothing = () =>
    new Map([
      ["x", f32([2, 4], [1, 2, 3, 4, 5, 6, 7, 8])],
      ["label/a", f32([2], [Number.NaN, Number.NaN])],
    ]);

  test("matrices shrink by lr · decay a step; vectors, what says `decay: false` and what is frozen stay, bit for bit", async () => {
    const step = stepOf(model);
    const [{ state: before }, { state: after, reports }] = (await Promise.all(
      [0, 3].map((steps) => train(model, { step, steps, batch: nothing })),
    )) as [Awaited<ReturnType<typeof train>>, Awaited<ReturnType<typeof train>>];
    expect(reports[2]?.get("metric/gradient_norm")).toBe(0);
    const shrunk: string[] = [];
    for (const { name, decay } of model.parameters) {
      const [old, now] = [numbers(before, `param/${name}`), numbers(after, `param/${name}`)];
      if (name === "stone" || !decay) {
        expect(now, name).toEqual(old);
        continue;
      }
      shrunk.push(name);
      for (const [i, value] of old.entries()) expect(now[i], name).toBeCloseTo(value * (1 - 0.1 * 0.25) ** 3, 6);
    }
    expect(shrunk.map((name) => name.replace(/.*\//, ""))).toEqual(["W", "W", "W", "W"]);
    expect(step.graph.outputs.some(({ name }) => name === "next/param/stone")).toBe(false);
  });
});

describe("a phase that freezes", () => {
  const plan = `${optimizers[0][1]}, phases: [phase("joint", epochs: 1), phase("late", epochs: 1, freeze: [shared, kept, scale])]`;
  const model = modelOf(spec(plan));
  const batch = (i: number) =>
    new Map([
      ["x", f32([2, 4], [1, 2, 3, 4, -5, 6, -7, 8 + i])],
      ["label/a", f32([2], [1, -1])],
    ]);

  test("neither moves nor decays nor has moments of what it freezes; the rest does", async () => {
    const step = stepOf(model, { phase: 1 });
    const { state: before } = await train(model, { step, steps: 0, batch });
    const { state: after } = await train(model, { step, steps: 4, batch });
    const isFrozen = (name: string) => /^(shared\/|kept$|scale$|stone$)/.test(name);
    const moving = model.parameters.filter(({ name }) => !isFrozen(name));
    for (const { name } of model.parameters)
      if (isFrozen(name)) expect(numbers(after, `param/${name}`), name).toEqual(numbers(before, `param/${name}`));
      else expect(numbers(after, `param/${name}`), name).not.toEqual(numbers(before, `param/${name}`));
    const sizeOf = (name: string) =>
      step.state.filter((entry) => entry.name.startsWith(name)).reduce((sum, { shape }) => sum + (shape[0] ?? 1), 0);
    const weights = moving.reduce((sum, { value }) => sum + value.type.shape.reduce<number>((size, dim) => size * Number(dim), 1), 0);
    expect(sizeOf("adam/m/")).toBe(weights);
    expect(sizeOf("adam/v/")).toBe(weights);
  });
});
