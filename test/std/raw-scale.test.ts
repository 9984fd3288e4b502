import { describe, expect, test } from "vitest";
import { buildLibrary, noise, randomWeights, tensor } from "./build-library.ts";
import { distance, layerNorm, linear, rows, silu, symlog } from "./reference.ts";

const expert = buildLibrary({
  imports: `import { RawScale } from "std/experts/raw_scale"`,
  inputs: ["x: f32[B, 90]"],
  outputs: { y: "RawScale(x)", compressed: "symlog(x)" },
});

describe("RawScale", () => {
  test("has 11,676 weights", () => expect(expert.count).toBe(11_676));

  test("is LN(Linear(SiLU(LN(Linear(LN(symlog x))))))", () => {
    const weights = randomWeights(expert);
    const [g0, b0, W1, c1, g1, b1, W2, c2, g2, b2] = weights.inOrder(10);
    const x = noise([3, 90], 1, 50);
    const expected = rows(x).flatMap((row) => {
      const e = layerNorm(row.map(symlog), g0, b0);
      const h = layerNorm(linear(e, W1, c1), g1, b1).map(silu);
      return layerNorm(linear(h, W2, c2), g2, b2);
    });
    expect(distance(expert.run({ x }, weights).y.data, expected)).toBeLessThan(1e-9);
  });

  test("symlog is monotone and invertible", () => {
    const values = [-1e6, -31, -1, -1e-3, 0, 1e-3, 0.5, 2, 31, 1e6];
    const x = tensor([1, 90], (i) => values[i] ?? 1e7 + i);
    const y = [...expert.run({ x }).compressed.data];
    expect(y).toEqual([...y].sort((a, b) => a - b));
    expect(new Set(y).size).toBe(90);
    const back = y.map((v) => Math.sign(v) * Math.expm1(Math.abs(v)));
    expect(distance(back, x.data)).toBeLessThan(1e-6);
  });

  test("takes NaN and infinities as 0, and huge values as they are", () => {
    const clean = tensor([1, 90], (i) => (i % 3 === 0 ? 0 : i * 1e6));
    const broken = tensor([1, 90], (i) =>
      i % 3 === 0 ? ([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY][(i / 3) % 3] as number) : i * 1e6,
    );
    const expected = expert.run({ x: clean }).y.data;
    expect(expected.every(Number.isFinite)).toBe(true);
    expect(distance(expert.run({ x: broken }).y.data, expected)).toBe(0);
  });
});
