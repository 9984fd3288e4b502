import { describe, expect, test } from "vitest";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { gradientGraph, seedName } from "../autodiff/gradient-graph.ts";
import { buildLibrary, noise, rowOf, tensor } from "./build-library.ts";
import { at, distance, dot, rows, scale, sigmoid, sum } from "./reference.ts";

const losses = buildLibrary({
  imports: `import { bce, focal, huber, info_nce, mse, nll } from "std/losses"`,
  inputs: ["z: f32[B]", "y: f32[B]", "zs: f32[B, 5]", "ys: f32[B, 5]", "class: i32[B]"],
  outputs: {
    bce: "bce(z, y)",
    focal: "focal(z, y, gamma: 2, alpha: 0.25)",
    churn: "focal(z, y, gamma: 1.5, alpha: 0.6)",
    nll: "nll(zs, class)",
    mse: "mse(z, y)",
    mse_wide: "mse(zs, ys)",
    huber: "huber(z, y, delta: 1.5)",
    huber_wide: "huber(zs, ys, delta: 0.5)",
    nce: "info_nce(zs, ys, tau: 0.5)",
  },
});

interface Rows {
  readonly z?: readonly number[];
  readonly y?: readonly number[];
  readonly zs?: readonly (readonly number[])[];
  readonly ys?: readonly (readonly number[])[];
  readonly class?: readonly number[];
}

/** Losses of a few rows; what a test does not give is 0. */
function run(given: Rows): ReturnType<typeof losses.run> {
  return losses.run(inputsOf(given));
}

function inputsOf(given: Rows) {
  const batch = Math.max(...Object.values(given).map((list) => list.length));
  const vector = (values: readonly number[] | undefined) => tensor([batch], (i) => values?.[i] ?? 0);
  const matrix = (values: readonly (readonly number[])[] | undefined) =>
    tensor([batch, 5], (i) => values?.[Math.floor(i / 5)]?.[i % 5] ?? 0);
  return { z: vector(given.z), y: vector(given.y), zs: matrix(given.zs), ys: matrix(given.ys), class: vector(given.class) };
}

const logits = [-12, -3.5, -1, -0.01, 0, 0.3, 2, 12];

describe("binary losses", () => {
  const both = { z: [...logits, ...logits], y: [...logits.map(() => 0), ...logits.map(() => 1)] };
  const truth = (i: number) => {
    const p = sigmoid(at(both.z, i));
    return at(both.y, i) === 1 ? p : 1 - p;
  };

  test("bce is -log of the probability of what happened", () => {
    expect(
      distance(
        run(both).bce.data,
        both.z.map((_, i) => -Math.log(truth(i))),
      ),
    ).toBeLessThan(1e-10);
  });

  test.each([
    ["focal", 2, 0.25],
    ["churn", 1.5, 0.6],
  ] as const)("%s is α_t (1 - p_t)^γ · -log p_t with γ = %f, α = %f", (name, gamma, alpha) => {
    const expected = both.z.map((_, i) => (at(both.y, i) === 1 ? alpha : 1 - alpha) * (1 - truth(i)) ** gamma * -Math.log(truth(i)));
    expect(distance(run(both)[name].data, expected)).toBeLessThan(1.5e-10);
  });

  test("are exact where probabilities would have to be clamped", () => {
    const { bce, focal } = run({ z: [-40, 40, -80, 80, -1000], y: [1, 0, 1, 0, 1] });
    expect(distance(bce.data, [40, 40, 80, 80, 1000])).toBeLessThan(1e-12);
    expect(distance(focal.data, [10, 30, 20, 60, 250])).toBeLessThan(1e-12);
    const right = run({ z: [40, -80], y: [1, 0] });
    expect(at(right.bce.data, 0) / Math.exp(-40)).toBeCloseTo(1, 9);
    expect(at(right.focal.data, 1)).toBeGreaterThanOrEqual(0);
  });

  test("an example worked in the source: p_t = 0.9 costs 0.00105, p_t = 0.1 costs 1.865", () => {
    const easy = Math.log(0.9 / 0.1);
    const { focal } = run({ z: [easy, -easy], y: [1, 1] });
    expect(at(focal.data, 0) / 0.25).toBeCloseTo(0.00105, 5);
    expect(at(focal.data, 1) / 0.25).toBeCloseTo(1.865, 3);
  });
});

