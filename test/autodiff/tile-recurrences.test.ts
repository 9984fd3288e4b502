import { describe, expect, test } from "vitest";
import { tileRecurrence } from "../../compiler/autodiff/tile-recurrences.ts";
import type { Graph, Node } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { peakMemory } from "../../compiler/ir/live-memory.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { rewriteGraph } from "../../compiler/passes/rewrite.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { largestDifference } from "../ops/run-onnx.ts";
import { graphOfCall } from "./graphs.ts";
import { bindingsOf, differentiated, expectSlopes, gradientsOf, noise } from "./slopes.ts";

function mamba(steps: number): Graph {
  const inputs = [`x: f32[B, ${steps}, 4]`, `mask: f32[B, ${steps}]`];
  return graphOfCall({ name: "", from: "std/mamba", imports: ["Mamba"], inputs, call: "Mamba(x, mask, state: 16, rank: 2)" });
}

const scans = (graph: Graph) => graph.nodes.filter(({ op }) => op === "scan").length;

/** With the nodes of loops, and of loops in them. */
const allNodes = (nodes: readonly Node[]): readonly Node[] =>
  nodes.flatMap((node) => [node, ...(node.op === "scan" ? allNodes(node.attributes.body.nodes) : [])]);

describe.each([
  ["in chunks", 36, 2],
  ["without chunks, for want of a divisor", 37, 1],
])("a state space model step by step, %s", (_, steps, loops) => {
  const whole = mamba(steps);
  const tiled = rewriteGraph(whole, [tileRecurrence]);
  const point = bindingsOf(whole, 3, noise(0.8), noise(0.5));

  test("is a loop, and its recurrence stands inside", () => {
    verifyGraph(tiled);
    const all = allNodes(tiled.nodes);
    expect(scans(tiled)).toBe(1);
    expect(all.filter(({ op }) => op === "scan")).toHaveLength(loops);
    expect(all.filter(({ op }) => op === "linear_scan")).toEqual([]);
  });

  test("computes the same", () => {
    const [before, after] = [whole, tiled].map((graph) => interpret(graph, point).get("result"));
    if (before === undefined || after === undefined) throw new Error("no result");
    expect(largestDifference(after, before)).toBeLessThan(1e-12);
  });

  test("has the same gradient, which agrees with differences", () => {
    const [before, after] = [differentiated(whole), differentiated(tiled)];
    verifyGraph(simplify(after.graph));
    expectSlopes(after, point, "together");
    const expected = gradientsOf(before, point);
    for (const [i, { name, gradient }] of gradientsOf(after, point).entries()) {
      const other = expected[i]?.gradient;
      expect(gradient === undefined, name).toBe(other === undefined);
      if (gradient !== undefined && other !== undefined) expect(largestDifference(gradient, other), name).toBeLessThan(1e-10);
    }
  });
});

test("the states of all steps are never held", () => {
  const whole = mamba(36);
  const tiled = rewriteGraph(whole, [tileRecurrence]);
  const symbols = new Map([["B", 64]]);
  const [before, after] = [whole, tiled].map((graph) => peakMemory(simplify(differentiated(graph).graph), symbols).bytes);
  expect(after).toBeLessThan((before as number) / 2);
  const states = 64 * 36 * 8 * 16 * 4;
  const largest = Math.max(...tiled.nodes.flatMap(({ outputs }) => outputs.map(({ type }) => sizeOf(type.shape) * 4)));
  expect(largest).toBeLessThan(states);
});

test("few steps stay whole", () => expect(scans(rewriteGraph(mamba(8), [tileRecurrence]))).toBe(0));

test("states that are read whole stay whole", () => {
  const inputs = ["x: f32[B, 36, 8]", "mask: f32[B, 36]"];
  const graph = graphOfCall({ name: "", from: "std/liquid", imports: ["LtcDiag"], inputs, call: "LtcDiag(x, mask)" });
  expect(scans(rewriteGraph(graph, [tileRecurrence]))).toBe(0);
});

function sizeOf(shape: Graph["nodes"][number]["outputs"][number]["type"]["shape"]): number {
  return shape.reduce<number>((size, dim) => size * (typeof dim === "number" ? dim : 64), 1);
}
