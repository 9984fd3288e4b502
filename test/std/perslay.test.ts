import { describe, expect, test } from "vitest";
import { buildLibrary, noise, randomWeights, rowOf, tensor, withRow } from "./build-library.ts";
import { at, distance, layerNorm, linear, type Row, rows, silu } from "./reference.ts";

const imports = `import { PersLay, vectorize } from "std/experts/perslay"`;
const expert = buildLibrary({
  imports,
  inputs: ["short: f32[B, 200, 3]", "long: f32[B, 150, 3]", "stats: f32[B, 40]", "tda: f32[B, 70]"],
  outputs: { y: "PersLay([short, long], stats, tda)" },
});
const small = buildLibrary({
  imports,
  inputs: ["short: f32[B, 6, 3]", "long: f32[B, 4, 3]", "stats: f32[B, 5]", "tda: f32[B, 7]", "mask: f32[B, 6]"],
  outputs: {
    y: "PersLay([short, long], stats, tda, gaussians: 5, tents: 4, out: 3)",
    features: "vectorize(short, mask, 5, 4)",
  },
});

/** Points (birth, death, degree), all of them with death after birth. */
function diagram(batch: number, points: number, degrees: number, seed: number) {
  const random = noise([batch, points, 3], seed);
  const unit = (v: number) => 1 / (1 + Math.exp(-v));
  return tensor([batch, points, 3], (i) => {
    const start = i - (i % 3);
    const birth = 0.6 * unit(at(random.data, start));
    if (i % 3 === 0) return birth;
    return i % 3 === 1 ? birth + 0.4 * unit(at(random.data, i)) : Math.floor(i / 3) % degrees;
  });
}

const inputs = {
  short: diagram(3, 6, 2, 1),
  long: diagram(3, 4, 3, 2),
  stats: noise([3, 5], 3),
  tda: noise([3, 7], 4),
  mask: tensor([3, 6], (i) => Number(i % 4 !== 3)),
};

/** Σ w φ / (1 + Σ w), with each Gaussian and tent written out. */
function features(points: readonly Row[], mask: Row, center: readonly Row[], inverseWidth: readonly Row[], tent: Row, C: number): Row {
  const weights = points.map(([birth, death], i) => at(mask, i) * Math.abs(C) * ((death as number) - (birth as number)));
  const pool = (phi: (birth: number, life: number) => number) => {
    const total = points.reduce(
      (so_far, [birth, death], i) => so_far + at(weights, i) * phi(birth as number, (death as number) - (birth as number)),
      0,
    );
    return total / (1 + weights.reduce((a, b) => a + b, 0));
  };
  const clip = (s: number) => Math.min(Math.max(s, 0.5), 64);
  const gaussians = center.map((mu, q) =>
    pool((birth, life) => {
      const s = inverseWidth[q] as Row;
      return Math.exp(-((clip(at(s, 0)) * (birth - at(mu, 0))) ** 2) - (clip(at(s, 1)) * (life - at(mu, 1))) ** 2);
    }),
  );
  return [...gaussians, ...tent.map((s) => pool((birth, life) => Math.max(0, life / 2 - Math.abs(s - (birth + life / 2)))))];
}

