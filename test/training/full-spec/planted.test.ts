import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { describeModel } from "../../../runtime/description.ts";
import type { Batch, Tensor } from "../../../runtime/engine.ts";
import { generateBatch } from "../../../runtime/generate.ts";
import { carriedState, type State } from "../../../runtime/training/state.ts";
import { f32, modelOf, numbers, plantedLabels, stepOf, type Training, train, uniform } from "../run-steps.ts";

/** The full spec on short sequences and small diagrams; it learns faster, and its gates are pulled open where they are not frozen. */
const edits: readonly (readonly [string, string])[] = [
  ["f32[B, 180, 16]", "f32[B, 10, 16]"],
  ["f32[B, 90, 8]", "f32[B, 6, 8]"],
  ["f32[B, 200, 3]", "f32[B, 8, 3]"],
  ["tda_short_mask: f32[B, 200]", "tda_short_mask: f32[B, 8]"],
  ["f32[B, 150, 3]", "f32[B, 6, 3]"],
  ["tda_long_mask: f32[B, 150]", "tda_long_mask: f32[B, 6]"],
  ["lr: 5e-4", "lr: 3e-3"],
  ["entropy: 0.01 /", "entropy: 16 /"],
];
const text = edits.reduce(
  (before, [from, to]) => {
    if (!before.includes(from)) throw new Error(`the spec has no ${from}`);
    return before.replace(from, to);
  },
  readFileSync("specs/ple_cluster_adatt.ple", "utf8"),
);
const model = modelOf(text);

const rows = 24;

/** What every label follows from moves all columns of the features, each as far as it is told to, beside noise. */
const pulls = Array.from({ length: 734 }, uniform(1));
function batch(step: number): Batch {
  const next = uniform(1000 + step);
  const signal = Array.from({ length: rows }, next);
  const features = signal.flatMap((s) => pulls.map((pull) => 2 * s * pull + 0.5 * next()));
  const inputs = [...generateBatch(describeModel(model), rows, step)].map(([name, tensor]): [string, Tensor] => [
    name,
    name === "features"
      ? f32([rows, 734], features)
      : name === "hierarchy"
        ? f32(
            tensor.shape,
            tensor.data.map((v) => 0.2 * v),
          )
        : tensor,
  ]);
  return new Map([...inputs, ...plantedLabels(model, signal)]);
}

/** The same rows at the begin of the first phase and at the end of both. */
const held = batch(999);
const perEpoch = 10;
const [joint, refine] = [150, 50];
const rowsAt = (i: number, last: number) => (i === 0 || i === last ? held : batch(i));

/** Edges of 0.13 between all 64 variables: a graph full of cycles, where the drawn one has hardly any. */
const cyclic = model.parameters.flatMap(({ name, value }): (readonly [string, Tensor])[] => {
  const shape = value.type.shape.map(Number);
  return name.endsWith("structural/A_raw") ? [[`param/${name}`, f32(shape, new Array(64 * 64).fill(0.13))]] : [];
});

const first = train(model, {
  step: stepOf(model),
  steps: joint + 1,
  batch: (i) => rowsAt(i, joint),
  epochOf: (i) => i / perEpoch,
  engine: "onnxruntime",
  from: new Map(cyclic),
});
const second = first.then(({ state }) =>
  train(model, {
    step: stepOf(model, { phase: 1 }),
    steps: refine + 1,
    batch: (i) => (i === refine ? held : batch(joint + 1 + i)),
    epochOf: (i) => 15 + Math.min(i / perEpoch, 7.9),
    engine: "onnxruntime",
    from: carriedState(state),
  }),
);

const reported = ({ reports }: Training, at: number, name: string) => reports.at(at)?.get(name) ?? Number.NaN;
const still = (before: State | undefined, after: State | undefined, names: readonly string[]) => {
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) expect(after?.get(name)?.data, name).toEqual(before?.get(name)?.data);
};

describe("200 steps of the full spec on planted data", () => {
  test("take every step, and lower every task's loss in the first phase and over both", async () => {
    const [one, two] = [await first, await second];
    for (const { reports } of [one, two]) expect(reports.filter((report) => report.get("metric/taken") !== 1)).toEqual([]);
    const losses = model.order.map((task) => {
      const name = `loss/${task}`;
      return { task, before: reported(one, 0, name), joint: reported(one, joint, name), after: reported(two, refine, name) };
    });
    expect(losses.filter(({ before, joint, after }) => !(Math.max(joint, after) < 0.9 * before))).toEqual([]);
  });

  test("even the gates out, break the cycles, and teach the autoencoder to rebuild what the experts say", async () => {
    const one = await first;
    // Penalties are what training lowers: of gates minus their entropy.
    for (const task of model.order)
      expect(reported(one, joint, `penalty/cgc/${task}/entropy`), task).toBeLessThan(reported(one, 0, `penalty/cgc/${task}/entropy`));
    const acyclicity = "penalty/shared/causal/y/structural/acyclicity";
    // 0.1 · (tr((I + M / 64)^64) - 64), M of 0.13² with an empty diagonal: its eigenvalues are 63 · 0.13² and -0.13², the second 63 times.
    expect(reported(one, 0, acyclicity)).toBeCloseTo(0.1 * ((1 + (63 * 0.0169) / 64) ** 64 + 63 * (1 - 0.0169 / 64) ** 64 - 64), 5);
    expect(reported(one, joint, acyclicity)).toBeLessThan(0.5 * reported(one, 0, acyclicity));
    expect(reported(one, joint, "penalty/sae/sae")).toBeLessThan(0.8 * reported(one, 0, "penalty/sae/sae"));
  });

  test("hold the gates and adaTT from its epoch on, bit for bit, and then all of what the second phase freezes", async () => {
    const [one, two] = [await first, await second];
    const names = [...one.state.keys()];
    const gates = names.filter((name) => /^param\/cgc\//.test(name) || name.startsWith("adatt/") || /_gates$/.test(name));
    still(one.states[12 * perEpoch - 1], one.state, gates);
    // Small diagrams have no points of some degrees, whose parameters no gradient moves.
    const moved = names.filter((name) => name.startsWith("param/") && !gates.includes(name) && !name.includes("perslay/points"));
    for (const name of moved) expect(one.state.get(name)?.data, name).not.toEqual(one.states[12 * perEpoch - 1]?.get(name)?.data);
    const isFrozen = (name: string) => /^param\/(shared|cgc)\//.test(name);
    const after = new Map([...one.state, ...two.state]);
    still(
      one.state,
      after,
      names.filter((name) => isFrozen(name) || name.startsWith("adatt/")),
    );
    for (const name of moved.filter((name) => !isFrozen(name))) expect(after.get(name)?.data, name).not.toEqual(one.state.get(name)?.data);
    expect(numbers(two.state, "adam/steps")).toEqual([refine + 1]);
  });
});
