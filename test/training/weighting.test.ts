import { describe, expect, test } from "vitest";
import { projectConflicts } from "../../compiler/training/gradients.ts";
import type { Weighting } from "../../compiler/training/plan.ts";
import { weighTerms } from "../../compiler/training/weighting.ts";
import type { Batch } from "../../runtime/engine.ts";
import { evaluate, type Nested } from "./evaluate.ts";
import { type Numbers, runGraph } from "./run-graph.ts";
import { f32, modelOf, numbers, stepOf, train, uniform } from "./run-steps.ts";

interface Feeds {
  readonly losses: readonly number[];
  readonly present?: readonly number[];
  readonly epoch?: number;
  /** Of the gradients of the losses times the tasks' weights. */
  readonly norms?: readonly number[];
}

const weights = [1, 2];

/** Two tasks, of which the first is a regression. */
function run(weighting: Weighting, feeds: readonly Feeds[], start: Readonly<Record<string, Nested>> = {}): readonly Numbers[] {
  return runGraph(
    (graph) => {
      const f = graph.formula("test");
      const vector = (name: string) => graph.input(name, [2]);
      const tasks = [0, 1].map((i) => ({
        task: `task ${i}`,
        weight: weights[i] as number,
        group: null,
        regression: i === 0,
        loss: f.element(vector("losses"), i),
        rows: f.element(vector("present"), i),
        present: f.element(vector("present"), i),
      }));
      const norms = [0, 1].map((i) => f.element(vector("norms"), i));
      const { terms, factors, next } = weighTerms(weighting, tasks, graph.input("epoch", []), graph, () => norms);
      for (const { name, value } of next) graph.next(name, value);
      graph.output("terms", f.stack(terms), null);
      graph.output("factors", f.stack(factors), null);
    },
    feeds.map((fed) => ({ present: [1, 1], epoch: 0, norms: [1, 1], ...fed })),
    start,
  );
}

const expectNumbers = (found: readonly number[] | undefined, expected: readonly number[]) => {
  expect(found).toHaveLength(expected.length);
  for (const [i, value] of expected.entries()) expect(found?.[i], `number ${i}`).toBeCloseTo(value, 6);
};

test("fixed weights are the spec's", () => {
  const [only] = run({ form: "fixed" }, [{ losses: [3, 5] }]);
  expect(only).toEqual({ factors: [1, 2], terms: [3, 10] });
});

describe("uncertainty", () => {
  const s = [0.5, -1];
  const start = { "weighting/log_variance": s };
  const weighting = (variant: "sum" | "kendall" | "positive"): Weighting => ({ form: "uncertainty", clamp: 4, variant });

  test.each([
    ["sum", [Math.exp(-0.5) * 3 + 0.5, 2 * (Math.exp(1) * 5 - 1)], [Math.exp(-0.5), 2 * Math.exp(1)]],
    ["kendall", [0.5 * Math.exp(-0.5) * 3 + 0.25, 2 * (Math.exp(1) * 5 - 0.5)], [0.5 * Math.exp(-0.5), 2 * Math.exp(1)]],
    [
      "positive",
      [0.5 * Math.exp(-0.5) * 3 + Math.log1p(Math.exp(0.5)), 2 * (0.5 * Math.exp(1) * 5 + Math.log1p(Math.exp(-1)))],
      [0.5 * Math.exp(-0.5), Math.exp(1)],
    ],
  ] as const)("%s", (variant, terms, factors) => {
    const [only] = run(weighting(variant), [{ losses: [3, 5] }], start);
    expectNumbers(only?.terms, terms);
    expectNumbers(only?.factors, factors);
  });

  test.each([
    ["sum", (loss: number) => Math.log(loss), 1],
    ["kendall", (loss: number) => Math.log(2 * loss), 1],
  ] as const)("%s is least where s says how large the loss is", (variant, best, task) => {
    const at = (value: number) =>
      run(weighting(variant), [{ losses: [3, 5] }], { "weighting/log_variance": [0, value] })[0]?.terms?.[task] ?? 0;
    const optimum = at(best(5));
    expect(at(best(5) - 0.01)).toBeGreaterThan(optimum);
    expect(at(best(5) + 0.01)).toBeGreaterThan(optimum);
  });

  test("a task without labels adds nothing, its price included", () => {
    const [only] = run(weighting("sum"), [{ losses: [0, 5], present: [0, 1] }], start);
    expect(only?.terms?.[0]).toBe(0);
  });
});

