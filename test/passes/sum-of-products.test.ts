import { describe, expect, test } from "vitest";
import { symbolDim } from "../../compiler/ir/dim.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { rewriteGraph } from "../../compiler/passes/rewrite.ts";
import { sumOfProducts } from "../../compiler/passes/sum-of-products.ts";
import { bindingsOf, noise } from "../autodiff/slopes.ts";
import { Sketch } from "../ops/build-graph.ts";
import { largestDifference } from "../ops/run-onnx.ts";

const B = symbolDim("B");

type Shape = readonly (number | typeof B)[];

function sum(a: Shape, b: Shape, axes: readonly number[], keep: boolean) {
  const sketch = new Sketch();
  const product = sketch.add("mul", [sketch.input("a", "f32", a), sketch.input("b", "f32", b)], {});
  const graph = sketch.graph({ y: sketch.add("reduce_sum", [product], { axes, keep }) });
  return { graph, after: rewriteGraph(graph, [sumOfProducts]) };
}

describe("a sum of products", () => {
  test.each<readonly [string, Shape, Shape, readonly number[]]>([
    ["over the last axis, by a row", [B, 4, 5], [B, 1, 5], [2]],
    ["over the last axis, by a row that comes first", [B, 1, 5], [B, 4, 5], [2]],
    ["over the axis before it, by a column", [B, 4, 5], [B, 4, 1], [1]],
    ["over the batch", [B, 5], [B, 1], [0]],
    ["over a symbolic axis", [3, B, 5], [3, B, 1], [1]],
    ["of rank 4", [2, B, 3, 4], [2, B, 1, 4], [3]],
  ])("%s is a product of matrices", (_, a, b, axes) => {
    for (const keep of [true, false]) {
      const { graph, after } = sum(a, b, axes, keep);
      verifyGraph(after);
      const ops = after.nodes.map(({ op }) => op);
      expect(ops).toContain("matmul");
      expect(ops).not.toContain("reduce_sum");
      const bindings = bindingsOf(graph, 3, noise(1), noise(1));
      const [before, now] = [interpret(graph, bindings), interpret(after, bindings)].map((results) => results.get("y") as NdArray);
      expect(now?.shape).toEqual(before?.shape);
      expect(largestDifference(now as NdArray, before as NdArray)).toBeLessThan(1e-12);
    }
  });

  test.each<readonly [string, Shape, Shape, readonly number[]]>([
    ["element by element", [B, 4, 5], [B, 4, 5], [2]],
    ["over two axes", [B, 4, 5], [B, 1, 5], [1, 2]],
    ["over an axis before the last two", [B, 4, 5], [1, 4, 5], [0]],
    ["of rows that are the same for the whole batch", [B, 4, 5], [1, 1, 5], [2]],
    ["of two vectors", [B], [B], [0]],
  ])("%s stays", (_, a, b, axes) => {
    const { graph, after } = sum(a, b, axes, true);
    expect(after.nodes.map(({ op }) => op)).toEqual(graph.nodes.map(({ op }) => op));
  });
});
