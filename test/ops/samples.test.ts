import { describe, expect, test } from "vitest";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { evaluateShape, type NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import type { OpName } from "../../compiler/ops/attributes.ts";
import { batch, type OpDefinition, type Sample } from "../../compiler/ops/op.ts";
import { ops } from "../../compiler/ops/table.ts";
import { largestDifference, runOnnx } from "./run-onnx.ts";
import { runTfjs } from "./run-tfjs.ts";
import { sampleGraph, sampleInputs } from "./sample-graph.ts";

/** Ops that no generated test can run on their own; tests by hand stand in interpreter.test.ts and weights.test.ts. */
const byHand: readonly OpName[] = ["input", "param", "body_input", "random_uniform", "random_normal", "scan"];

const rows = Object.entries(ops) as [OpName, OpDefinition<OpName>][];

for (const [op, { samples }] of rows.filter(([name]) => !byHand.includes(name))) {
  describe(op, () => {
    test("has samples", () => expect(samples().length).toBeGreaterThan(0));

    for (const sample of samples()) {
      test(`fixed: ${describeSample(sample)}`, async () => {
        const graph = sampleGraph(op, sample, (dim) => dim);
        await compare(graph, sampleInputs(graph, sample, batch));
      });
    }

    for (const sample of samples().filter(hasBatch)) {
      for (const size of [1, batch]) {
        test(`with a symbol for the batch, at ${size}: ${describeSample(sample)}`, async () => {
          const graph = sampleGraph(op, sample, (dim) => (dim === batch ? symbolDim("B") : dim));
          await compare(graph, sampleInputs(graph, sample, size));
        });
      }
    }
  });
}

test("every op but those tested by hand is generated", () => {
  expect(rows.filter(([, { samples }]) => samples().length === 0).map(([op]) => op)).toEqual(expect.arrayContaining([...byHand]));
});

async function compare(graph: Graph, inputs: ReadonlyMap<string, NdArray>): Promise<void> {
  verifyGraph(graph);
  const expected = interpret(graph, { inputs, params: new Map() }).get("result") as NdArray;
  const symbols = new Map([["B", inputs.get("carrier")?.shape[0] ?? 0]]);
  expect(expected.shape).toEqual(evaluateShape(graph.outputs[0]?.value.type.shape ?? [], symbols));
  for (const [target, results] of Object.entries({
    onnx: await runOnnx(graph, inputs),
    "tfjs cpu": await runTfjs(graph, inputs, "cpu"),
    "tfjs wasm": await runTfjs(graph, inputs, "wasm"),
  })) {
    expect(largestDifference(results.get("result") as NdArray, expected), target).toBeLessThan(1e-5);
  }
}

function hasBatch({ inputs, attributes }: Sample<OpName>): boolean {
  return (
    inputs.some(({ shape }) => shape.includes(batch)) || (!("data" in attributes) && JSON.stringify(attributes).includes(String(batch)))
  );
}

function describeSample({ inputs, attributes }: Sample<OpName>): string {
  const operands = inputs.map(({ dtype, shape }) => `${dtype}[${shape.join(", ")}]`).join(" ");
  return `${operands} ${JSON.stringify(attributes)}`;
}
