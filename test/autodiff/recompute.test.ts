import { describe, expect, test } from "vitest";
import { differentiate } from "../../compiler/autodiff/differentiate.ts";
import { recompute } from "../../compiler/autodiff/recompute.ts";
import { Algebra } from "../../compiler/ir/algebra.ts";
import { GraphBuilder } from "../../compiler/ir/builder.ts";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph, Node, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { peakMemory } from "../../compiler/ir/live-memory.ts";
import { makeArray } from "../../compiler/ir/ndarray.ts";
import { operandsOf } from "../../compiler/ir/reachable.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { trainingPlan } from "../../compiler/training/plan.ts";
import { gradientGraph } from "../../compiler/training/step.ts";
import { Sketch } from "../ops/build-graph.ts";
import { checkSpec, modelOf } from "../specs/checked-specs.ts";

const B = symbolDim("B");
const rows = 256;
const atRows = (count: number) => new Map([["B", count]]);
const peakOf = (graph: Graph, count = rows) => peakMemory(graph, atRows(count)).bytes;
const options = { rows, smallest: rows * 4 * 200 };

/** The gradient by every param of the sum of what `build` makes of x: f32[B, 64]. */
function gradient(build: (g: Algebra, x: Value, param: (name: string, shape: readonly number[]) => Value) => Value): Graph {
  const sketch = new Sketch();
  const x = sketch.input("x", "f32", [B, 64]);
  const params: Value[] = [];
  const param = (name: string, shape: readonly number[]) => {
    const value = sketch.param(name, shape);
    params.push(value);
    return value;
  };
  const forward = build(new Algebra(sketch.builder, { path: "forward", span: null }), x, param);
  const graph = sketch.graph({ y: forward });
  const builder = GraphBuilder.continuing(graph.nodes);
  const g = new Algebra(builder, { path: "loss", span: null });
  const loss = g.sum(g.mul(forward, forward), [0, 1]);
  const found = differentiate(builder, [{ value: loss, cotangent: g.scalar(1) }], params);
  const outputs = found.flatMap((value, i) => (value === null ? [] : [{ name: `gradient ${i}`, value, doc: null }]));
  return simplify({ ...graph, nodes: builder.nodes, outputs: [{ name: "loss", value: loss, doc: null }, ...outputs] });
}

/** Layers that widen to 512 and narrow to 64 again, as in a transformer. */
const layers = gradient((g, x, param) => {
  let h = x;
  for (let i = 0; i < 3; i++) {
    const wide = g.matmul(h, param(`up ${i}`, [64, 512]));
    h = g.add(h, g.matmul(g.mul(wide, g.sigmoid(wide)), param(`down ${i}`, [512, 64])));
  }
  return h;
});

/** Products over 128 numbers are kept; what follows each of them elementwise is made again. */
const steps = gradient((g, x, param) => {
  let h = g.concat([x, x], 1);
  for (let i = 0; i < 3; i++) {
    const wide = g.sin(g.cos(g.sigmoid(g.matmul(h, param(`up ${i}`, [128, 512])))));
    h = g.matmul(wide, param(`down ${i}`, [512, 128]));
  }
  return h;
});

/** An order that runs all that is ready before it runs anything of the backward pass, as an engine with its own mind may. */
function eagerly(graph: Graph): Graph {
  const waiting = new Set(graph.nodes);
  const done = new Set<Node>();
  const order: Node[] = [];
  const isReady = (node: Node) => operandsOf(node).every((value) => done.has(value.node));
  while (waiting.size > 0) {
    const ready = [...waiting].filter(isReady);
    const node = ready.find(({ path }) => !path.startsWith("gradient/")) ?? ready[0];
    if (node === undefined) throw new Error("the graph has a cycle");
    waiting.delete(node);
    done.add(node);
    order.push(node);
  }
  return { ...graph, nodes: order };
}

/** The order of ONNX Runtime 1.30: depth first from the last outputs, and of what a node reads the latest in the file first. */
function depthFirst(graph: Graph): Graph {
  const places = new Map(graph.nodes.map((node, i) => [node, i]));
  const read = new Set(graph.nodes.flatMap((node) => operandsOf(node).map((value) => value.node)));
  const stack = graph.nodes.filter((node) => !read.has(node));
  const open = new Set<Node>();
  const order = new Set<Node>();
  for (let node = stack.at(-1); node !== undefined; node = stack.at(-1)) {
    if (open.has(node) || order.has(node)) {
      order.add(node);
      stack.pop();
      continue;
    }
    open.add(node);
    const before = [...new Set(operandsOf(node).map((value) => value.node))].filter((other) => !order.has(other));
    stack.push(...before.sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0)));
  }
  return { ...graph, nodes: [...order] };
}

function outputs(graph: Graph) {
  const fill = (shape: readonly number[], scale: number) =>
    makeArray(
      shape,
      Float64Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => scale * Math.sin(i + 1)),
    );
  const params = new Map(graph.params.map(({ name, value }) => [name, fill(value.type.shape as readonly number[], 0.1)]));
  return interpret(graph, { inputs: new Map([["x", fill([2, 64], 1)]]), params });
}

describe.each([
  ["layers that widen", layers, 0.7],
  ["elementwise steps between products", steps, 0.6],
] as const)("%s", (_, graph, share) => {
  const again = recompute(graph, options);

  test("gives the same, bit for bit", () => {
    verifyGraph(again);
    const [expected, found] = [outputs(graph), outputs(again)];
    for (const [name, { data }] of expected) expect(found.get(name)?.data, name).toEqual(data);
  });

  test("needs less memory, in whatever order nodes are run", () => {
    const largeParams = graph.params.reduce((sum, { value }) => sum + value.type.shape.reduce<number>((a, b) => a * Number(b), 8), 0);
    for (const ordered of [again, eagerly(again)])
      expect(peakOf(ordered) - largeParams).toBeLessThan(share * (peakOf(graph) - largeParams));
  });
});

test("nothing changes where all is small", () => {
  expect(recompute(layers, { rows, smallest: rows * 4 * 2048 })).toBe(layers);
});

test("what is long to make is kept", () => {
  const far = gradient((g, x, param) => {
    const wide = g.sin(g.matmul(g.slice(x, 1, 0, 32), param("up", [32, 1024])));
    const across = g.sin(g.matmul(wide, param("across", [1024, 512])));
    return g.matmul(across, param("down", [512, 64]));
  });
  const products = (graph: Graph) => graph.nodes.filter(({ op, path }) => op === "matmul" && path === "forward").length;
  expect(products(far)).toBe(3);
  expect(products(recompute(far, options))).toBe(4);
});

test("the full spec has less than 1.2 GB alive at a batch of 256 and 4.5 GB at 1,024, where it would keep twice that; 16,384 rows take as much in parts", () => {
  const model = modelOf(checkSpec("ple_cluster_adatt.ple"));
  const kept = gradientGraph(model, trainingPlan(model), { measure: false, recompute: false }).graph;
  const graph = recompute(kept);
  verifyGraph(graph);
  expect(peakOf(graph)).toBeLessThan(1.2e9);
  expect(peakOf(graph, 1024)).toBeLessThan(4.5e9);
  expect(peakOf(depthFirst(graph))).toBeLessThan(1.8e9);
  expect(peakOf(kept)).toBeGreaterThan(2 * peakOf(graph));
});
