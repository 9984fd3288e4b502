import * as ort from "onnxruntime-node";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import type { NdArray } from "../../compiler/ir/ndarray.ts";

/** Runs a graph as ONNX Runtime does, and gives the outputs as the interpreter would. */
export async function runOnnx(
  graph: Graph,
  inputs: ReadonlyMap<string, NdArray>,
  params: ReadonlyMap<string, NdArray> = new Map(),
): Promise<ReadonlyMap<string, NdArray>> {
  const weights = new Map([...params].map(([name, { data }]) => [name, Float32Array.from(data)]));
  const session = await ort.InferenceSession.create(emitOnnx(graph, { weights, metadata: {}, producerVersion: "0.0.0" }), {
    logSeverityLevel: 3,
  });
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, value }) => {
      const { shape, data } = inputs.get(name) as NdArray;
      if (value.type.dtype === "f32") return [name, new ort.Tensor("float32", Float32Array.from(data), shape)];
      if (value.type.dtype === "i32") return [name, new ort.Tensor("int32", Int32Array.from(data), shape)];
      return [name, new ort.Tensor("bool", Uint8Array.from(data), shape)];
    }),
  );
  const results = await session.run(feeds);
  await session.release();
  return new Map(
    graph.outputs.map(({ name, value }) => {
      const result = results[name] as ort.Tensor;
      const expected = { f32: "float32", i32: "int32", bool: "bool" }[value.type.dtype];
      if (result.type !== expected) throw new Error(`${name} is ${result.type}, not ${expected}`);
      return [name, { shape: result.dims, data: Float64Array.from(result.data as Float32Array | Int32Array | Uint8Array) }];
    }),
  );
}

/** The largest difference, relative to the larger of 1 and the value expected. */
export function largestDifference(actual: NdArray, expected: NdArray): number {
  if (actual.shape.join() !== expected.shape.join()) throw new Error(`shape [${actual.shape.join()}] is not [${expected.shape.join()}]`);
  let largest = 0;
  for (const [i, value] of expected.data.entries()) {
    const difference = Math.abs((actual.data[i] ?? Number.NaN) - value) / Math.max(1, Math.abs(value));
    // Not `Math.max`, so that NaN counts.
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
