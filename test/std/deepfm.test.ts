import { describe, expect, test } from "vitest";
import { buildLibrary, noise, randomWeights, tensor } from "./build-library.ts";
import { add, at, distance, dot, layerNorm, linear, type Row, rows, scale, silu, sum } from "./reference.ts";

/** Widths of the 34 fields of PLE-Cluster-adaTT. */
const fields = [34, 64, 80, 60, 20, 15, 18, 12, 14, 12, 24, 36, 10, 22, 50, 8, 9, 6, 5, 8, 5, 4, 5, 18, 25, 18, 12, 6, 23, 4, 4, 8, 4, 1];

const imports = `import { DeepFM, pairwise } from "std/experts/deepfm"`;
const full = buildLibrary({
  imports,
  inputs: fields.map((width, i) => `f${i}: f32[B, ${width}]`),
  outputs: { y: `DeepFM([${fields.map((_, i) => `f${i}`).join(", ")}])` },
});
const small = buildLibrary({
  imports,
  inputs: ["a: f32[B, 2]", "b: f32[B, 3]", "c: f32[B, 1]", "v: f32[B, 5, 4]"],
  outputs: { y: "DeepFM([a, b, c], k: 4, deep: [6], out: 3)", fm: "pairwise(v)" },
});

/** Σ over pairs i < j of v_i ∘ v_j, over the number of fields. */
function pairs(v: readonly Row[]): Row {
  const width = (v[0] as Row).length;
  const total = new Array<number>(width).fill(0);
  v.forEach((vi, i) => {
    v.slice(i + 1).forEach((vj) => {
      for (let c = 0; c < width; c++) total[c] = at(total, c) + at(vi, c) * at(vj, c);
    });
  });
  return scale(total, 1 / v.length);
}

describe("DeepFM", () => {
  test("has 169,253 weights over 34 fields of 644 columns", () => {
    expect(sum(fields)).toBe(644);
    expect(full.count).toBe(169_253);
  });

  test("the factorisation term is the double loop over pairs of fields", () => {
    const v = noise([3, 5, 4], 5);
    const inputs = { a: noise([3, 2], 1), b: noise([3, 3], 2), c: noise([3, 1], 3), v };
    const expected = [0, 1, 2].flatMap((row) => pairs(rows(v).slice(row * 5, row * 5 + 5)));
    expect(distance(small.run(inputs).fm.data, expected)).toBeLessThan(1e-12);
  });

  test("is LN(deep + fm + wide)", () => {
    const weights = randomWeights(small);
    const [Va, ca, Vb, cb, Vc, cc, W1, c1, g1, b1, W2, c2, w1, w0, wl, Wf, bf, g2, b2] = weights.inOrder(19);
    const inputs = { a: noise([3, 2], 1), b: noise([3, 3], 2), c: noise([3, 1], 3), v: noise([3, 5, 4], 4) };
    const [a, b, c] = [rows(inputs.a), rows(inputs.b), rows(inputs.c)];
    const expected = [0, 1, 2].flatMap((i) => {
      const v = [linear(a[i] as Row, Va, ca), linear(b[i] as Row, Vb, cb), linear(c[i] as Row, Vc, cc)];
      const deep = linear(layerNorm(linear(v.flat(), W1, c1), g1, b1).map(silu), W2, c2);
      const wide = dot([...(a[i] as Row), ...(b[i] as Row), ...(c[i] as Row)], [...w1.data]) + at(w0.data, 0);
      return layerNorm(add(add(deep, linear(pairs(v), Wf, bf)), scale([...wl.data], wide)), g2, b2);
    });
    expect(distance(small.run(inputs, weights).y.data, expected)).toBeLessThan(1e-9);
  });

  test("stays finite for zeros and huge values", () => {
    for (const value of [0, 1e6, -1e6]) {
      const y = full.run(Object.fromEntries(fields.map((width, i) => [`f${i}`, tensor([2, width], () => value)]))).y;
      expect(y.data.every(Number.isFinite)).toBe(true);
    }
  });
});
