import { describe, expect, test } from "vitest";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { f32, Sketch } from "./build-graph.ts";
import { largestDifference, runOnnx } from "./run-onnx.ts";
import { runTfjs } from "./run-tfjs.ts";

const B = symbolDim("B");

/** h = ½ h + x from the end, and what is left at the start: by hand, with the reversed tensors of a forward loop beside it. */
const sketch = new Sketch();
const x = sketch.input("x", "f32", [B, 3]);
const start = sketch.input("start", "f32", [B]);
const halve = () =>
  sketch.body([f32(B), f32(B), f32(B)], ([h, , v]) => {
    const next = sketch.add("add", [sketch.add("mul", [h as Value, sketch.scalar(0.5)], {}), v as Value], {});
    return [next, next];
  });
const [h, last] = sketch.all("scan", [start, start, x], { axis: 1, states: 2, final: 1, backward: true, body: halve() });
const turned = sketch.add("reverse", [x], { axis: 1 });
const [forward] = sketch.all("scan", [start, start, turned], { axis: 1, states: 2, final: 1, body: halve() });
const graph = sketch.graph({ h: h as Value, last: last as Value, same: sketch.add("reverse", [forward as Value], { axis: 1 }) });

const inputs = new Map<string, NdArray>([
  ["x", makeArray([2, 3], Float64Array.from([1, 2, 3, -1, 0, 4]))],
  ["start", makeArray([2], Float64Array.from([8, 0]))],
]);

// from the end: 8/2 + 3, 7/2 + 2, 5.5/2 + 1; and 0 + 4, 4/2 + 0, 2/2 - 1
const expected = makeArray([2, 3], Float64Array.from([3.75, 5.5, 7, 0, 2, 4]));

describe("a loop from the last step to the first", () => {
  test("is a graph", () => verifyGraph(graph));
  test.each([
    ["interpreter", async () => interpret(graph, { inputs, params: new Map() })],
    ["ONNX Runtime", async () => runOnnx(graph, inputs)],
    ["TensorFlow.js", async () => runTfjs(graph, inputs, "wasm")],
  ] as const)("on %s", async (_, run) => {
    const results = await run();
    expect(largestDifference(results.get("h") as NdArray, expected)).toBeLessThan(1e-6);
    expect(largestDifference(results.get("same") as NdArray, expected)).toBeLessThan(1e-6);
    expect(largestDifference(results.get("last") as NdArray, makeArray([2], Float64Array.from([3.75, 0])))).toBeLessThan(1e-6);
  });
});
