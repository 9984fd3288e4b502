import { expect, test } from "vitest";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph, Value } from "../../compiler/ir/graph.ts";
import { printGraph } from "../../compiler/ir/print.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { f32, Sketch } from "../ops/build-graph.ts";

function example(): Graph {
  const B = symbolDim("B");
  const sketch = new Sketch();
  const x = sketch.input("x", "f32", [B, 4], { optional: true, fill: 0.5 });
  sketch.input("segment", "i32", [B], { vocabulary: 3 });
  sketch.add("exp", [x], {}, "dead");
  const w = sketch.param("gate/w", [4, 2]);
  const z = sketch.add("matmul", [x, w], {}, "gate/matmul");
  const table = sketch.add("constant", [], { dtype: "f32", shape: [10], data: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }, "table");
  const zero = sketch.add("full", [], { dtype: "f32", shape: [B], value: 0 }, "run/zero");
  const body = sketch.body([f32(B), f32(B)], ([s, t]) => [sketch.add("add", [s as Value, t as Value], {}, "run/add")]);
  const run = sketch.add("scan", [zero, z], { axis: 1, states: 1, body }, "run");
  return prune(sketch.graph({ run, total: sketch.add("reduce_sum", [table], { axes: [0], keep: false }, "total") }));
}

test("prints shapes, paths and loop bodies, numbered in order", () => {
  expect(printGraph(example())).toBe(`graph test

input  %0 x: f32[B, 4], 0.5 when absent
input  %1 segment: i32[B] of 3
param  %2 gate/w: f32[4, 2], decay

%3 = matmul(%0, %2): f32[B, 2]  // gate/matmul
%4 = constant(shape: [10], data: [0, 1, 2, 3, 4, 5, 6, 7, .. 10 values]): f32[10]  // table
%5 = full(shape: [B], value: 0): f32[B]  // run/zero
%9 = scan(%5, %3, axis: 1, states: 1): f32[B, 2] (%6: f32[B], %7: f32[B]) => {  // run
  %8 = add(%6, %7): f32[B]  // run/add
  next %8
}
%10 = reduce_sum(%4, axes: [0], keep: false): f32[]  // total

output run = %9: f32[B, 2]
output total = %10: f32[]
`);
});

test("the same graph prints the same text", () => expect(printGraph(example())).toBe(printGraph(example())));
