import { describe, expect, test } from "vitest";
import { checkSource } from "../../compiler/driver.ts";
import { buildLibrary, noise, tensor } from "./build-library.ts";
import { at, distance, rows, softplus, sum } from "./reference.ts";

const heads = buildLibrary({
  imports: `import { dirichlet, dirichlet_loss, dirichlet_uncertainty, divergence_from_uniform, normal_inverse_gamma, normal_loss, normal_uncertainty } from "std/heads"`,
  inputs: ["alpha: f32[B, 2]", "three: f32[B, 3]", "y: f32[B]", "e: f32[B, 4]", "v: f32[B, 1]", "ramp: f32[B]", "h: f32[B, 5]"],
  outputs: {
    kl: "divergence_from_uniform(alpha)",
    kl3: "divergence_from_uniform(three)",
    seen: "dirichlet_uncertainty(alpha)",
    likelihood: `anchor * dirichlet_loss(alpha, y, ramp[0], "likelihood", "wrong")`,
    brier: `anchor * dirichlet_loss(alpha, y, ramp[0], "brier", "wrong")`,
    document: `anchor * dirichlet_loss(alpha, y, ramp[0], "none", "all")`,
    normal: "anchor * normal_loss(e, v, ramp[0])",
    spread: "normal_uncertainty(e)",
    classes: "dirichlet(h, 3)",
    values: "normal_inverse_gamma(h, 1)",
  },
});

interface Given {
  readonly alpha?: readonly (readonly number[])[];
  readonly three?: readonly (readonly number[])[];
  readonly y?: readonly number[];
  readonly e?: readonly (readonly number[])[];
  readonly v?: readonly number[];
  readonly ramp?: number;
}

/** Runs a few rows; what a test does not give is 1. */
function run(given: Given) {
  const { ramp = 0, ...lists } = given;
  const batch = Math.max(1, ...Object.values(lists).map((list) => list.length));
  const vector = (values?: readonly number[]) => tensor([batch], (i) => values?.[i] ?? 1);
  const matrix = (width: number, values?: readonly (readonly number[])[]) =>
    tensor([batch, width], (i) => values?.[Math.floor(i / width)]?.[i % width] ?? 1);
  return heads.run({
    alpha: matrix(2, given.alpha),
    three: matrix(3, given.three),
    y: vector(given.y),
    e: matrix(4, given.e),
    v: tensor([batch, 1], (i) => given.v?.[i] ?? 1),
    ramp: tensor([batch], () => ramp),
    h: noise([batch, 5], 1, 3),
  });
}

/** Mean of f under Beta(a, b) by the midpoint rule, its density normalised by the same rule, so that no gamma function is needed. */
function underBeta(a: number, b: number, f: (p: number, density: number) => number): number {
  const n = 20_000;
  const points = Array.from({ length: n }, (_, i) => (i + 0.5) / n);
  const shape = points.map((p) => p ** (a - 1) * (1 - p) ** (b - 1));
  const total = sum(shape) / n;
  return sum(points.map((p, i) => (at(shape, i) / total) * f(p, at(shape, i) / total))) / n;
}

const pairs = [
  [1, 1],
  [2, 1],
  [3.5, 2],
  [1.5, 9],
  [40, 25],
] as const;

