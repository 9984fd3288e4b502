import { describe, expect, test } from "vitest";
import { checkSource } from "../../compiler/driver.ts";
import { buildLibrary, noise, randomWeights, tensor } from "./build-library.ts";
import { add, at, distance, layerNorm, linear, type Row, rows, silu, sum } from "./reference.ts";

const imports = `import { Causal, FieldCausal, cycles } from "std/experts/causal"`;
const expert = buildLibrary({ imports, inputs: ["x: f32[B, 644]"], outputs: { y: "Causal(x)" } });
const small = buildLibrary({ imports, inputs: ["x: f32[B, 5]"], outputs: { y: "Causal(x, nodes: 4, hidden: 6, out: 3)" } });
const penalty = buildLibrary({
  imports,
  inputs: ["M: f32[B, 64, 64]"],
  outputs: { h: "anchor * cycles(M[0])" },
});

const h = (entries: (i: number, j: number) => number) =>
  at(penalty.run({ M: tensor([1, 64, 64], (at) => entries(Math.floor(at / 64), at % 64)) }).h.data, 0);

/** tr((I + M/64)^64) - 64 by the binomial sum over powers of M. */
function binomial(M: readonly Row[]): number {
  const n = M.length;
  let power = M;
  let factor = 1;
  let total = 0;
  for (let k = 1; k <= 64; k++) {
    factor *= (64 - k + 1) / k / 64;
    total += factor * sum(power.map((row, i) => at(row, i)));
    power = power.map((row) => Array.from({ length: n }, (_, j) => sum(row.map((v, i) => v * at(M[i] as Row, j)))));
  }
  return total;
}

/** Normal weights of a standard deviation, squared as the penalty takes them. */
function squares(std: number): readonly Row[] {
  return rows(noise([64, 64], 12, std)).map((row, i) => row.map((v, j) => (i === j ? 0 : v * v)));
}

describe("acyclicity", () => {
  test("is exactly zero on a DAG in any order of its variables, and not once an edge closes a cycle", () => {
    const order = Array.from({ length: 64 }, (_, i) => (i * 37 + 11) % 64);
    const dag = (i: number, j: number) => (at(order, i) < at(order, j) ? 0.3 : 0);
    expect(h(dag)).toBe(0);
    const first = order.indexOf(0);
    const last = order.indexOf(63);
    expect(h((i, j) => (i === last && j === first ? 0.3 : dag(i, j)))).toBeGreaterThan(1e-3);
  });

  for (const std of [0.05, 0.1, 0.125, 0.2]) {
    test(`equals the binomial sum for weights N(0, ${std}²)`, () => {
      const M = squares(std);
      expect(h((i, j) => at(M[i] as Row, j)) / binomial(M)).toBeCloseTo(1, 10);
    });
  }

  test("hardly sees a long cycle: 10 · C(64, 10) · (0.25 / 64)^10 = 1.25e-12 for ten edges of weight 0.5", () => {
    const cycle = h((i, j) => (i < 10 && j === (i + 1) % 10 ? 0.25 : 0));
    const choose = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].reduce((product, k) => (product * (64 - k)) / (k + 1), 1);
    expect(cycle / (10 * choose * (0.25 / 64) ** 10)).toBeCloseTo(1, 6);
    expect(cycle).toBeGreaterThan(1.2e-12);
    expect(cycle).toBeLessThan(1.3e-12);
  });

  test("starts small: about 0.012 for 64 variables with weights N(0, 0.05²)", () => {
    const M = squares(0.05);
    expect(binomial(M)).toBeGreaterThan(0.008);
    expect(binomial(M)).toBeLessThan(0.017);
  });
});