describe("PersLay", () => {
  test("has 48,429 weights", () => expect(expert.count).toBe(48_429));

  test("the features of a diagram are weighted sums of Gaussians and tents", () => {
    const weights = randomWeights(small);
    const [center, inverseWidth, tent, C] = weights.inOrder(4, "features/");
    const found = small.run(inputs, weights).features;
    const expected = [0, 1, 2].flatMap((row) =>
      features(
        rows(inputs.short).slice(row * 6, row * 6 + 6),
        rowOf(inputs.mask, row),
        rows(center),
        rows(inverseWidth),
        [...tent.data],
        at(C.data, 0),
      ),
    );
    expect(distance(found.data, expected)).toBeLessThan(1e-10);
  });

  test("joins the features of each degree of each diagram with the statistics", () => {
    const weights = randomWeights(small);
    const [gs, bs, W1, c1, g1, b1, W2, c2] = weights.inOrder(8, "y/raw/");
    const [g2, b2] = weights.inOrder(2, "y/layer_norm/");
    const streams = [
      { diagrams: inputs.short, count: 6, degrees: [0, 1] },
      { diagrams: inputs.long, count: 4, degrees: [0, 1, 2] },
    ];
    const expected = [0, 1, 2].flatMap((row) => {
      const joined = streams.flatMap(({ diagrams, count, degrees }, stream) => {
        const points = rows(diagrams).slice(row * count, row * count + count);
        return degrees.flatMap((degree) => {
          const [center, inverseWidth, tent, C] = weights.inOrder(4, `y/points/${stream}/${degree}/`);
          const mask = points.map((point) => Number(point[2] === degree));
          return features(points, mask, rows(center), rows(inverseWidth), [...tent.data], at(C.data, 0));
        });
      });
      const seen = [...joined, ...layerNorm(rowOf(inputs.stats, row), gs, bs)];
      return layerNorm(linear(layerNorm(linear(seen, W1, c1), g1, b1).map(silu), W2, c2), g2, b2);
    });
    expect(distance(small.run(inputs, weights).y.data, expected)).toBeLessThan(1e-9);
  });

  test("does not depend on the order of points", () => {
    const weights = randomWeights(small);
    const turned = tensor([3, 6, 3], (i) => at(inputs.short.data, Math.floor(i / 18) * 18 + (5 - (Math.floor(i / 3) % 6)) * 3 + (i % 3)));
    expect(distance(small.run({ ...inputs, short: turned }, weights).y.data, small.run(inputs, weights).y.data)).toBeLessThan(1e-12);
  });

  test("does not depend on padding", () => {
    const weights = randomWeights(small);
    const padded = buildLibrary({
      imports,
      inputs: ["short: f32[B, 9, 3]", "long: f32[B, 4, 3]", "stats: f32[B, 5]", "tda: f32[B, 7]", "mask: f32[B, 6]"],
      outputs: {
        y: "PersLay([short, long], stats, tda, gaussians: 5, tents: 4, out: 3)",
        features: "vectorize(short[:, 0:6], mask, 5, 4)",
      },
    });
    const short = tensor([3, 9, 3], (i) => (Math.floor(i / 3) % 9 < 6 ? at(inputs.short.data, Math.floor(i / 27) * 18 + (i % 27)) : 0));
    expect(distance(padded.run({ ...inputs, short }, weights).y.data, small.run(inputs, weights).y.data)).toBeLessThan(1e-12);
  });

  test("uses the fallback for exactly the rows without any point", () => {
    const weights = randomWeights(small);
    const before = small.run(inputs, weights).y;
    const otherFallback = small.run({ ...inputs, tda: noise([3, 7], 9) }, weights).y;
    expect(distance(otherFallback.data, before.data)).toBe(0);
    const bare = { ...inputs, short: withRow(inputs.short, 1, 0), long: withRow(inputs.long, 1, 0) };
    const one = small.run(bare, weights).y;
    const two = small.run({ ...bare, tda: noise([3, 7], 9) }, weights).y;
    expect(distance(rowOf(two, 1), rowOf(one, 1))).toBeGreaterThan(1e-3);
    for (const row of [0, 2]) expect(distance(rowOf(two, row), rowOf(before, row))).toBe(0);
    const stats = small.run({ ...bare, stats: noise([3, 5], 9) }, weights).y;
    expect(distance(rowOf(stats, 1), rowOf(one, 1))).toBe(0);
  });

  test("a row with neither points nor fallback gives exactly zero", () => {
    const weights = randomWeights(small);
    const empty = { ...inputs, short: withRow(inputs.short, 1, 0), long: withRow(inputs.long, 1, 0), tda: withRow(inputs.tda, 1, 0) };
    const y = small.run(empty, weights).y;
    expect(rowOf(y, 1).every((v) => v === 0)).toBe(true);
    for (const row of [0, 2]) expect(distance(rowOf(y, row), rowOf(small.run(inputs, weights).y, row))).toBe(0);
  });

  test("an infinite death is the end of the filtration, and a death before its birth has no weight", () => {
    const weights = randomWeights(small);
    const withDeath = (death: number) =>
      small.run({ ...inputs, short: tensor([3, 6, 3], (i) => (i === 1 ? death : at(inputs.short.data, i))) }, weights).y.data;
    expect(distance(withDeath(Number.POSITIVE_INFINITY), withDeath(1))).toBe(0);
    const born = at(inputs.short.data, 0);
    expect(distance(withDeath(born - 0.1), withDeath(born))).toBe(0);
  });

  test("stays finite for zeros and huge values", () => {
    for (const value of [0, 1e6, -1e6]) {
      const all = Object.fromEntries(Object.entries(inputs).map(([name, { shape }]) => [name, tensor(shape, () => value)]));
      expect(small.run(all).y.data.every(Number.isFinite)).toBe(true);
    }
  });
});
