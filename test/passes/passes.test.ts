import { describe, expect, test } from "vitest";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { evaluateShape, makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { randomStream } from "../../compiler/weights.ts";
import { f32, Sketch } from "../ops/build-graph.ts";
import { largestDifference } from "../ops/run-onnx.ts";

const B = symbolDim("B");

/** Runs both graphs on the same random values; params that the second lost are not bound. */
function expectSameResults(before: Graph, after: Graph): void {
  verifyGraph(before);
  verifyGraph(after);
  const random = randomStream(3, "passes");
  const draw = ({ type }: Value): NdArray => {
    const array = makeArray(evaluateShape(type.shape, new Map([["B", 3]])));
    return makeArray(
      array.shape,
      array.data.map(() => 2 * random() - 1),
    );
  };
  const inputs = new Map(before.inputs.map(({ name, value }) => [name, draw(value)]));
  const params = new Map(before.params.map(({ name, value }) => [name, draw(value)]));
  const [expected, actual] = [interpret(before, { inputs, params }), interpret(after, { inputs, params })];
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, value] of expected) expect(largestDifference(actual.get(name) as NdArray, value)).toBeLessThan(1e-12);
}

const opsOf = (graph: Graph): readonly string[] => graph.nodes.map((node) => node.op).filter((op) => op !== "input" && op !== "param");

describe("prune", () => {
  const sketch = new Sketch();
  const x = sketch.input("x", "f32", [B, 2]);
  sketch.input("unused", "f32", [B]);
  const used = sketch.param("used", [2]);
  const dead = sketch.param("dead", [2]);
  sketch.add("mul", [x, dead], {});
  const graph = sketch.graph({ y: sketch.add("add", [x, used], {}) });

  test("drops dead nodes and params, and keeps inputs", () => {
    const pruned = prune(graph);
    expect(opsOf(pruned)).toEqual(["add"]);
    expect(pruned.params.map(({ name }) => name)).toEqual(["used"]);
    expect(pruned.inputs.map(({ name }) => name)).toEqual(["x", "unused"]);
    expectSameResults(graph, pruned);
  });

  test("keeps the values themselves", () => expect(prune(graph).outputs[0]?.value).toBe(graph.outputs[0]?.value));

  test("keeps what loop bodies capture", () => {
    const loop = new Sketch();
    const steps = loop.input("steps", "f32", [4]);
    const k = loop.param("k", []);
    const captured = loop.add("exp", [k], {});
    const body = loop.body([f32(), f32()], ([s, t]) => [loop.add("add", [loop.add("mul", [s as Value, captured], {}), t as Value], {})]);
    const scanned = loop.graph({ y: loop.add("scan", [loop.scalar(1), steps], { axis: 0, states: 1, body }) });
    expect(opsOf(prune(scanned))).toContain("exp");
    expectSameResults(scanned, prune(scanned));
  });
});

