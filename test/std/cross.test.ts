import { describe, expect, test } from "vitest";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { buildLibrary, noise, randomWeights, tensor } from "./build-library.ts";
import { add, at, distance, linear, type Row, rows, scale, softmax, sum } from "./reference.ts";

const crossNet = (settings: string) =>
  buildLibrary({
    imports: `import { CrossNet, DCN } from "std/experts/cross"`,
    inputs: ["x: f32[B, 5]"],
    outputs: { y: `CrossNet(x, ${settings})` },
  });

const x = noise([3, 5], 1);

/** x₀ ∘ (product(xₗ) + b) + xₗ. */
function cross(x0: Row, products: readonly ((h: Row) => Row)[], biases: readonly NdArray[]): Row {
  return products.reduce((h, product, layer) => {
    const y = add(product(h), [...(biases[layer]?.data ?? [])]);
    return h.map((v, i) => at(x0, i) * at(y, i) + v);
  }, x0);
}

/** One of several matrices stacked on the first axis. */
function slice({ shape: [, n = 0, m = 0], data }: NdArray, index: number): NdArray {
  return tensor([n, m], (i) => at(data, index * n * m + i));
}

describe("CrossNet", () => {
  test("of full rank is x₀ ∘ (W x + b) + x", () => {
    const net = crossNet("layers: 2");
    const weights = randomWeights(net);
    const [W0, b0, W1, b1] = weights.inOrder(4);
    const expected = rows(x).flatMap((row) => cross(row, [(h) => linear(h, W0), (h) => linear(h, W1)], [b0, b1]));
    expect(distance(net.run({ x }, weights).y.data, expected)).toBeLessThan(1e-12);
  });

  test("of low rank is x₀ ∘ (U Vᵀ x + b) + x", () => {
    const net = crossNet("layers: 2, rank: 2");
    const weights = randomWeights(net);
    const [V0, U0, b0, V1, U1, b1] = weights.inOrder(6);
    expect(V0.shape).toEqual([5, 2]);
    const expected = rows(x).flatMap((row) => cross(row, [(h) => linear(linear(h, V0), U0), (h) => linear(linear(h, V1), U1)], [b0, b1]));
    expect(distance(net.run({ x }, weights).y.data, expected)).toBeLessThan(1e-12);
  });

  test.each([
    ["tanh", Math.tanh],
    ["relu", (v: number) => Math.max(v, 0)],
  ] as const)("as a mixture is the mean of U g(C g(Vᵀ x)) under a softmax of x, g = %s", (name, g) => {
    const net = crossNet(`layers: 1, rank: 2, experts: 3, act: ${name}`);
    const weights = randomWeights(net);
    const [V, C, U, G, b] = weights.inOrder(5);
    const mixture = (h: Row) => {
      const gate = softmax(linear(h, G));
      const experts = gate.map((w, i) => scale(linear(linear(linear(h, slice(V, i)).map(g), slice(C, i)).map(g), slice(U, i)), w));
      return experts.reduce(add);
    };
    const expected = rows(x).flatMap((row) => cross(row, [mixture], [b]));
    expect(distance(net.run({ x }, weights).y.data, expected)).toBeLessThan(1e-12);
  });

  test("l layers make polynomials of degree l + 1 and no higher", () => {
    const net = crossNet("layers: 2");
    const weights = randomWeights(net);
    const along = [0, 1, 2, 3, 4].map((t) => net.run({ x: tensor([1, 5], (i) => t * at(x.data, i)) }, weights).y.data);
    // fourth differences of a cubic are zero, third ones are not
    const difference = (order: readonly number[]) => sum(order.map((c, t) => c * at(along[t] ?? [], 0)));
    expect(Math.abs(difference([1, -4, 6, -4, 1]))).toBeLessThan(1e-9);
    expect(Math.abs(difference([-1, 3, -3, 1]))).toBeGreaterThan(1e-3);
  });

  test("a mixture needs a rank", () => expect(() => crossNet("experts: 2")).toThrow(/rank/));
});

describe("DCN", () => {
  const dcn = (structure: string) =>
    buildLibrary({
      imports: `import { DCN } from "std/experts"`,
      inputs: ["x: f32[B, 5]"],
      outputs: { y: `DCN(x, deep: [4], structure: "${structure}", layers: 1)` },
    });
  const relu = (row: Row) => row.map((v) => Math.max(v, 0));

  test.each(["parallel", "stacked"])("%s", (structure) => {
    const net = dcn(structure);
    const weights = randomWeights(net);
    const [W, b, D, d] = weights.inOrder(4);
    const expected = rows(x).flatMap((row) => {
      const crossed = cross(row, [(h) => linear(h, W)], [b]);
      return structure === "stacked" ? relu(linear(crossed, D, d)) : [...crossed, ...relu(linear(row, D, d))];
    });
    expect(distance(net.run({ x }, weights).y.data, expected)).toBeLessThan(1e-12);
  });
});
