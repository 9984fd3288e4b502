import { describe, expect, test } from "vitest";
import { buildLibrary, noise, randomWeights, rowOf, tensor, withRow } from "./build-library.ts";
import { at, distance, dot, linear, type Row, rmsNorm, rows, scale, silu, softmax, sum } from "./reference.ts";

const one = (inputs: readonly string[], call: string) => buildLibrary({ inputs, outputs: { y: call } });

describe("initialisers", () => {
  const layers: readonly (readonly [string, number])[] = [
    ["linear(x, 32)", Math.sqrt(6 / (96 + 32))],
    ["linear(x, 32, initial: kaiming_uniform)", Math.sqrt(6 / 96)],
  ];
  for (const [call, bound] of layers) {
    test(`${call} draws within ±${bound.toFixed(4)} and fills it`, () => {
      const model = one(["x: f32[B, 96]"], call);
      const initial = model.initial();
      const [W, b] = model.params.map(({ name }) => [...initial.of(name).data]) as [number[], number[]];
      expect(Math.max(...W)).toBeLessThan(bound);
      expect(Math.max(...W)).toBeGreaterThan(0.97 * bound);
      expect(Math.min(...W)).toBeLessThan(-0.97 * bound);
      expect(Math.abs(sum(W) / W.length)).toBeLessThan(0.05 * bound);
      expect(b.every((v) => v === 0)).toBe(true);
    });
  }
});

describe("layers", () => {
  const x = noise([3, 5], 1);

  test("linear without bias has no bias", () => {
    const model = one(["x: f32[B, 5]"], "linear(x, 4, bias: none)");
    expect(model.count).toBe(20);
    const weights = randomWeights(model);
    const W = weights.of(model.params[0]?.name ?? "");
    expect(
      distance(
        model.run({ x }, weights).y.data,
        rows(x).flatMap((row) => linear(row, W)),
      ),
    ).toBeLessThan(1e-12);
  });

  test("rms_norm", () => {
    const model = one(["x: f32[B, 5]"], "rms_norm(x)");
    const weights = randomWeights(model);
    const gamma = weights.of(model.params[0]?.name ?? "");
    expect(
      distance(
        model.run({ x }, weights).y.data,
        rows(x).flatMap((row) => rmsNorm(row, gamma)),
      ),
    ).toBeLessThan(1e-12);
    expect(model.run({ x: tensor([2, 5], () => 0) }, weights).y.data.every((v) => v === 0)).toBe(true);
  });

  test("mlp has a norm and an activation for each width, or leaves the norm out", () => {
    expect(one(["x: f32[B, 5]"], "mlp(x, [7, 3])").count).toBe(5 * 7 + 7 + 14 + 7 * 3 + 3 + 6);
    const plain = one(["x: f32[B, 5]"], "mlp(x, [7], norm: none, act: silu, dropout: 0.5)");
    expect(plain.count).toBe(42);
    const weights = randomWeights(plain);
    const [W, b] = weights.inOrder(2);
    expect(
      distance(
        plain.run({ x }, weights).y.data,
        rows(x).flatMap((row) => linear(row, W, b).map(silu)),
      ),
    ).toBeLessThan(1e-12);
  });

  test("embedding takes rows of the table, which does not decay", () => {
    const model = one(["ids: id[B] of 4"], "embedding(ids, 3)");
    const weights = randomWeights(model);
    const table = rows(weights.of(model.params[0]?.name ?? ""));
    expect(rows(model.run({ ids: tensor([3], (i) => [2, 0, 3][i] as number) }, weights).y)).toEqual([table[2], table[0], table[3]]);
    expect(model.params[0]?.decay).toBe(false);
  });

  test("causal_conv is a loop over taps, and a step sees nothing after it", () => {
    const model = one(["x: f32[B, 6, 2]"], "causal_conv(x, 3)");
    const weights = randomWeights(model);
    const [K, b] = weights.inOrder(2);
    const sequence = noise([2, 6, 2], 3);
    const value = (batch: number, t: number, c: number) => (t < 0 ? 0 : at(sequence.data, (batch * 6 + t) * 2 + c));
    const expected = Array.from({ length: 24 }, (_, i) => {
      const [batch, t, c] = [Math.floor(i / 12), Math.floor(i / 2) % 6, i % 2];
      return at(b.data, c) + sum([0, 1, 2].map((j) => at(K.data, j * 2 + c) * value(batch, t - 2 + j, c)));
    });
    expect(distance(model.run({ x: sequence }, weights).y.data, expected)).toBeLessThan(1e-12);
  });

  test("self_attention is softmax(Q Kᵀ / √d) V for each head", () => {
    const model = one(["x: f32[B, 3, 4]", "mask: f32[B, 3]"], "self_attention(x, mask, 2)");
    const weights = randomWeights(model);
    const [Wq, bq, Wk, bk, Wv, bv, Wo, bo] = weights.inOrder(8);
    const sequence = noise([1, 3, 4], 4);
    const [q, k, v] = [
      rows(sequence).map((row) => linear(row, Wq, bq)),
      rows(sequence).map((row) => linear(row, Wk, bk)),
      rows(sequence).map((row) => linear(row, Wv, bv)),
    ];
    const expected = [0, 1, 2].flatMap((t) => {
      const heads = [0, 1].flatMap((head) => {
        const part = (row: Row) => row.slice(2 * head, 2 * head + 2);
        // the last step is masked
        const weight = softmax([0, 1].map((s) => dot(part(q[t] as Row), part(k[s] as Row)) / Math.sqrt(2)));
        return [0, 1].map((c) => sum([0, 1].map((s) => at(weight, s) * at(part(v[s] as Row), c))));
      });
      return linear(heads, Wo, bo);
    });
    expect(distance(model.run({ x: sequence, mask: tensor([1, 3], (i) => Number(i < 2)) }, weights).y.data, expected)).toBeLessThan(1e-10);
  });
});