describe("nll", () => {
  test("is log Σ exp z - z_y, finite for logits in the hundreds", () => {
    const zs = [
      [1, 2, 3, 4, 5],
      [0, 0, 0, 0, 0],
      [-1, 0.5, 2, -3, 0.1],
      [800, -800, 0, 0, 0],
    ];
    const y = [4, 2, 1, 1];
    const expected = zs.slice(0, 3).map((row, i) => Math.log(sum(row.map(Math.exp))) - at(row, at(y, i)));
    expect(distance(run({ zs, class: y }).nll.data, [...expected, 1600])).toBeLessThan(1e-10);
  });
});

describe("regression losses", () => {
  const z = [0, 1, 2.5, -3, 7];
  const y = [0, 0.2, 1, -1.5, -7];

  test("mse is e², without a half", () =>
    expect(
      distance(
        run({ z, y }).mse.data,
        z.map((v, i) => (v - at(y, i)) ** 2),
      ),
    ).toBeLessThan(1e-12));

  test("huber is ½ e² up to delta and delta (|e| - delta / 2) beyond", () => {
    const expected = z.map((v, i) => {
      const e = Math.abs(v - at(y, i));
      return e <= 1.5 ? 0.5 * e * e : 1.5 * (e - 0.75);
    });
    expect(distance(run({ z, y }).huber.data, expected)).toBeLessThan(1e-12);
  });

  test("of several values the mean counts", () => {
    const [zs, ys] = [rows(noise([3, 5], 1)), rows(noise([3, 5], 2))];
    const expected = zs.map((row, i) => sum(row.map((v, j) => (v - at(ys[i] ?? [], j)) ** 2)) / 5);
    expect(distance(run({ zs, ys }).mse_wide.data, expected)).toBeLessThan(1e-12);
    const bounded = zs.map((row, i) => {
      const errors = row.map((v, j) => Math.abs(v - at(ys[i] ?? [], j)));
      return sum(errors.map((e) => (e <= 0.5 ? 0.5 * e * e : 0.5 * (e - 0.25)))) / 5;
    });
    expect(distance(run({ zs, ys }).huber_wide.data, bounded)).toBeLessThan(1e-12);
  });
});

describe("info_nce", () => {
  const [zs, ys] = [rows(noise([6, 5], 3)), rows(noise([6, 5], 4))];
  const unit = (row: readonly number[]) => scale(row, 1 / Math.sqrt(dot(row, row)));
  /** -log of the own target's share among the own one and the given negatives. */
  const expected = (i: number, negatives: readonly number[]) => {
    const similarity = (j: number) => dot(unit(zs[i] ?? []), unit(ys[j] ?? [])) / 0.5;
    return Math.log(Math.exp(similarity(i)) + sum(negatives.map((j) => Math.exp(similarity(j))))) - similarity(i);
  };
  const others = (i: number) => [0, 1, 2, 3, 4, 5].filter((j) => j !== i);

  test("is the cross-entropy of the similarities within the batch, whatever the lengths", () => {
    const all = zs.map((_, i) => expected(i, others(i)));
    expect(distance(run({ zs, ys }).nce.data, all)).toBeLessThan(1e-9);
    expect(distance(run({ zs: zs.map((row, i) => scale(row, i + 1)), ys: ys.map((row) => scale(row, 7)) }).nce.data, all)).toBeLessThan(
      1e-9,
    );
  });

  test("rows with the same target are not negatives of one another", () => {
    const twins = ys.map((row, i) => (i === 4 ? (ys[1] ?? []) : row));
    const nce = run({ zs, ys: twins }).nce.data;
    expect(at(nce, 1)).toBeCloseTo(expected(1, [0, 2, 3, 5]), 9);
  });

  test("rows without a target cost nothing and are nobody's negatives", () => {
    const nce = run({ zs, ys: ys.map((row, i) => (i === 2 ? [0, 0, 0, 0, 0] : row)) }).nce.data;
    expect(at(nce, 2)).toBe(0);
    expect(at(nce, 0)).toBeCloseTo(expected(0, [1, 3, 4, 5]), 9);
  });
});

