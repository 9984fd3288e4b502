import { describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { symbolsOf } from "../../compiler/ir/dim.ts";
import type { Graph, Node } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { fixDims } from "../../compiler/passes/fix-dims.ts";
import { trainingPlan } from "../../compiler/training/plan.ts";
import { trainingStep } from "../../compiler/training/step.ts";
import { drawWeights } from "../../compiler/weights.ts";
import type { Engine } from "../../runtime/engine.ts";
import { makeTensor } from "../../runtime/engine.ts";
import { engineByRows } from "../../runtime/engines/by-rows.ts";
import { bindingsOf, noise } from "../autodiff/slopes.ts";
import { largestDifference } from "../ops/run-onnx.ts";
import { modelOf } from "../training/run-steps.ts";

/** Loops, slices that depend on the batch, losses over a batch. */
const model = modelOf(`import { info_nce, mse } from "std/losses"
import { Mamba } from "std/mamba"
model Rows {
  input x: f32[B, 24, 3]
  task a: regression { loss: mse }
  task b: embedding(3) { loss: info_nce(tau: 0.1) }
  let h = Mamba(x, ones([B, 24]), state: 4, rank: 2)
  flow per task { return linear(h[:, -1], task.width) }
  train { optimizer: adamw(lr: 0.01), batch: 4, phases: [phase("joint", epochs: 1)] }
}`);
const graph = trainingStep(model, trainingPlan(model), {}).graph;

function allNodes(nodes: readonly Node[]): readonly Node[] {
  return nodes.flatMap((node) => (node.op === "scan" ? [node, ...allNodes(node.attributes.body.nodes)] : [node]));
}

const symbolsIn = ({ nodes }: Graph) =>
  new Set(allNodes(nodes).flatMap((node) => node.outputs.flatMap(({ type }) => type.shape.flatMap(symbolsOf))));

describe("a graph for one number of rows", () => {
  test("has no symbol, and gives what the graph gives", () => {
    expect(symbolsIn(graph)).toEqual(new Set(["B"]));
    const fixed = fixDims(graph, new Map([["B", 4]]));
    verifyGraph(fixed);
    expect(symbolsIn(fixed)).toEqual(new Set());
    // second moments have no sign
    const bindings = bindingsOf(graph, 4, (name, shape) => ({ shape, data: noise(0.5)(name, shape).data.map(Math.abs) }), noise(0.5));
    const [expected, found] = [interpret(graph, bindings), interpret(fixed, bindings)];
    for (const [name, value] of expected) expect(largestDifference(found.get(name) as NdArray, value), name).toBe(0);
  });

  test("keeps symbols that are not given", () => {
    const { nodes } = checkFile("specs/mmoe.ple").models[0]?.training ?? graph;
    expect(symbolsIn(fixDims({ ...graph, nodes, inputs: [], outputs: [], params: [] }, new Map([["T", 4]])))).toEqual(new Set(["B"]));
  });
});

describe("an engine that opens a graph for each number of rows", () => {
  const events: string[] = [];
  const rowsOf = (of: Graph) => Number(of.inputs.find(({ name }) => name === "x")?.value.type.shape[0]);
  const open = async (of: Graph): Promise<Engine> => {
    events.push(`open ${rowsOf(of)}`);
    return {
      name: "fake",
      run: async () => new Map([["rows", makeTensor("f32", [], [rowsOf(of)])]]),
      close: async () => void events.push(`close ${rowsOf(of)}`),
    };
  };

  test("keeps two of them, and closes all", async () => {
    const engine = engineByRows(graph, "fake", open);
    const weights = drawWeights({ params: model.parameters }, 1);
    const feeds = (rows: number) =>
      new Map(
        graph.inputs.map(({ name, value }) => {
          const shape = value.type.shape.map((dim) => (typeof dim === "number" ? dim : rows));
          const size = shape.reduce((product, dim) => product * dim, 1);
          return [name, makeTensor(value.type.dtype, shape, weights.get(name) ?? new Float32Array(size))] as const;
        }),
      );
    for (const rows of [4, 3, 4, 2, 4]) expect((await engine.run(feeds(rows))).get("rows")?.data[0]).toBe(rows);
    await engine.close();
    expect(events).toEqual(["open 4", "open 3", "open 2", "close 3", "close 2", "close 4"]);
  });
});
