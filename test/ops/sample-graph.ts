import type { Dim } from "../../compiler/ir/dim.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { castNumber, evaluateShape, makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import type { OpAttributes, OpName } from "../../compiler/ops/attributes.ts";
import { batch, type Sample } from "../../compiler/ops/op.ts";
import { randomStream } from "../../compiler/weights.ts";
import { Sketch } from "./build-graph.ts";

/** The op between inputs and one output. An input `carrier` of shape [B] gives the batch to ops without operands. */
export function sampleGraph(op: OpName, { inputs, attributes }: Sample<OpName>, toDim: (dim: number) => Dim): Graph {
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

export function sampleInputs(graph: Graph, { inputs }: Sample<OpName>, size: number): ReadonlyMap<string, NdArray> {
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
