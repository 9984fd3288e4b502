import { expect, test } from "vitest";
import { makeNode } from "../../compiler/ir/builder.ts";
import type { Graph, Node, Value } from "../../compiler/ir/graph.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { f32, Sketch } from "../ops/build-graph.ts";

const sketch = new Sketch();
const x = sketch.input("x", "f32", [2]);
const w = sketch.param("w", [2]);
const y = sketch.add("add", [x, w], {});
const good = sketch.graph({ y });
const origin = { path: "here", span: null };

const loop = new Sketch();
const k = loop.input("k", "f32", []);
const steps = loop.input("steps", "f32", [4]);
const body = loop.body([f32(), f32()], ([s, t]) => [loop.add("mul", [loop.add("add", [s as Value, t as Value], {}), k], {})]);
const looped = loop.graph({ h: loop.add("scan", [loop.scalar(0), steps], { axis: 0, states: 1, body }) });

function withNode(node: Node): Graph {
  return { ...good, nodes: [...good.nodes, node] };
}

function withBody(changed: typeof body): Graph {
  const scan = looped.nodes.find((node) => node.op === "scan") as Node;
  const other = makeNode(scan.id, "scan", scan.inputs, { axis: 0, states: 1, body: changed }, [f32(4)], origin);
  return { ...looped, nodes: looped.nodes.map((node) => (node === scan ? other : node)), outputs: [] };
}

test("graphs of the builder are good", () => {
  verifyGraph(good);
  verifyGraph(looped);
});

const broken: readonly (readonly [graph: Graph, problem: string])[] = [
  [{ ...good, nodes: good.nodes.toReversed() }, "which is not made before it"],
  [{ ...good, nodes: good.nodes.slice(1) }, "which is not made before it"],
  [{ ...good, nodes: good.nodes.slice(0, 2) }, "output y is no value of the graph"],
  [{ ...good, inputs: [] }, "the node 0 of input x is not listed"],
  [{ ...good, params: [] }, "the node 1 of param w is not listed"],
  [{ ...good, inputs: [...good.inputs, ...good.inputs] }, "two inputs are called x"],
  [{ ...good, params: [...good.params, ...good.params] }, "two params are called w"],
  [{ ...good, outputs: [...good.outputs, ...good.outputs] }, "two outputs are called y"],
  [{ ...good, inputs: good.inputs.map((input) => ({ ...input, name: "z" })) }, "input z has no node of its name"],
  [withNode(makeNode(y.node.id, "exp", [x], {}, [x.type], origin)), "its id is not unique"],
  [withNode(makeNode(99, "exp", [x], {}, [f32(3)], origin)), "output 0 is typed f32[3] and inferred as f32[2]"],
  [withNode(makeNode(99, "matmul", [x, w], {}, [f32(2)], origin)), "its operands do not fit: a matrix product takes"],
  [withNode(makeNode(99, "exp", [x], {}, [x.type, x.type], origin)), "has 2 outputs, not 1"],
  [withBody({ ...body, captures: [] }), "the captures of its body are not those listed"],
  [withBody({ ...body, nodes: body.nodes.filter((node) => node.op !== "body_input") }), "the captures of its body are not those listed"],
  [withBody({ ...body, inputs: body.inputs.toReversed() }), "input 0 of its body is body_input"],
  [withBody({ ...body, nodes: body.nodes.toReversed() }), "which is not made before it"],
];
for (const [index, [graph, problem]] of broken.entries()) {
  test(`broken graph ${index}: ${problem}`, () => expect(() => verifyGraph(graph)).toThrow(problem));
}
