import { describe, expect, test } from "vitest";
import { buildLibrary, noise, randomWeights } from "./build-library.ts";
import { at, distance, linear, rows, sum } from "./reference.ts";

describe("SparseAutoencoder", () => {
  const library = (decoder: string) =>
    buildLibrary({
      imports: `import { SparseAutoencoder } from "std/heads"`,
      inputs: ["h: f32[B, 6]"],
      outputs: { y: `SparseAutoencoder(h, expand: 3, l1: 0.02, weight: 0.1, decoder: "${decoder}")` },
    });

  test.each([
    ["tied", 6 * 18 + 18 + 6],
    ["untied", 2 * 6 * 18 + 18 + 6],
  ])("%s, has %i weights, and decoder rows of length 1 to start with", (decoder, count) => {
    const sae = library(decoder);
    expect(sae.count).toBe(count);
    const weights = sae.initial();
    const matrices = sae.params.filter(({ shape }) => shape.length === 2).map(({ name }) => weights.of(name));
    const W = matrices.at(-1);
    if (W === undefined) throw new Error("no decoder");
    const decoderRows = W.shape[0] === 18 ? rows(W) : Array.from({ length: 18 }, (_, j) => rows(W).map((row) => at(row, j)));
    for (const row of decoderRows) expect(sum(row.map((v) => v * v))).toBeCloseTo(1, 6);
  });

  test("tied, rebuilds by the encoder's transpose; its penalty is the error and the sum of latents", () => {
    const sae = library("tied");
    const weights = randomWeights(sae);
    const [W, encoderBias, decoderBias] = [weights.of("y/W"), weights.of("y/latents/add_bias/b"), weights.of("y/reconstruction/b")];
    const h = noise([4, 6], 1);
    const latents = rows(h).map((row) => linear(row, W, encoderBias).map((v) => Math.max(v, 0)));
    const rebuilt = latents.map((z) => rows(W).map((row, i) => sum(row.map((v, j) => v * at(z, j))) + at(decoderBias.data, i)));
    const result = sae.run({ h }, weights);
    expect(distance(result.y.data, rebuilt.flat())).toBeLessThan(1e-12);
    const error = rebuilt.map((row, i) => sum(row.map((v, j) => (v - at(rows(h)[i] ?? [], j)) ** 2)));
    const expected = 0.1 * (sum(error) / 4 + (0.02 * sum(latents.flat())) / 4);
    expect(result[sae.penalties[0] ?? ""]?.data[0]).toBeCloseTo(expected, 12);
  });

  test("counts the latents that a row uses, and those that no row uses", () => {
    const sae = buildLibrary({
      imports: `import { SparseAutoencoder } from "std/heads"`,
      inputs: ["h: f32[B, 6]"],
      outputs: {
        latents: "SparseAutoencoder(h, expand: 3).latents",
        active: "SparseAutoencoder(h, expand: 3).active",
        dead: "anchor * SparseAutoencoder(h, expand: 3).dead",
      },
    });
    // one set of weights for the three instances
    const one = randomWeights(sae).inOrder(3, "latents/");
    const shared = ["active", "dead"].reduce((weights, of) => {
      const names = [...weights.values.keys()].filter((name) => name.startsWith(`${of}/`));
      return names.reduce((all, name, i) => all.with(name, one[i] ?? noise([1], 1)), weights);
    }, randomWeights(sae));
    const { latents, active, dead } = sae.run({ h: noise([2, 6], 1) }, shared);
    const used = rows(latents).map((row) => row.map((v) => Number(v > 0)));
    expect([...active.data]).toEqual(used.map(sum));
    const unused = Array.from({ length: 18 }, (_, j) => used.every((row) => row[j] === 0)).filter(Boolean).length;
    expect(unused).toBeGreaterThan(0);
    expect([...dead.data]).toEqual([unused, unused]);
  });
});
