import { describe, expect, test } from "vitest";
import { checkSource } from "../../compiler/driver.ts";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { makeTensor } from "../../runtime/engine.ts";
import { onnxRuntimeEngine } from "../../runtime/engines/onnxruntime.ts";
import { buildLibrary, tensor } from "./build-library.ts";
import { at } from "./reference.ts";

const special = buildLibrary({
  imports: `import { lgamma, digamma } from "std/special"`,
  inputs: ["x: f32[B]"],
  outputs: { log: "lgamma(x)", slope: "digamma(x)" },
});

const run = (xs: readonly number[]) => special.run({ x: tensor([xs.length], (i) => at(xs, i)) });
const euler = 0.5772156649015329;

test("lgamma of whole numbers is the logarithm of a factorial: Γ(n + 1) = n!", () => {
  const logarithms = Array.from({ length: 40 }, (_, n) => Array.from({ length: n }, (_, i) => Math.log(i + 1)).reduce((a, b) => a + b, 0));
  const found = run(logarithms.map((_, n) => n + 1)).log.data;
  for (const [n, value] of logarithms.entries()) expect(at(found, n)).toBeCloseTo(value, 9);
});

test.each([
  [0.5, Math.log(Math.PI) / 2],
  [1.5, Math.log(Math.PI) / 2 - Math.log(2)],
  [2.5, Math.log((3 * Math.sqrt(Math.PI)) / 4)],
])("lgamma(%f) = %f", (x, value) => expect(at(run([x]).log.data, 0)).toBeCloseTo(value, 9));

test.each([
  [1, -euler],
  [2, 1 - euler],
  [0.5, -euler - 2 * Math.LN2],
  [0.25, -euler - Math.PI / 2 - 3 * Math.LN2],
  [11, Array.from({ length: 10 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0) - euler],
])("digamma(%f) = %f", (x, value) => expect(at(run([x]).slope.data, 0)).toBeCloseTo(value, 8));

test("Legendre's duplication holds up to 3e5, where the product of the shifts would overflow float32", () => {
  for (const x of [0.51, 1.3, 7, 93, 1e3, 1e4, 1.5e5]) {
    const [low, high, whole] = run([x, x + 0.5, 2 * x]).log.data;
    const expected = (1 - 2 * x) * Math.LN2 + Math.log(Math.PI) / 2 + at([whole ?? 0], 0);
    expect(((low ?? 0) + (high ?? 0) - expected) / Math.max(expected, 1)).toBeCloseTo(0, 9);
  }
});

test("digamma is the slope of lgamma", () => {
  for (const x of [0.5, 1, 1.4616, 3.7, 25, 400]) {
    const h = 1e-4 * x;
    const [below, , above] = run([x - h, x, x + h]).log.data;
    expect(((above ?? 0) - (below ?? 0)) / (2 * h)).toBeCloseTo(at(run([x]).slope.data, 0), 6);
  }
});

describe("in float32, on ONNX Runtime", () => {
  const { models } = checkSource(
    "test/std/special.ple",
    `import { lgamma, digamma } from "std/special"
model M {
  input x: f32[B]
  task bare: regression { loss: none }
  flow per task { return x[:, none] }
  output log = lgamma(x)
  output slope = digamma(x)
}`,
  );

  test.each([
    [1, 2, 6e-6, 1.5e-6],
    [2, 10, 1.5e-5, 1.5e-6],
    [10, 100, 1.5e-4, 2e-6],
    [100, 1e4, 0.03, 4e-6],
    [1e4, 3e5, 0.8, 4e-6],
  ])("from %f to %f both are within %f and %f", async (low, high, logError, slopeError) => {
    const graph = models[0]?.graph;
    if (graph === undefined) throw new Error("the model did not check");
    const xs = Float32Array.from({ length: 500 }, (_, i) => low * (high / low) ** (i / 500));
    const engine = await onnxRuntimeEngine(emitOnnx(simplify(graph), { weights: new Map(), metadata: {}, producerVersion: "test" }), {
      threads: 1,
    });
    const found = await engine.run(new Map([["x", makeTensor("f32", [500], xs)]]));
    await engine.close();
    const exact = run([...xs]);
    const worst = (name: "log" | "slope") => Math.max(...exact[name].data.map((v, i) => Math.abs(v - Number(found.get(name)?.data[i]))));
    expect(worst("log")).toBeLessThan(logError);
    expect(worst("slope")).toBeLessThan(slopeError);
  });
});
