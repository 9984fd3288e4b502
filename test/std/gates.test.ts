import { describe, expect, test } from "vitest";
import { buildLibrary, noise, randomWeights, tensor } from "./build-library.ts";
import { add, at, distance, linear, rows, scale, softmax, sum } from "./reference.ts";

const widths = [128, 64, 64, 64, 64, 64, 64, 64];

/** A block-scaling gate over the first `count` experts, of which the first `preferred` are preferred. */
function gateOver(count: number, preferred: number, settings = "") {
  const names = widths.slice(0, count).map((_, i) => `e${i}`);
  const prior = names.map((_, i) => (i < preferred ? 1 : -1));
  const call = `BlockScale([${names}], by: concat([${names}]), prior: [${prior}]${settings})`;
  const gate = buildLibrary({
    imports: `import { BlockScale } from "std/gates"`,
    inputs: names.map((name, i) => `${name}: f32[B, ${at(widths, i)}]`),
    outputs: { y: call, w: `${call}.attention` },
  });
  return { gate, names, total: sum(widths.slice(0, count)) };
}

/** One row of ones for each expert: the output shows the factors. */
function factorsOf({ gate, names, total }: ReturnType<typeof gateOver>): number[] {
  const inputs = Object.fromEntries(names.map((name, i) => [name, tensor([1, at(widths, i)], () => 1)]));
  const y = gate.run(inputs).y.data;
  expect(y).toHaveLength(total);
  return [0, ...widths].slice(0, names.length).map((_, i) => at(y, sum(widths.slice(0, i))));
}

describe("BlockScale", () => {
  test.each([
    [8, 1, 0.5135, 0.0695],
    [8, 2, 0.3556, 0.0481],
    [8, 3, 0.272, 0.0368],
    [7, 1, 0.5519, 0.0747],
    [7, 2, 0.3736, 0.0506],
    [7, 3, 0.2824, 0.0382],
  ])("over %i experts with %i preferred starts from %f and %f", (experts, preferred, high, low) => {
    const { gate, names } = gateOver(experts, preferred);
    const w = gate.run(Object.fromEntries(names.map((name, i) => [name, noise([2, at(widths, i)], i)]))).w;
    const expected = names.map((_, i) => (i < preferred ? high : low));
    expect(distance(w.data, [...expected, ...expected])).toBeLessThan(5e-5);
  });

  test.each([
    [8, 0.75, 1.0607],
    [7, 0.7559, 1.069],
  ])("with %i experts dim normalisation gives %f to 128 and %f to 64", (experts, wide, narrow) => {
    const even = 1 / experts;
    const factors = factorsOf(gateOver(experts, 0, ", dim_normalize: true"));
    expect(factors).toHaveLength(experts);
    for (const [i, factor] of factors.entries()) expect(factor).toBeCloseTo((i === 0 ? wide : narrow) * even, 4);
  });

  test('"sum1" shrinks even weights by the number of experts and "mean1" does not', () => {
    for (const factor of factorsOf(gateOver(8, 0))) expect(factor).toBeCloseTo(1 / 8, 12);
    for (const factor of factorsOf(gateOver(8, 0, ', scale: "mean1"'))) expect(factor).toBeCloseTo(1, 12);
  });

  test("scales each block by its own weight, and its penalty is minus the mean entropy", () => {
    const gate = buildLibrary({
      imports: `import { BlockScale } from "std/gates"`,
      inputs: ["a: f32[B, 3]", "b: f32[B, 2]", "by: f32[B, 4]"],
      outputs: { y: "BlockScale([a, b], by: by, prior: [1, -1], entropy: 0.01)" },
    });
    expect(gate.penalties).toEqual(["y/entropy"]);
    const [a, b, by] = [noise([5, 3], 1), noise([5, 2], 2), noise([5, 4], 3)];
    const weights = randomWeights(gate);
    const result = gate.run({ a, b, by }, weights);
    const z = rows(by).map((row) => linear(row, weights.of("y/W"), weights.of("y/b")));
    const w = z.map(softmax);
    const expected = w.flatMap((row, i) => [...scale(rows(a)[i] ?? [], at(row, 0)), ...scale(rows(b)[i] ?? [], at(row, 1))]);
    expect(distance(result.y.data, expected)).toBeLessThan(1e-12);
    const entropy = sum(w.map((row) => -sum(row.map((p) => p * Math.log(p))))) / 5;
    expect(result["y/entropy"]?.data[0]).toBeCloseTo(-0.01 * entropy, 12);
  });

  test("the entropy of even weights over 8 experts is ln 8 nats, the largest", () => {
    const { gate, names } = gateOver(8, 0, ", entropy: 1");
    const inputs = Object.fromEntries(names.map((name, i) => [name, noise([2, at(widths, i)], i)]));
    const penalty = gate.run(inputs)[gate.penalties[0] ?? ""]?.data[0];
    expect(penalty).toBeCloseTo(-Math.log(8), 12);
  });
});

describe("sums of equal-width experts", () => {
  const sums = buildLibrary({
    imports: `import { LinearSum, WeightedSum } from "std/gates"`,
    inputs: ["a: f32[B, 3]", "b: f32[B, 3]", "by: f32[B, 4]"],
    outputs: { y: "WeightedSum([a, b], by: by)", v: "LinearSum([a, b])", one: "LinearSum([a])" },
  });
  const inputs = { a: noise([4, 3], 1), b: noise([4, 3], 2), by: noise([4, 4], 3) };
  const weights = randomWeights(sums);
  const result = sums.run(inputs, weights);
  const mix = (weightsOf: (row: number) => readonly number[]) =>
    rows(inputs.a).flatMap((row, i) => add(scale(row, at(weightsOf(i), 0)), scale(rows(inputs.b)[i] ?? [], at(weightsOf(i), 1))));

  test("WeightedSum is Σ softmax(x W) · expert, without bias", () => {
    const w = rows(inputs.by).map((row) => softmax(linear(row, weights.of("y/attention/linear/W"))));
    expect(
      distance(
        result.y.data,
        mix((i) => w[i] ?? []),
      ),
    ).toBeLessThan(1e-12);
  });

  test("LinearSum is Σ v · expert for every row, and one expert is passed on", () => {
    const v = [...weights.of("v/linear/W").data];
    expect(v).toHaveLength(2);
    expect(
      distance(
        result.v.data,
        mix(() => v),
      ),
    ).toBeLessThan(1e-12);
    expect(distance(result.one.data, inputs.a.data)).toBe(0);
    expect(sums.params.map(({ name }) => name)).toEqual(["y/attention/linear/W", "v/linear/W"]);
  });
});