describe("Dirichlet", () => {
  test("the divergence from uniform is that of the densities: ∫ f log f", () => {
    const expected = pairs.map(([a, b]) => underBeta(a, b, (_, density) => Math.log(density)));
    expect(distance(run({ alpha: pairs }).kl.data, expected)).toBeLessThan(2e-5);
  });

  test("of three classes too, measured on the triangle where uniform has density 2", () => {
    const three = [
      [1, 1, 1],
      [3, 2, 4],
      [1, 6, 2],
    ];
    const n = 400;
    const expected = three.map(([a = 1, b = 1, c = 1]) => {
      const cells: number[] = [];
      for (let i = 0; i < n; i++)
        for (let j = 0; i + j < n; j++)
          cells.push(((i + 1 / 3) / n) ** (a - 1) * ((j + 1 / 3) / n) ** (b - 1) * ((n - i - j - 2 / 3) / n) ** (c - 1));
      for (let i = 0; i < n; i++)
        for (let j = 0; i + j < n - 1; j++)
          cells.push(((i + 2 / 3) / n) ** (a - 1) * ((j + 2 / 3) / n) ** (b - 1) * ((n - i - j - 4 / 3) / n) ** (c - 1));
      const mean = sum(cells) / cells.length;
      return sum(cells.map((v) => (v / mean) * Math.log(v / mean))) / cells.length;
    });
    expect(distance(run({ three }).kl3.data, expected)).toBeLessThan(1e-4);
  });

  test("uncertainty is n / S, and the expected entropy", () => {
    const found = rows(run({ alpha: pairs }).seen);
    for (const [i, [a, b]] of pairs.entries()) {
      const entropy = underBeta(a, b, (p) => -p * Math.log(p) - (1 - p) * Math.log(1 - p));
      expect(at(found[i] ?? [], 0)).toBeCloseTo(2 / (a + b), 12);
      expect(at(found[i] ?? [], 1)).toBeCloseTo(entropy, 5);
    }
  });

  test("the likelihood is the mean probability of what happened, the Brier term the mean squared error", () => {
    for (const [a, b] of pairs) {
      for (const y of [0, 1]) {
        const { likelihood, brier } = run({ alpha: [[a, b]], y: [y] });
        const mean = underBeta(a, b, (p) => (y === 0 ? p : 1 - p));
        const error = underBeta(a, b, (p) => 2 * (y === 0 ? 1 - p : p) ** 2);
        expect(at(likelihood.data, 0)).toBeCloseTo(-Math.log(mean), 5);
        expect(at(brier.data, 0)).toBeCloseTo(error, 5);
      }
    }
  });

  test("the regulariser spares evidence for what happened; the document's does not", () => {
    const right = { alpha: [[9, 1]], y: [0] };
    const plain = at(run(right).likelihood.data, 0);
    expect(at(run({ ...right, ramp: 0.01 }).likelihood.data, 0)).toBe(plain);
    const wrong = run({ alpha: [[9, 1]], y: [1], ramp: 0.5 });
    const kl = underBeta(9, 1, (_, density) => Math.log(density));
    expect(at(wrong.likelihood.data, 0)).toBeCloseTo(Math.log(10) + 0.5 * kl, 5);
    expect(at(run({ ...right, ramp: 0.5 }).document.data, 0)).toBeCloseTo(0.5 * kl, 5);
  });

  test("rows without a label count for nothing, not even in the mean", () => {
    const two = run({ alpha: [[9, 1], [2, 5], [3, 3]], y: [0, -1, Number.NaN], ramp: 0.3 }); // biome-ignore format: one row each
    expect(at(two.likelihood.data, 0)).toBeCloseTo(-Math.log(0.9), 12);
    expect(at(run({ alpha: [[9, 1]], y: [-1] }).likelihood.data, 0)).toBe(0);
  });

  test("the head's α is 1 + softplus of a linear layer, at most 10001", () => {
    const { classes } = run({});
    const weights = heads.initial();
    const [W, b] = weights.inOrder(2, "classes/");
    const x = rows(noise([1, 5], 1, 3))[0] ?? [];
    const expected = Array.from({ length: 3 }, (_, j) => 1 + softplus(at(b.data, j) + sum(x.map((v, i) => v * at(W.data, i * 3 + j)))));
    expect(distance(classes.data, expected)).toBeLessThan(1e-12);
    const flooded = heads.run({ ...inputsOfOnes(), h: tensor([1, 5], () => 1e9) });
    for (const a of flooded.classes.data) expect(a >= 1 && a <= 10_001).toBe(true);
  });
});

function inputsOfOnes() {
  const ones = (...shape: readonly number[]) => tensor(shape, () => 1);
  return { alpha: ones(1, 2), three: ones(1, 3), y: ones(1), e: ones(1, 4), v: ones(1, 1), ramp: ones(1), h: ones(1, 5) };
}