describe("a missing label costs nothing", () => {
  test.each(["bce", "focal", "churn"] as const)("%s at -1 and at NaN", (name) =>
    expect([...run({ z: [3, 3, -3], y: [-1, 1, Number.NaN] })[name].data.map(Math.sign)]).toEqual([0, 1, 0]),
  );

  test("info_nce where the target is NaN, and nobody's negative", () => {
    const [zs, ys] = [rows(noise([4, 5], 3)), rows(noise([4, 5], 4))];
    const missing = ys.map((row, i) => (i === 2 ? row.map(() => Number.NaN) : row));
    const zeros = ys.map((row, i) => (i === 2 ? row.map(() => 0) : row));
    const found = [...run({ zs, ys: missing }).nce.data];
    expect(found).toEqual([...run({ zs, ys: zeros }).nce.data]);
    expect(found.map(Math.sign)).toEqual([1, 1, 0, 1]);
  });

  test("regressions of several values where all are unknown", () => {
    const nothing = [Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN];
    expect([...run({ zs: [[1, 2, 3, 4, 5]], ys: [nothing] }).mse_wide.data]).toEqual([0]);
  });

  test("nll at -1", () => expect([...run({ zs: [[1, 2, 3, 4, 9]], class: [-1] }).nll.data].map(Math.abs)).toEqual([0]));

  test.each(["mse", "huber"] as const)("%s at NaN", (name) =>
    expect([...run({ z: [3, 3], y: [Number.NaN, 1] })[name].data.map(Math.sign)]).toEqual([0, 1]),
  );

  test("mse of several values takes the mean over those that are known", () => {
    const wide = run({ zs: [[1, 2, 3, 4, 5]], ys: [[Number.NaN, 0, Number.NaN, 0, Number.NaN]] }).mse_wide.data;
    expect(at(wide, 0)).toBeCloseTo((4 + 16) / 2, 12);
  });
});

describe("gradients by the logits", () => {
  const nothing = [Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN];
  const row = [1, 2, 3, 4, 9];

  /** Of the sum over rows. */
  function gradient(name: keyof ReturnType<typeof run> & string, by: "z" | "zs", given: Rows): readonly (readonly number[])[] {
    const inputs = inputsOf(given);
    const batch = inputs.z.shape[0] ?? 0;
    const seeds = { anchor: tensor([batch, 1], () => 1), [seedName(name)]: tensor([batch], () => 1) };
    const graph = gradientGraph(losses.graph, [name], [by]);
    const found = interpret(graph, { inputs: new Map(Object.entries({ ...inputs, ...seeds })), params: new Map() }).get(by);
    return Array.from({ length: batch }, (_, i) => rowOf(found ?? tensor([batch], () => Number.NaN), i));
  }

  test.each([
    ["bce", "z", { z: [3, -1000, 1000, 5], y: [-1, -1, Number.NaN, 1] }],
    ["focal", "z", { z: [3, -1000, 1000, -2], y: [-1, -1, Number.NaN, 1] }],
    ["mse", "z", { z: [3, 1e6, -4, 2], y: [Number.NaN, Number.NaN, Number.NaN, 1] }],
    ["huber", "z", { z: [3, 1e6, -4, 2], y: [Number.NaN, Number.NaN, Number.NaN, 1] }],
    ["nll", "zs", { zs: [row, row.map((v) => v * 1e3), row, row], class: [-1, -1, -1, 2] }],
    ["mse_wide", "zs", { zs: [row, row, row, row], ys: [nothing, nothing, nothing, [0, 0, 0, 0, 0]] }],
    ["huber_wide", "zs", { zs: [row, row, row, row], ys: [nothing, nothing, nothing, [0, 0, 0, 0, 0]] }],
    ["nce", "zs", { zs: [row, row, [0, 0, 0, 0, 0], [1, 0, 2, 0, 0]], ys: [nothing, [0, 0, 0, 0, 0], nothing, row] }],
  ] as const)("%s sends none where the label is missing, and some where it is not", (name, by, given) => {
    const [known, ...missing] = gradient(name, by, given).toReversed();
    expect(missing.flat().map(Math.abs)).toEqual(missing.flat().map(() => 0));
    expect(known?.every(Number.isFinite)).toBe(true);
    if (name !== "nce") expect(known?.some((v) => v !== 0)).toBe(true);
  });

  test("are those of the closed forms: p - y, and p - onehot", () => {
    expect(
      distance(gradient("bce", "z", { z: [0.3, -2, 800, -800], y: [1, 0, 0, 1] }).flat(), [sigmoid(0.3) - 1, sigmoid(-2), 1, -1]),
    ).toBeLessThan(1e-12);
    const total = sum(row.map((v) => Math.exp(v - 9)));
    const expected = row.map((v, i) => Math.exp(v - 9) / total - (i === 2 ? 1 : 0));
    expect(distance(gradient("nll", "zs", { zs: [row], class: [2] }).flat(), expected)).toBeLessThan(1e-12);
  });
});
