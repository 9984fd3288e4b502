import { describe, expect, test } from "vitest";
import type { Graph } from "../compiler/ir/graph.ts";
import type { OpAttributes } from "../compiler/ops/attributes.ts";
import { initialWeights, randomStream } from "../compiler/weights.ts";
import { Sketch } from "./ops/build-graph.ts";

function initial<K extends "random_uniform" | "random_normal">(op: K, attributes: OpAttributes[K]): Graph {
  const sketch = new Sketch();
  return sketch.graph({ value: sketch.add(op, [], attributes) });
}

function paramGraph(names: readonly string[]): Graph {
  const sketch = new Sketch();
  for (const name of names) sketch.param(name, [50, 40], initial("random_normal", { shape: [50, 40], std: 1 }));
  return sketch.graph({});
}

function weightsOf(names: readonly string[], seed: number, name: string): readonly number[] {
  return [...(initialWeights(paramGraph(names), seed).get(name) ?? [])];
}

describe("streams", () => {
  test("the same seed gives the same bytes", () => expect(weightsOf(["a"], 1, "a")).toEqual(weightsOf(["a"], 1, "a")));
  test("another seed gives others", () => expect(weightsOf(["a"], 1, "a")).not.toEqual(weightsOf(["a"], 2, "a")));
  test("more params change nothing", () => expect(weightsOf(["z", "b", "a"], 1, "a")).toEqual(weightsOf(["a"], 1, "a")));
  test("params of similar names are not correlated", () => {
    const [a, b] = [weightsOf(["tower/0/w"], 1, "tower/0/w"), weightsOf(["tower/1/w"], 1, "tower/1/w")];
    const product = a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0) / a.length;
    // One standard error is 1 / sqrt(2000) = 0.022.
    expect(Math.abs(product)).toBeLessThan(0.1);
  });
  test("values are spread evenly", () => {
    const random = randomStream(0, "buckets");
    const buckets = new Array<number>(16).fill(0);
    const count = 160_000;
    for (let i = 0; i < count; i++) {
      const bucket = Math.floor(random() * 16);
      buckets[bucket] = (buckets[bucket] ?? 0) + 1;
    }
    const expected = count / 16;
    const chiSquare = buckets.reduce((sum, observed) => sum + (observed - expected) ** 2 / expected, 0);
    // The 99.9 % point for 15 degrees of freedom.
    expect(chiSquare).toBeLessThan(37.7);
  });
});

describe("draws", () => {
  const draw = (graph: Graph, size: number): Float32Array => {
    const sketch = new Sketch();
    sketch.param("w", [size], graph);
    return initialWeights(sketch.graph({}), 5).get("w") as Float32Array;
  };
  const moment = (values: Float32Array, power: number) => values.reduce((sum, value) => sum + value ** power, 0) / values.length;
  const size = 200_001;

  test("uniform: bounds, mean and variance", () => {
    const values = draw(initial("random_uniform", { shape: [size], low: -1, high: 3 }), size);
    expect(Math.min(...values.subarray(0, 50_000))).toBeGreaterThanOrEqual(-1);
    expect(Math.max(...values.subarray(0, 50_000))).toBeLessThanOrEqual(3);
    expect(moment(values, 1)).toBeCloseTo(1, 1);
    // variance (high - low)² / 12
    expect(moment(values, 2) - moment(values, 1) ** 2).toBeCloseTo(16 / 12, 1);
  });

  test("normal: first four moments", () => {
    const values = draw(initial("random_normal", { shape: [size], std: 2 }), size);
    expect(moment(values, 1) / 2).toBeCloseTo(0, 1);
    expect(moment(values, 2) / 4).toBeCloseTo(1, 1);
    expect(moment(values, 3) / 8).toBeCloseTo(0, 1);
    expect(moment(values, 4) / 16).toBeCloseTo(3, 0);
    expect(values.every(Number.isFinite)).toBe(true);
  });
});

test("an initial value stretches to the shape of the param", () => {
  const sketch = new Sketch();
  const row = new Sketch();
  sketch.param("w", [2, 3], row.graph({ value: row.add("arange", [], { length: 3 }) }));
  expect([...(initialWeights(sketch.graph({}), 0).get("w") ?? [])]).toEqual([0, 1, 2, 0, 1, 2]);
});
