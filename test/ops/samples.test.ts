import { describe, expect, test } from "vitest";
import { type Dim, symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { castNumber, evaluateShape, makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import type { OpAttributes, OpName } from "../../compiler/ops/attributes.ts";
import { batch, type OpDefinition, type Sample } from "../../compiler/ops/op.ts";
import { ops } from "../../compiler/ops/table.ts";
import { randomStream } from "../../compiler/weights.ts";
import { Sketch } from "./build-graph.ts";
import { largestDifference, runOnnx } from "./run-onnx.ts";
import { runTfjs } from "./run-tfjs.ts";

/** Ops that no generated test can run on their own; tests by hand stand in interpreter.test.ts and weights.test.ts. */
const byHand: readonly OpName[] = ["input", "param", "body_input", "random_uniform", "random_normal", "scan"];

const rows = Object.entries(ops) as [OpName, OpDefinition<OpName>][];

for (const [op, { samples }] of rows.filter(([name]) => !byHand.includes(name))) {
  describe(op, () => {
    test("has samples", () => expect(samples.length).toBeGreaterThan(0));

    for (const sample of samples) {
      test(`fixed: ${describeSample(sample)}`, async () => {
        const graph = sampleGraph(op, sample, (dim) => dim);
        await compare(graph, sampleInputs(graph, sample, batch));
      });
    }

    for (const sample of samples.filter(hasBatch)) {
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
  expect(rows.filter(([, { samples }]) => samples.length === 0).map(([op]) => op)).toEqual(expect.arrayContaining([...byHand]));
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

/** The op between inputs and one output. An input `carrier` of shape [B] gives the batch to ops without operands. */
function sampleGraph(op: OpName, { inputs, attributes }: Sample<OpName>, toDim: (dim: number) => Dim): Graph {
  const sketch = new Sketch();
  sketch.input("carrier", "f32", [toDim(batch)]);
  const operands = inputs.map(({ dtype, shape }, i) => sketch.input(`x${i}`, dtype, shape.map(toDim)));
  return sketch.graph({ result: sketch.add(op, operands, withSymbols(attributes, toDim)) });
}

/** Dims of attributes that stand for the batch. */
function withSymbols(attributes: OpAttributes[OpName], toDim: (dim: number) => Dim): OpAttributes[OpName] {
  const dimKeys = new Set(["shape", "length", "depth", "start", "stop"]);
  const entries = Object.entries(attributes).map(([key, value]) => {
    if (!dimKeys.has(key) || "data" in attributes) return [key, value];
    return [key, Array.isArray(value) ? value.map(toDim) : toDim(value as number)];
  });
  return Object.fromEntries(entries) as OpAttributes[OpName];
}

function sampleInputs(graph: Graph, { inputs }: Sample<OpName>, size: number): ReadonlyMap<string, NdArray> {
  const random = randomStream(1, "samples");
  const symbols = new Map([["B", size]]);
  return new Map(
    graph.inputs.map(({ name, value }, i) => {
      const { low, high } = { low: 0, high: 1, ...inputs[i - 1] };
      const array = makeArray(evaluateShape(value.type.shape, symbols));
      const draw = () => {
        const number = value.type.dtype === "f32" ? low + (high - low) * random() : Math.floor(low + (high - low + 1) * random());
        return castNumber(Math.fround(number), value.type.dtype);
      };
      return [name, makeArray(array.shape, array.data.map(draw))];
    }),
  );
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
