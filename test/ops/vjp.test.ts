import { describe, expect, test } from "vitest";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import type { OpName } from "../../compiler/ops/attributes.ts";
import { batch, type OpDefinition } from "../../compiler/ops/op.ts";
import { ops } from "../../compiler/ops/table.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { dot, numericSlope, randomDirection, withGradient } from "./gradients.ts";
import { sampleGraph, sampleInputs } from "./sample-graph.ts";

const rows = Object.entries(ops) as [OpName, OpDefinition<OpName>][];
const params = new Map<string, NdArray>();

/** The gradient by every f32 operand, against central differences along a random direction for each operand on its own. */
function checkGradient(graph: Graph, inputs: ReadonlyMap<string, NdArray>): void {
  const operands = graph.inputs.filter(({ name, value }) => name !== "carrier" && value.type.dtype === "f32");
  const { graph: differentiated, gradients } = withGradient(
    graph,
    operands.map(({ value }) => value),
  );
  verifyGraph(differentiated);
  const simple = simplify(differentiated);
  verifyGraph(simple);
  const results = interpret(differentiated, { inputs, params });
  const simplified = interpret(simple, { inputs, params });
  for (const [i, { name }] of operands.entries()) {
    const gradient = results.get(gradients[i] ?? "");
    const value = inputs.get(name) as NdArray;
    const direction = randomDirection(value.shape, name);
    const bind = (shift: (name: string, value: NdArray) => NdArray) => ({
      inputs: new Map([...inputs].map(([input, array]) => [input, shift(input, array)])),
      params,
    });
    const isStopped = graph.nodes.some(({ op }) => op === "stop_gradient");
    const expected = isStopped ? 0 : numericSlope(differentiated, bind, new Map([[name, direction]]), 1e-3);
    if (gradient !== undefined) expect(gradient.shape, name).toEqual(value.shape);
    const found = gradient === undefined ? 0 : dot(gradient, direction);
    expect(Math.abs(found - expected), `by ${name}: ${found}, and ${expected} by differences`).toBeLessThan(
      1e-6 * Math.max(1, Math.abs(expected)),
    );
    const again = simplified.get(gradients[i] ?? "");
    if (gradient !== undefined) expect(dot(again as NdArray, direction)).toBeCloseTo(found, 9);
  }
}

for (const [op, { samples, vjp }] of rows) {
  const floats = samples().filter(({ inputs }) => inputs.some(({ dtype }) => dtype === "f32"));
  if (floats.length === 0) continue;
  describe(op, () => {
    for (const sample of floats) {
      const title = `${sample.inputs.map(({ dtype, shape }) => `${dtype}[${shape.join(", ")}]`).join(" ")} ${JSON.stringify(sample.attributes)}`;
      test(`fixed: ${title}`, () => {
        const graph = sampleGraph(op, sample, (dim) => dim);
        if (graph.outputs[0]?.value.type.dtype !== "f32") return expect(typeof vjp === "function" && op !== "cast").toBe(false);
        checkGradient(graph, sampleInputs(graph, sample, batch));
      });
      if (!sample.inputs.some(({ shape }) => shape.includes(batch))) continue;
      test(`with a symbol for the batch: ${title}`, () => {
        const graph = sampleGraph(op, sample, (dim) => (dim === batch ? symbolDim("B") : dim));
        if (graph.outputs[0]?.value.type.dtype !== "f32") return;
        checkGradient(graph, sampleInputs(graph, sample, 5));
        checkGradient(graph, sampleInputs(graph, sample, 1));
      });
    }
  });
}