describe("numerics", () => {
  test("logsumexp does not overflow", () => {
    const model = buildLibrary({ inputs: ["x: f32[B, 3, 2]"], outputs: { last: "logsumexp(x)", middle: "logsumexp(x, axis: 1)" } });
    const x = tensor([1, 3, 2], (i) => 1000 * i);
    const out = model.run({ x });
    expect(distance(out.last.data, [1000, 3000, 5000])).toBeLessThan(1e-9);
    expect(distance(out.middle.data, [4000, 5000])).toBeLessThan(1e-9);
    const small = noise([2, 3, 2], 1);
    const expected = rows(small).map((row) => Math.log(sum(row.map(Math.exp))));
    expect(distance(model.run({ x: small }).last.data, expected)).toBeLessThan(1e-12);
  });

  test("l2_normalize gives length 1, and zero for zero", () => {
    const model = one(["x: f32[B, 3]"], "l2_normalize(x)");
    const y = model.run({ x: withRow(noise([3, 3], 2), 1, 0) }).y;
    expect(rows(y).map((row) => Math.round(1e6 * Math.sqrt(dot(row, row))) / 1e6)).toEqual([1, 0, 1]);
  });

  test("trace, eye and flatten", () => {
    const model = buildLibrary({
      inputs: ["x: f32[B, 3, 3]"],
      outputs: { trace: "anchor * trace(x[0])", eye: "x @ eye(3)", flat: "flatten(x)" },
    });
    const x = noise([2, 3, 3], 5);
    const out = model.run({ x });
    expect(at(out.trace.data, 0)).toBeCloseTo(at(x.data, 0) + at(x.data, 4) + at(x.data, 8), 12);
    expect(distance(out.eye.data, x.data)).toBe(0);
    expect(out.flat.shape).toEqual([2, 9]);
    expect(distance(out.flat.data, x.data)).toBe(0);
  });
});

describe("masks", () => {
  const model = buildLibrary({
    inputs: ["x: f32[B, 4, 2]", "flat: f32[B, 3]"],
    outputs: {
      present: "present(x)",
      present_flat: "present(flat)",
      steps: "step_mask(x)",
      mean: "masked_mean(x, step_mask(x))",
      last: "last_valid(x, step_mask(x))",
      any: "either([present(x), present(flat)])",
    },
  });
  // row 0: steps 0 and 2 are valid; row 1: none; row 2: only the last, by one negative entry
  const x = tensor([3, 4, 2], (i) => ({ 0: 1, 1: 2, 4: -3, 5: 4, 23: -1e-9 })[i] ?? 0);
  const flat = tensor([3, 3], (i) => Number(i === 4));
  const out = model.run({ x, flat });

  test("present and step_mask find any entry other than 0", () => {
    expect(out.present).toEqual(tensor([3, 1], (i) => Number(i !== 1)));
    expect(out.present_flat).toEqual(tensor([3, 1], (i) => Number(i === 1)));
    expect(out.any).toEqual(tensor([3, 1], () => 1));
    expect(rows(out.steps)).toEqual([
      [1, 0, 1, 0],
      [0, 0, 0, 0],
      [0, 0, 0, 1],
    ]);
  });

  test("masked_mean and last_valid look at valid steps only, and give 0 where there are none", () => {
    expect(rows(out.mean)).toEqual([
      [-1, 3],
      [0, 0],
      [0, -1e-9],
    ]);
    expect(rows(out.last)).toEqual([
      [-3, 4],
      [0, 0],
      [0, -1e-9],
    ]);
    expect(rowOf(out.mean, 1)).toEqual(scale([0, 0], 1));
  });
});