describe("normal-inverse-gamma", () => {
  /** location, ν, α, β */
  const beliefs = [
    [0, 1, 3, 2],
    [1.5, 4, 6, 3],
    [-2, 0.5, 8, 1],
  ] as const;

  test.each(beliefs)("student_t is a density about %f with the variance that uncertainty tells of (ν %f, α %f, β %f)", (...belief) => {
    const density = buildLibrary({
      imports: `import { student_t } from "std/heads"`,
      inputs: ["y: f32[B, 1]", "e: f32[B, 4]"],
      outputs: { loss: "student_t(y, e[:, 0:1], e[:, 1:2], e[:, 2:3], e[:, 3:4])" },
    });
    const [n, range] = [40_000, 400];
    const offset = (i: number) => ((i + 0.5) / n - 0.5) * range;
    const y = tensor([n, 1], (i) => belief[0] + offset(i));
    const mass = [...density.run({ y, e: tensor([n, 4], (i) => at(belief, i % 4)) }).loss.data].map((v) => (Math.exp(-v) * range) / n);
    const [epistemic = 0, aleatoric = 0] = run({ e: [belief] }).spread.data;
    expect(sum(mass)).toBeCloseTo(1, 6);
    expect(sum(mass.map((p, i) => p * offset(i) ** 2))).toBeCloseTo(epistemic + aleatoric, 4);
    expect(aleatoric / epistemic).toBeCloseTo(belief[1], 9);
  });

  test("the loss is student_t's where there is no regulariser", () => {
    // 2α = 2 degrees of freedom, squared scale 2: density 1 / (√2 · (2 + t²)^1.5) at t = (y - location) / √2
    const t = 2.5 / Math.sqrt(2);
    const expected = -Math.log((2 + t * t) ** -1.5 / Math.sqrt(2));
    expect(at(run({ e: [[1, 1, 1, 1]], v: [3.5] }).normal.data, 0)).toBeCloseTo(expected, 8);
  });

  test("the regulariser is the error times the evidence", () => {
    const e = [[1, 2, 3, 4]];
    const [without, withIt] = [0, 0.25].map((ramp) => at(run({ e, v: [3.5], ramp }).normal.data, 0));
    expect((withIt ?? 0) - (without ?? 0)).toBeCloseTo(0.25 * 2.5 * (2 * 2 + 3), 12);
  });

  test("a missing label counts for nothing", () => {
    const [both, alone] = [run({ e: [[1, 2, 3, 4], [5, 6, 7, 8]], v: [2, Number.NaN] }), run({ e: [[1, 2, 3, 4]], v: [2] })]; // biome-ignore format: one row each
    expect(at(both.normal.data, 0)).toBe(at(alone.normal.data, 0));
  });

  test("the head keeps ν and β positive and α above 1, whatever it reads", () => {
    for (const size of [0, 1, -1e9, 1e9]) {
      const [, nu = 0, alpha = 0, beta = 0] = heads.run({ ...inputsOfOnes(), h: tensor([1, 5], () => size) }).values.data;
      expect([nu >= 1e-6, alpha >= 1.001, beta >= 1e-6, Number.isFinite(nu + alpha + beta)]).toEqual([true, true, true, true]);
    }
  });
});

describe("in a model", () => {
  const text = `
import { EvidentialHead, evidential_loss, expectation, uncertainty } from "std/heads"
import { bce, info_nce, mse, nll } from "std/losses"
model M {
  input x: f32[B, 8]
  task a: binary { loss: bce }
  task b: classes(5) { loss: nll }
  task c: regression { loss: mse }
  task d: regression(3) { loss: mse }
  task e: embedding(7) { loss: info_nce }
  let head per task = EvidentialHead(x, task)
  flow per task { return linear(x, task.width) }
  output unsure per task = uncertainty(head, task)
  output expected per task = expectation(head, task)
  penalty evidence per task = evidential_loss(head, f32(label), epoch, task, strength: 0.5, anneal: 4)
}`;
  const { models, diagnostics } = checkSource("test/std/evidence.ple", text);
  const model = models[0];
  if (model === undefined) throw new Error(diagnostics.map(({ code, message }) => `${code} ${message}`).join("\n"));

  test("checks without findings", () => expect(diagnostics).toEqual([]));

  test("an embedding has no head, no output and no penalty", () => {
    expect(model.parameters.filter(({ name }) => name.startsWith("head/e"))).toEqual([]);
    expect(model.outputs.map(({ name }) => name)).toEqual(
      ["a", "b", "c", "d"].flatMap((task) => [`unsure/${task}`]).concat(["expected/a", "expected/b", "expected/c", "expected/d"]),
    );
    expect(model.penalties.map(({ name }) => name)).toEqual(["a", "b", "c", "d"].map((task) => `evidence/${task}`));
  });

  test("expects what is as wide as the classes, or the values", () => {
    const widths = model.graph.outputs.filter(({ name }) => name.startsWith("expected/")).map(({ value }) => value.type.shape[1]);
    expect(widths).toEqual([2, 5, 1, 3]);
  });

  test("reads the labels and the epoch, for the annealing", () => {
    expect(model.trainingInputs.map(({ name }) => name).sort()).toEqual([
      "label/a",
      "label/b",
      "label/c",
      "label/d",
      "label/e",
      "train/epoch",
    ]);
  });
});