describe("Causal", () => {
  test("has 100,668 weights", () => expect(expert.count).toBe(100_668));

  test("has one variable for each field in the other form", () => {
    const byField = buildLibrary({
      imports,
      inputs: ["a: f32[B, 3]", "b: f32[B, 4]"],
      outputs: { y: "FieldCausal([a, b], hidden: 5, out: 3)" },
    });
    const encoder = 3 + 1 + 4 + 1;
    const head = 6 * 5 + 5 + 10 + 5 * 3 + 3 + 6;
    expect(byField.count).toBe(encoder + 4 + 4 + 2 + head);
  });

  test("is the head over variables, what their parents explain, and the rest; with its three penalties", () => {
    const weights = randomWeights(small);
    const [We, be, g0, b0, raw, gain, W1, c1, g1, b1, W2, c2, g2, b2] = weights.inOrder(14);
    const x = noise([3, 5], 6);
    const A = rows(raw).map((row, i) => row.map((v, j) => (i === j ? 0 : Math.min(Math.max(v, -1), 1))));
    const z = rows(x).map((row) => layerNorm(linear(row, We, be), g0, b0).map(Math.tanh));
    const explained = z.map((row) => row.map((_, j) => sum(row.map((v, i) => v * at(A[i] as Row, j)))));
    const rest = z.map((row, i) =>
      add(
        row,
        (explained[i] as Row).map((v) => -v),
      ),
    );
    const expected = z.flatMap((row, i) => {
      const seen = [...row, ...(explained[i] as Row), ...(rest[i] as Row).map((v, j) => v * at(gain.data, j))];
      return layerNorm(linear(layerNorm(linear(seen, W1, c1), g1, b1).map(silu), W2, c2), g2, b2);
    });
    const out = small.run({ x }, weights);
    expect(distance(out.y.data, expected)).toBeLessThan(1e-9);

    expect(small.penalties.map((name) => name.split("/").at(-1))).toEqual(["acyclicity", "sparsity", "fit"]);
    const [acyclicity, sparsity, fit] = small.penalties.map((name) => at(out[name]?.data ?? [], 0));
    const M = A.map((row) => row.map((v) => v * v));
    // four variables: tr((I + M/4)^4) - 4
    const step = M.map((row, i) => row.map((v, j) => Number(i === j) + v / 4));
    const times = (a: readonly Row[], b: readonly Row[]) =>
      a.map((row) => row.map((_, j) => sum(row.map((v, i) => v * at(b[i] as Row, j)))));
    const fourth = times(times(step, step), times(step, step));
    expect(acyclicity).toBeCloseTo(0.1 * (sum(fourth.map((row, i) => at(row, i))) - 4), 12);
    expect(sparsity).toBeCloseTo(1e-3 * sum(A.flat().map(Math.abs)), 12);
    expect(fit).toBeCloseTo((0.1 * sum(rest.flat().map((v) => v * v))) / 12, 12);
  });

  test("clipping |A| to 1 bounds the penalty far below what float32 holds", () => {
    const weights = small.initial().with("y/y/A_raw", noise([4, 4], 3, 1e20));
    const out = small.run({ x: noise([1, 5], 6) }, weights);
    const [acyclicity = 0] = out[small.penalties[0] ?? ""]?.data ?? [];
    // at most tr((I + J/4)^4) - 4 = 2^4 - 1 for J the matrix of ones without its diagonal, times the weight
    expect(acyclicity).toBeGreaterThan(0);
    expect(acyclicity).toBeLessThan(0.1 * 15);
  });

  test("its weight may grow with the epoch, in a model that weighs the penalty itself", () => {
    const { models, diagnostics } = checkSource(
      "test/std/growing.ple",
      `import { Causal } from "std/experts"
import { bce } from "std/losses"
model M {
  input x: f32[B, 8]
  experts shared { causal = Causal(x, nodes: 4, acyclic: 0) }
  task a: binary { loss: bce }
  flow a { return linear(shared.causal, 1) }
  penalty dag = min(0.1 * exp(0.7 * epoch), 10) * shared.causal.cyclic
}`,
    );
    expect(diagnostics).toEqual([]);
    expect(models[0]?.penalties.map(({ name }) => name.split("/").at(-1))).toEqual(["sparsity", "fit", "dag"]);
    expect(models[0]?.trainingInputs.map(({ name }) => name)).toEqual(["train/epoch", "label/a"]);
  });

  test("stays finite for zeros and huge values", () => {
    for (const value of [0, 1e6, -1e6]) {
      const out = small.run({ x: tensor([2, 5], () => value) });
      for (const { data } of Object.values(out)) expect(data.every(Number.isFinite)).toBe(true);
    }
  });
});
