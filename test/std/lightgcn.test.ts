import { describe, expect, test } from "vitest";
import { buildLibrary, noise, randomWeights, rowOf, withRow } from "./build-library.ts";
import { add, distance, layerNorm, linear, rows, sigmoid, silu } from "./reference.ts";

const expert = buildLibrary({
  imports: `import { LightGCN } from "std/experts/lightgcn"`,
  inputs: ["e: f32[B, 64]"],
  outputs: { y: "LightGCN(e)" },
});

describe("LightGCN", () => {
  test("has 21,248 weights", () => expect(expert.count).toBe(21_248));

  test("is LN(MLP(e) + sigmoid(e W + b) · e) of the normalised embedding", () => {
    const weights = randomWeights(expert);
    const [g0, b0, Wg, cg, W1, c1, g1, b1, W2, c2, g2, b2] = weights.inOrder(12);
    const e = noise([3, 64], 2);
    const expected = rows(e).flatMap((row) => {
      const n = layerNorm(row, g0, b0);
      const adapted = linear(layerNorm(linear(n, W1, c1), g1, b1).map(silu), W2, c2);
      const open = linear(n, Wg, cg).map(sigmoid);
      return layerNorm(
        add(
          adapted,
          n.map((v, i) => v * (open[i] as number)),
        ),
        g2,
        b2,
      );
    });
    expect(distance(expert.run({ e }, weights).y.data, expected)).toBeLessThan(1e-9);
  });

  test("starts with the skip open: its bias is 2", () => {
    const weights = expert.initial();
    const twos = expert.params.filter(({ name }) => weights.of(name).data.every((v) => v === 2));
    expect(twos.map(({ shape }) => shape)).toEqual([[64]]);
  });

  test("a missing row gives exactly zero and leaves the others as they are", () => {
    const weights = randomWeights(expert);
    const e = noise([3, 64], 3);
    const all = expert.run({ e }, weights).y;
    const missing = expert.run({ e: withRow(e, 1, 0) }, weights).y;
    expect(rowOf(missing, 1).every((v) => v === 0)).toBe(true);
    for (const row of [0, 2]) expect(distance(rowOf(missing, row), rowOf(all, row))).toBe(0);
  });

  test("stays finite for huge embeddings", () => {
    const y = expert.run({ e: noise([2, 64], 4, 1e6) }).y;
    expect(y.data.every(Number.isFinite)).toBe(true);
  });
});
