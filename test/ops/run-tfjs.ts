import { emitGraphModel } from "../../compiler/emit/graph-model.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { makeTensor } from "../../runtime/engine.ts";
import { tfjsEngine } from "../../runtime/engines/tfjs.ts";
import type { TfjsBackend } from "../../runtime/engines/tfjs-backends.ts";

/** Runs a graph as TensorFlow.js does, and gives the outputs as the interpreter would. */
export async function runTfjs(
  graph: Graph,
  inputs: ReadonlyMap<string, NdArray>,
  backend: TfjsBackend,
  params: ReadonlyMap<string, NdArray> = new Map(),
): Promise<ReadonlyMap<string, NdArray>> {
  const weights = new Map([...params].map(([name, { data }]) => [name, Float32Array.from(data)]));
  const engine = await tfjsEngine(emitGraphModel(graph, { weights, metadata: {}, producerVersion: "0.0.0" }), { backend });
  const batch = graph.inputs.map(({ name, value }) => {
    const { shape, data } = inputs.get(name) as NdArray;
    return [name, makeTensor(value.type.dtype, shape, data)] as const;
  });
  const results = await engine.run(new Map(batch));
  await engine.close();
  return new Map(
    graph.outputs.map(({ name, value }) => {
      const result = results.get(name);
      if (result?.dtype !== value.type.dtype) throw new Error(`${name} is ${result?.dtype}, not ${value.type.dtype}`);
      return [name, makeArray(result.shape, Float64Array.from(result.data))];
    }),
  );
}