describe("dynamic weight average", () => {
  const dwa: Weighting = { form: "dwa", temperature: 2 };
  const epochs = (...means: readonly (readonly number[])[]): readonly Feeds[] => means.map((losses, epoch) => ({ losses, epoch }));

  test("weighs by how slowly the last epoch's loss fell: (2, 4) and then (1, 4), at T = 2", () => {
    const states = run(dwa, epochs([2, 4], [1, 4], [7, 7]));
    expectNumbers(states[0]?.factors, weights);
    expectNumbers(states[1]?.factors, weights);
    const [fast, slow] = [Math.exp(0.5 / 2), Math.exp(1 / 2)];
    expectNumbers(states[2]?.factors, [(2 * fast) / (fast + slow), (2 * 2 * slow) / (fast + slow)]);
  });

  test("takes the mean over an epoch's steps in which a task has labels", () => {
    const states = run(dwa, [
      { losses: [1, 3], epoch: 0 },
      { losses: [3, 0], epoch: 0.5, present: [1, 0] },
      { losses: [1, 3], epoch: 1 },
      { losses: [1, 3], epoch: 2 },
    ]);
    expectNumbers(states[2]?.["weighting/last_loss"], [2, 3]);
    const [fast, slow] = [Math.exp(0.25), Math.exp(0.5)];
    expectNumbers(states[3]?.factors, [(2 * fast) / (fast + slow), (4 * slow) / (fast + slow)]);
  });
});

describe("GradNorm", () => {
  const gradnorm: Weighting = { form: "gradnorm", alpha: 1.5, lr: 0.1, over: null };

  test("moves weights towards equal norms at first, then lets the slower task have more", () => {
    // G = (1, 3), mean 2: the first weight grows by lr · 1, the second shrinks by lr · 3, and both sum to 2 again.
    const states = run(gradnorm, [
      { losses: [4, 6], norms: [1, 3] },
      { losses: [2, 6], norms: [1, 3] },
    ]);
    expectNumbers(states[0]?.factors, weights);
    const first = [(1.1 * 2) / 1.8, (0.7 * 2) / 1.8] as const;
    expectNumbers(states[0]?.["weighting/balance"], first);
    // Progress (1/2, 1), so r = (2/3, 4/3): G = (1.222, 2.333) of mean 1.778 against targets 0.968 and 2.737.
    const second = [first[0] - 0.1, first[1] + 0.3] as const;
    const sum = second[0] + second[1];
    expectNumbers(states[1]?.["weighting/balance"], [(2 * second[0]) / sum, (2 * second[1]) / sum]);
  });

  test("is at rest where norms are equal and all tasks learn alike", () => {
    const states = run(gradnorm, [
      { losses: [4, 6], norms: [2, 2] },
      { losses: [2, 3], norms: [2, 2] },
    ]);
    expectNumbers(states[1]?.["weighting/balance"], [1, 1]);
  });

  test("a task without labels keeps its weight relative to none, and the first loss is its first", () => {
    const states = run(gradnorm, [
      { losses: [4, 0], norms: [1, 0], present: [1, 0] },
      { losses: [4, 6], norms: [1, 1] },
    ]);
    expectNumbers(states[0]?.["weighting/balance"], [1, 1]);
    expect(states[0]?.["weighting/first_loss"]).toEqual([4, -1]);
    expect(states[1]?.["weighting/first_loss"]).toEqual([4, 6]);
  });
});

/** The paper's algorithm on vectors, the others taken from i + 1 on. */
function surgery(gradients: readonly (readonly number[])[]): readonly number[] {
  const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, v, i) => sum + v * (b[i] ?? 0), 0);
  const projected = gradients.map((own, i) => {
    let g = own;
    for (let k = 1; k < gradients.length; k++) {
      const other = gradients[(i + k) % gradients.length] ?? [];
      if (dot(g, other) < 0) {
        const along = dot(g, other) / dot(other, other);
        g = g.map((v, at) => v - along * (other[at] ?? 0));
      }
    }
    return g;
  });
  return projected.reduce((sum, g) => sum.map((v, i) => v + (g[i] ?? 0)));
}

describe("PCGrad", () => {
  const factors = (gradients: readonly (readonly number[])[]) =>
    evaluate({ g: gradients }, (f, { g }) => ({ factors: projectConflicts(f, f.matmul(g, f.transposeLast(g))) })).factors ?? [];
  const combined = (gradients: readonly (readonly number[])[]) => {
    const by = factors(gradients);
    return (gradients[0] ?? []).map((_, at) => gradients.reduce((sum, g, i) => sum + (by[i] ?? 0) * (g[at] ?? 0), 0));
  };

  test("(1, 0) and (-1, 1) become (1/2, 1/2) and (0, 1)", () => {
    expectNumbers(
      combined([
        [1, 0],
        [-1, 1],
      ]),
      [0.5, 1.5],
    );
  });

  test("gradients without conflict are summed as they are, zeros included", () => {
    expect(
      factors([
        [3, 1, 0],
        [2, 2, 0],
        [0, 0, 0],
      ]),
    ).toEqual([1, 1, 1]);
  });

  test("opposite gradients cancel", () =>
    expectNumbers(
      combined([
        [2, 0],
        [-1, 0],
      ]),
      [0, 0],
    ));

  test("three and more tasks follow the paper's algorithm on vectors", () => {
    const next = uniform(5);
    for (let i = 0; i < 20; i++) {
      const gradients = Array.from({ length: 4 }, () => Array.from({ length: 5 }, next));
      expectNumbers(combined(gradients), surgery(gradients));
    }
  });
});