describe("simplify", () => {
  type Build = (sketch: Sketch, x: Value) => Value;
  const constant = (sketch: Sketch, value: number) => sketch.scalar(value);

  /** What an op on x: f32[B, 6] becomes. */
  const cases: readonly (readonly [name: string, build: Build, ops: readonly string[]])[] = [
    ["dropout", (s, x) => s.add("dropout", [x], { rate: 0.5 }), []],
    ["stop_gradient", (s, x) => s.add("stop_gradient", [x], {}), []],
    ["x + 0", (s, x) => s.add("add", [x, constant(s, 0)], {}), []],
    ["0 + x", (s, x) => s.add("add", [constant(s, 0), x], {}), []],
    ["x - 0", (s, x) => s.add("sub", [x, constant(s, 0)], {}), []],
    ["0 - x stays", (s, x) => s.add("sub", [constant(s, 0), x], {}), ["constant", "sub"]],
    ["1 · x", (s, x) => s.add("mul", [constant(s, 1), x], {}), []],
    ["x / 1", (s, x) => s.add("div", [x, constant(s, 1)], {}), []],
    ["1 / x stays", (s, x) => s.add("div", [constant(s, 1), x], {}), ["constant", "div"]],
    [
      "x + zeros that stretch it stays",
      (s, x) => s.add("add", [x, s.add("full", [], { dtype: "f32", shape: [2, 1, 1], value: 0 })], {}),
      ["full", "add"],
    ],
    ["reshape to its own shape", (s, x) => s.add("reshape", [x], { shape: [B, 6] }), []],
    ["reshape of reshape", (s, x) => s.add("reshape", [s.add("reshape", [x], { shape: [B, 2, 3] })], { shape: [B, 3, 2] }), ["reshape"]],
    ["reshape there and back", (s, x) => s.add("reshape", [s.add("reshape", [x], { shape: [B, 2, 3] })], { shape: [B, 6] }), []],
    [
      "transpose there and back",
      (s, x) => s.add("transpose", [s.add("transpose", [x], { permutation: [1, 0] })], { permutation: [1, 0] }),
      [],
    ],
    ["expand to its own shape", (s, x) => s.add("expand", [x], { shape: [B, 6] }), []],
    ["a whole slice", (s, x) => s.add("slice", [x], { axis: 1, start: 0, stop: 6 }), []],
    [
      "slice of slice",
      (s, x) => s.add("slice", [s.add("slice", [x], { axis: 1, start: 1, stop: 5 })], { axis: 1, start: 1, stop: 3 }),
      ["slice"],
    ],
    [
      "slices on two axes stay",
      (s, x) => s.add("slice", [s.add("slice", [x], { axis: 1, start: 1, stop: 5 })], { axis: 0, start: 0, stop: 1 }),
      ["slice", "slice"],
    ],
    ["concat of one", (s, x) => s.add("concat", [x], { axis: 1 }), []],
    [
      "slice that is a part of a concat",
      (s, x) => s.add("slice", [s.add("concat", [s.add("exp", [x], {}), x], { axis: 1 })], { axis: 1, start: 6, stop: 12 }),
      [],
    ],
    [
      "slice within a part of a concat",
      (s, x) => s.add("slice", [s.add("concat", [x, s.add("exp", [x], {})], { axis: 1 })], { axis: 1, start: 7, stop: 9 }),
      ["exp", "slice"],
    ],
    [
      "slice across parts stays",
      (s, x) => s.add("slice", [s.add("concat", [x, s.add("exp", [x], {})], { axis: 1 })], { axis: 1, start: 5, stop: 7 }),
      ["exp", "concat", "slice"],
    ],
    ["a sum over no axes", (s, x) => s.add("reduce_sum", [x], { axes: [], keep: true }), []],
    [
      "constants are folded",
      (s, x) => s.add("mul", [x, s.add("exp", [s.add("add", [constant(s, 1), constant(s, 2)], {})], {})], {}),
      ["constant", "mul"],
    ],
    ["constants that add up to a neutral one", (s, x) => s.add("mul", [x, s.add("exp", [constant(s, 0)], {})], {}), []],
    [
      "equal nodes are made once",
      (s, x) => s.add("add", [s.add("dropout", [s.add("exp", [x], {})], { rate: 0.1 }), s.add("exp", [x], {})], {}),
      ["exp", "add"],
    ],
  ];

  for (const [name, build, ops] of cases) {
    test(name, () => {
      const sketch = new Sketch();
      const graph = sketch.graph({ y: build(sketch, sketch.input("x", "f32", [B, 6])) });
      const simple = simplify(graph);
      expect(opsOf(simple)).toEqual(ops);
      expectSameResults(graph, simple);
    });
  }

  test("a division by zero is not folded away", () => {
    const sketch = new Sketch();
    const graph = sketch.graph({ y: sketch.add("div", [sketch.scalar(1), sketch.scalar(0)], {}) });
    expect(opsOf(simplify(graph))).toContain("div");
  });

  test("loop bodies are simplified, and what they no longer use is dropped", () => {
    const sketch = new Sketch();
    const x = sketch.input("x", "f32", [B, 4]);
    const body = sketch.body([f32(B), f32(B)], ([s, t]) => {
      const pair = sketch.add("concat", [sketch.add("exp", [s as Value], {}), t as Value], { axis: 0 });
      const same = sketch.add("slice", [pair], {
        axis: 0,
        start: B,
        stop: sketch.add("concat", [s as Value, t as Value], { axis: 0 }).type.shape[0] ?? 0,
      });
      return [sketch.add("add", [sketch.add("dropout", [s as Value], { rate: 0.2 }), same], {})];
    });
    const initial = sketch.add("full", [], { dtype: "f32", shape: [B], value: 0 });
    const graph = sketch.graph({ y: sketch.add("scan", [initial, x], { axis: 1, states: 1, body }) });
    const simple = simplify(graph);
    expectSameResults(graph, simple);
    const scan = simple.nodes.find((node) => node.op === "scan");
    expect(scan?.op === "scan" && scan.attributes.body.nodes.map((node) => node.op)).toEqual(["body_input", "body_input", "add"]);
  });
});
