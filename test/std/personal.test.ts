import { describe, expect, test } from "vitest";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { buildLibrary, noise, randomWeights, scaled } from "./build-library.ts";
import { at, distance, linear, type Row, rows, sigmoid } from "./reference.ts";

const imports = `import { PersonalEmbedding, PersonalTower, scaling_gate } from "std/personal"`;
const inputs = ["x: f32[B, 5]", "prior: f32[B, 3]"];
const x = noise([4, 5], 1);
const prior = noise([4, 3], 2);
const relu = (row: Row) => row.map((v) => Math.max(v, 0));
const times = (a: Row, b: Row) => a.map((v, i) => v * at(b, i));

describe("PersonalEmbedding", () => {
  const net = buildLibrary({ imports, inputs, outputs: { y: "PersonalEmbedding(x, prior)", scale: "PersonalEmbedding(x, prior).scale" } });

  test("scales each number by 2 · sigmoid of two layers over the prior and itself", () => {
    const weights = randomWeights(net);
    const [W1, b1, W2, b2] = weights.inOrder(4, "y/");
    const expected = rows(x).flatMap((row, i) => {
      const gate = linear(relu(linear([...(rows(prior)[i] ?? []), ...row], W1, b1)), W2, b2).map((v) => 2 * sigmoid(v));
      return times(gate, row);
    });
    expect(distance(net.run({ x, prior }, weights).y.data, expected)).toBeLessThan(1e-12);
  });

  test("every scale is within [0, 2], and both ends are near for strong priors", () => {
    const { scale } = net.run({ x, prior: scaled(prior, 1e4) }, randomWeights(net));
    expect(Math.min(...scale.data)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...scale.data)).toBeLessThanOrEqual(2);
    expect(Math.min(...scale.data)).toBeLessThan(0.1);
    expect(Math.max(...scale.data)).toBeGreaterThan(1.9);
  });

  test("a gate that knows nothing scales by 1", () => {
    const scale = net.run({ x: scaled(x, 0), prior: scaled(prior, 0) }).scale.data;
    expect([...scale]).toEqual(Array.from(scale, () => 1));
  });
});

describe("PersonalTower", () => {
  const tower = (scaleInput: boolean) => {
    const net = buildLibrary({ imports, inputs, outputs: { y: `PersonalTower(x, 2, prior, widths: [4, 3], scale_input: ${scaleInput})` } });
    return { net, weights: randomWeights(net) };
  };
  /** The gates of each row, of two layers over the prior and the tower's input. */
  const gates = (...[W1, b1, W2, b2]: readonly [NdArray, NdArray, NdArray, NdArray]) =>
    rows(x).map((row, i) => linear(relu(linear([...(rows(prior)[i] ?? []), ...row], W1, b1)), W2, b2).map((v) => 2 * sigmoid(v)));

  test("scales the units of every hidden layer by gates that see the prior and the tower's input", () => {
    const { net, weights } = tower(false);
    const [W1, b1, G1, c1, H1, d1, W2, b2, G2, c2, H2, d2, W3, b3] = weights.inOrder(14);
    const [lower, upper] = [gates(G1, c1, H1, d1), gates(G2, c2, H2, d2)];
    const expected = rows(x).flatMap((row, i) => {
      const first = times(relu(linear(row, W1, b1)), lower[i] ?? []);
      const second = times(relu(linear(first, W2, b2)), upper[i] ?? []);
      return linear(second, W3, b3);
    });
    expect(distance(net.run({ x, prior }, weights).y.data, expected)).toBeLessThan(1e-12);
  });

  test("its input too where asked", () => expect(tower(true).net.count - tower(false).net.count).toBe(8 * 5 + 5 + 5 * 5 + 5));
});