const spec = (weighting: string) => `
import { Dense, Tower } from "std/layers"
import { mse } from "std/losses"
model Two {
  input x: f32[B, 4]
  experts shared {
    one = Dense(x, [6])
    two = Dense(x, [6])
  }
  task a: regression { loss: mse }
  task b: regression { loss: mse }
  flow per task { return shared.one + shared.two |> Tower(1, [3]) }
  train { optimizer: sgd(lr: 1.0), weighting: ${weighting} }
}`;

const rows = 8;
function batchOf(seed: number, only: "a" | "b" | null = null): Batch {
  const next = uniform(seed);
  const x = Array.from({ length: rows * 4 }, next);
  const signal = Array.from({ length: rows }, (_, i) => (x[4 * i] ?? 0) - (x[4 * i + 1] ?? 0));
  const missing = signal.map(() => Number.NaN);
  return new Map([
    ["x", f32([rows, 4], x)],
    ["label/a", f32([rows], only === "b" ? missing : signal)],
    ["label/b", f32([rows], only === "a" ? missing : signal.map((v) => -3 * v))],
  ]);
}

describe("in a step", () => {
  test("PCGrad projects what both tasks reach, and leaves each task's own parameters their gradient", async () => {
    const fixed = modelOf(spec("fixed()"));
    const pcgrad = modelOf(spec("pcgrad()"));
    const stepped = async (model: typeof fixed, only: "a" | "b" | null) =>
      (await train(model, { step: stepOf(model), steps: 1, batch: () => batchOf(1, only) })).state;
    const before = (await train(fixed, { step: stepOf(fixed), steps: 0, batch: () => new Map() })).state;
    const [a, b, both] = [await stepped(fixed, "a"), await stepped(fixed, "b"), await stepped(pcgrad, null)];
    const names = [...before.keys()].filter((name) => name.startsWith("param/"));
    const shared = names.filter((name) => name.startsWith("param/shared/"));
    expect(shared.length).toBeGreaterThan(0);
    const gradient = (state: typeof a, of: readonly string[]) =>
      of.flatMap((name) => numbers(before, name).map((v, i) => v - (numbers(state, name)[i] ?? Number.NaN)));
    const [ga, gb] = [gradient(a, shared), gradient(b, shared)];
    expect(ga.reduce((sum, v, i) => sum + v * (gb[i] ?? 0), 0)).toBeLessThan(0);
    const found = gradient(both, shared);
    for (const [i, value] of surgery([ga, gb]).entries()) expect(found[i]).toBeCloseTo(value, 5);
    const own = names.filter((name) => !shared.includes(name));
    const [ownA, ownB] = [gradient(a, own), gradient(b, own)];
    for (const [i, value] of gradient(both, own).entries()) expect(value).toBeCloseTo((ownA[i] ?? 0) + (ownB[i] ?? 0), 5);
  });

  test("what uncertainty learns stays within its clamp, and comes back from it", async () => {
    const model = modelOf(spec("uncertainty(clamp: 2)").replace("lr: 1.0", "lr: 0.4"));
    const step = stepOf(model);
    // Losses of about 2 and of 2,500: the first pulls s down, the second up as far as it may go.
    const apart = () => new Map([...batchOf(1), ["label/b", f32([rows], new Array(rows).fill(50))]]);
    const from = new Map([["weighting/log_variance", f32([2], [2, 1.9])]]);
    const { state, reports } = await train(model, { step, steps: 1, batch: apart, from });
    const [down = Number.NaN, up] = numbers(state, "weighting/log_variance");
    // d(e^-s L + s) = 1 - e^-s L
    expect(down).toBeCloseTo(2 - 0.4 * (1 - Math.exp(-2) * (reports[0]?.get("loss/a") ?? Number.NaN)), 5);
    expect(down).toBeLessThan(1.9);
    expect(up).toBe(2);
  });

  test.each(["fixed()", "dwa()", "gradnorm()", "pcgrad()", 'uncertainty(form: "kendall")', 'uncertainty(form: "positive")'])(
    "%s lowers both losses",
    async (weighting) => {
      const model = modelOf(spec(weighting).replace("lr: 1.0", "lr: 0.05"));
      const run = { step: stepOf(model), steps: 60, batch: (i: number) => batchOf(i % 3), epochOf: (i: number) => i / 6 };
      const { reports } = await train(model, run);
      for (const task of ["a", "b"]) expect(reports[57]?.get(`loss/${task}`)).toBeLessThan(0.7 * (reports[0]?.get(`loss/${task}`) ?? 0));
    },
  );
});
