import { describe, expect, test } from "vitest";
import { type Dim, symbolDim } from "../../compiler/ir/dim.ts";
import type { Body, Graph, Value } from "../../compiler/ir/graph.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { f32, Sketch } from "../ops/build-graph.ts";
import { bindingsOf, differentiated, expectSlopes, noise } from "./slopes.ts";

const B = symbolDim("B");
const T = symbolDim("T");

/** x f32[B, steps, 2], W f32[2, 2] and an initial state f32[B, 2] for loops. */
function parts(steps: Dim) {
  const sketch = new Sketch();
  const x = sketch.input("x", "f32", [B, steps, 2]);
  const start = sketch.input("start", "f32", [B, 2]);
  const W = sketch.param("W", [2, 2]);
  const step = (h: Value, v: Value) => sketch.add("tanh", [sketch.add("add", [sketch.add("matmul", [h, W], {}), v], {})], {});
  return { sketch, x, start, W, step };
}

const cases: Readonly<Record<string, (steps: Dim) => Graph>> = {
  "a recurrent layer with weights captured": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const body = sketch.body([f32(B, 2), f32(B, 2)], ([h, v]) => [step(h as Value, v as Value)]);
    return sketch.graph({ h: sketch.add("scan", [start, x], { axis: 1, states: 1, body }) });
  },
  "the states after the last step alone": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const body = sketch.body([f32(B, 2), f32(B, 2)], ([h, v]) => [step(h as Value, v as Value)]);
    return sketch.graph({ h: sketch.add("scan", [start, x], { axis: 1, states: 1, final: 1, body }) });
  },
  "from the last step to the first": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const body = sketch.body([f32(B, 2), f32(B, 2)], ([h, v]) => [step(h as Value, v as Value)]);
    return sketch.graph({ h: sketch.add("scan", [start, x], { axis: 1, states: 1, backward: true, body }) });
  },
  "from the last step to the first, one state at the end": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const body = sketch.body([f32(B, 2), f32(B, 2), f32(B, 2)], ([h, sum, v]) => {
      const next = step(h as Value, v as Value);
      return [next, sketch.add("add", [sum as Value, sketch.add("mul", [next, h as Value], {})], {})];
    });
    const [h, sum] = sketch.all("scan", [start, start, x], { axis: 1, states: 2, final: 1, backward: true, body });
    return sketch.graph({ h: h as Value, sum: sum as Value });
  },
  "two states, one stacked, one at the end, and a tensor that the loop does not read": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const body = sketch.body([f32(B, 2), f32(B, 2), f32(B, 2), f32(B, 2)], ([h, sum, v]) => {
      const next = step(h as Value, v as Value);
      return [next, sketch.add("add", [sum as Value, sketch.add("mul", [next, h as Value], {})], {})];
    });
    const [h, sum] = sketch.all("scan", [start, start, x, x], { axis: 1, states: 2, final: 1, body });
    return sketch.graph({ h: h as Value, sum: sum as Value });
  },
  "a state that no step reads": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const body = sketch.body([f32(B, 2), f32(B, 2), f32(B, 2)], ([h, , v]) => {
      const next = step(h as Value, v as Value);
      return [next, sketch.add("exp", [next], {})];
    });
    const [, seen] = sketch.all("scan", [start, start, x], { axis: 1, states: 2, body });
    return sketch.graph({ seen: seen as Value });
  },
  "a state that no step reads, at the end": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const body = sketch.body([f32(B, 2), f32(B, 2), f32(B, 2)], ([h, , v]) => {
      const next = step(h as Value, v as Value);
      return [next, sketch.add("exp", [next], {})];
    });
    const [, seen] = sketch.all("scan", [start, start, x], { axis: 1, states: 2, final: 1, body });
    return sketch.graph({ seen: seen as Value });
  },
  "a state that is passed on as it is": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const body = sketch.body([f32(B, 2), f32(B, 2), f32(B, 2)], ([h, kept, v]) => [
      sketch.add("mul", [step(h as Value, v as Value), kept as Value], {}),
      kept as Value,
    ]);
    const [h] = sketch.all("scan", [start, start, x], { axis: 1, states: 2, body });
    return sketch.graph({ h: h as Value });
  },
  "a whole number among the states": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const zero = sketch.add("full", [], { dtype: "i32", shape: [B, 1], value: 0 });
    const one = sketch.add("constant", [], { dtype: "i32", shape: [], data: [1] });
    const body = sketch.body([f32(B, 2), { dtype: "i32", shape: [B, 1] }, f32(B, 2)], ([h, n, v]) => {
      const isOdd = sketch.add("gt", [sketch.add("cast", [n as Value], { dtype: "f32" }), sketch.scalar(1)], {});
      return [sketch.add("where", [isOdd, step(h as Value, v as Value), v as Value], {}), sketch.add("add", [n as Value, one], {})];
    });
    const [h] = sketch.all("scan", [start, zero, x], { axis: 1, states: 2, body });
    return sketch.graph({ h: h as Value });
  },
  "a loop in a loop": (steps) => {
    const { sketch, x, start, step } = parts(steps);
    const rows = sketch.input("rows", "f32", [B, 3, 2]);
    const outer: Body = sketch.body([f32(B, 2), f32(B, 2)], ([h, v]) => {
      const inner = sketch.body([f32(B, 2), f32(B, 2)], ([k, row]) => [
        step(k as Value, sketch.add("mul", [row as Value, v as Value], {})),
      ]);
      const ends = sketch.add("scan", [h as Value, rows], { axis: 1, states: 1, body: inner });
      return [sketch.add("reduce_mean", [ends], { axes: [1], keep: false })];
    });
    return sketch.graph({ h: sketch.add("scan", [start, x], { axis: 1, states: 1, body: outer }) });
  },
};

describe.each(Object.entries(cases))("%s", (_, build) => {
  test.each([
    ["T", T],
    [5, 5],
    [1, 1],
  ] as const)("over %s steps", (_, steps) => {
    const graph = build(steps);
    const subject = differentiated(graph);
    verifyGraph(subject.graph);
    verifyGraph(simplify(subject.graph));
    expect(subject.gradients.filter((name) => name !== null).length).toBeGreaterThan(1);
    expectSlopes(subject, bindingsOf(graph, 2, noise(0.8), noise(0.8)), "in parts");
  });
});
