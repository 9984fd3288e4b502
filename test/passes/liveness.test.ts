import { describe, expect, test } from "vitest";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph, NodeOf, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { rewriteGraph } from "../../compiler/passes/rewrite.ts";
import { bindingsOf, noise } from "../autodiff/slopes.ts";
import { f32, Sketch } from "../ops/build-graph.ts";
import { largestDifference } from "../ops/run-onnx.ts";

const B = symbolDim("B");

function loopsOf(graph: Graph): readonly NodeOf<"scan">[] {
  return graph.nodes.filter((node): node is NodeOf<"scan"> & (typeof graph.nodes)[number] => node.op === "scan");
}

/** Copies the graph, checks that it gives the same, and gives its loops. */
function loopsAfter(graph: Graph): readonly NodeOf<"scan">[] {
  const after = rewriteGraph(graph, []);
  verifyGraph(after);
  const { inputs, params } = bindingsOf(graph, 2, noise(1), noise(1));
  const [before, now] = [interpret(graph, { inputs, params }), interpret(after, { inputs, params })];
  for (const [name, value] of before) expect(largestDifference(now.get(name) as NdArray, value)).toBe(0);
  return loopsOf(after);
}

/** Three states over x and y: a += x; b = a + y; c = c · y. */
function three() {
  const sketch = new Sketch();
  const [x, y] = ["x", "y"].map((name) => sketch.input(name, "f32", [B, 4])) as [Value, Value];
  const starts = ["a", "b", "c"].map((name) => sketch.input(name, "f32", [B]));
  const body = sketch.body([f32(B), f32(B), f32(B), f32(B), f32(B)], ([a, , c, xt, yt]) => [
    sketch.add("add", [a as Value, xt as Value], {}),
    sketch.add("add", [a as Value, yt as Value], {}),
    sketch.add("mul", [c as Value, yt as Value], {}),
  ]);
  const [a, b, c] = sketch.all("scan", [...starts, x, y], { axis: 1, states: 3, final: 1, body }) as [Value, Value, Value];
  return { sketch, a, b, c };
}

describe("states of a loop that nothing needs", () => {
  test("go, with the tensors that only they go over", () => {
    const { sketch, a } = three();
    const [loop] = loopsAfter(sketch.graph({ a }));
    expect(loop?.inputs.map(({ node }) => node.attributes)).toMatchObject([{ name: "a" }, { name: "x" }]);
    expect(loop?.attributes).toMatchObject({ states: 1, final: 0 });
    expect(loop?.attributes.body.nodes.map(({ op }) => op)).toEqual(["body_input", "body_input", "add"]);
  });

  test("stay where the next value of another one reads them", () => {
    const { sketch, b } = three();
    const [loop] = loopsAfter(sketch.graph({ b }));
    expect(loop?.attributes.states).toBe(2);
    expect(loop?.inputs).toHaveLength(4);
  });

  test("leave what is kept at the end alone kept so", () => {
    const { sketch, c } = three();
    const [loop] = loopsAfter(sketch.graph({ c }));
    expect(loop?.attributes).toMatchObject({ states: 1, final: 1 });
    expect(loop?.outputs[0]?.type.shape).toHaveLength(1);
  });

  test("leave one tensor to go over, which says how long the loop is", () => {
    const sketch = new Sketch();
    const x = sketch.input("x", "f32", [B, 4]);
    const body = sketch.body([f32(B), f32(B), f32(B)], ([h]) => [sketch.add("mul", [h as Value, sketch.scalar(2)], {}), h as Value]);
    const start = sketch.input("start", "f32", [B]);
    const [h] = sketch.all("scan", [start, start, x], { axis: 1, states: 2, body });
    const [loop] = loopsAfter(sketch.graph({ h: h as Value }));
    expect(loop?.inputs).toHaveLength(2);
  });

  test("go from a loop in a loop, and what they captured", () => {
    const sketch = new Sketch();
    const x = sketch.input("x", "f32", [B, 4]);
    const rows = sketch.input("rows", "f32", [B, 3]);
    const start = sketch.input("start", "f32", [B]);
    const k = sketch.param("k", []);
    const outer = sketch.body([f32(B), f32(B)], ([h, v]) => {
      const inner = sketch.body([f32(B), f32(B), f32(B)], ([s, t, row]) => [
        sketch.add("add", [s as Value, row as Value], {}),
        sketch.add("mul", [t as Value, k], {}),
      ]);
      const [ends] = sketch.all("scan", [h as Value, v as Value, rows], { axis: 1, states: 2, final: 2, body: inner });
      return [ends as Value];
    });
    const graph = sketch.graph({ h: sketch.add("scan", [start, x], { axis: 1, states: 1, body: outer }) });
    const [loop] = loopsAfter(graph);
    const [nested] = (loop?.attributes.body.nodes ?? []).filter(({ op }) => op === "scan") as unknown as NodeOf<"scan">[];
    expect(nested?.attributes).toMatchObject({ states: 1, final: 1 });
    expect(rewriteGraph(graph, []).params).toEqual([]);
  });
});
