import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { emitGraphModel, type GraphModelArtifacts, graphModelFiles } from "../../compiler/emit/graph-model.ts";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import type { Weights } from "../../compiler/weights.ts";
import type { Batch, Engine } from "../../runtime/engine.ts";
import { onnxRuntimeEngine } from "../../runtime/engines/onnxruntime.ts";
import { tfjsEngine } from "../../runtime/engines/tfjs.ts";

/** A graph that a target has loaded. */
export interface Loaded {
  /** What it computes from a batch, by the names of the outputs. */
  readonly run: (batch: Batch) => Promise<ReadonlyMap<string, ArrayLike<number>>>;
  readonly close: () => Promise<void>;
}

export interface Target {
  /** As in the head of the table. */
  readonly name: string;
  readonly load: (graph: Graph, options: EmitOptions, of: { readonly spec: string; readonly seed: number }) => Promise<Loaded>;
}

interface EmitOptions {
  readonly weights: Weights;
  readonly metadata: Readonly<Record<string, string>>;
  readonly producerVersion: string;
}

export const onnxRuntimeTarget: Target = {
  name: "ONNX Runtime",
  load: async (graph, options) => loadedEngine(await onnxRuntimeEngine(emitOnnx(graph, options), { threads: 1 })),
};

export const onnxRuntimeWebGpuTarget: Target = {
  name: "ORT webgpu",
  load: async (graph, options) => {
    const engine = loadedEngine(await onnxRuntimeEngine(emitOnnx(graph, options), { provider: "webgpu" }));
    // ONNX Runtime forgets its compiled shaders with the last session: this one stays until the next is there, which a software driver thanks.
    await newestWebGpu?.close();
    newestWebGpu = engine;
    return { run: engine.run, close: async () => {} };
  },
};

let newestWebGpu: Loaded | null = null;

export const wasmTarget: Target = {
  name: "tfjs wasm",
  load: async (graph, options) => loadedEngine(await tfjsEngine(emitGraphModel(graph, options), { backend: "wasm" })),
};

export const webGpuTarget: Target = {
  name: "tfjs webgpu",
  load: async (graph, options) => loadedEngine(await tfjsEngine(emitGraphModel(graph, options), { backend: "webgpu" })),
};

export const graphModelTarget: Target = {
  name: "GraphModel",
  load: async (graph, options) => loadSaved(emitGraphModel(graph, options)),
};

function loadedEngine(engine: Engine): Loaded {
  return {
    run: async (batch) => new Map([...(await engine.run(batch))].map(([name, { data }]) => [name, data])),
    close: () => engine.close(),
  };
}

/** The files that `plec compile` would write, and TensorFlow.js alone. */
async function loadSaved(artifacts: GraphModelArtifacts): Promise<Loaded> {
  const files = new Map(graphModelFiles(artifacts).map(({ name, content }) => [name, Buffer.from(content)]));
  const manifest = JSON.parse(String(files.get("model.json"))) as tf.io.ModelJSON;
  const load = () =>
    tf.io.getModelArtifactsForJSON(manifest, async (groups) => [
      groups.flatMap((group) => group.weights),
      new Uint8Array(Buffer.concat(groups.flatMap((group) => group.paths.map((path) => files.get(path) as Buffer)))).buffer,
    ]);
  const model = await loadGraphModel({ load });
  await tf.setBackend("wasm");
  const types = { f32: "float32", i32: "int32", bool: "bool" } as const;
  return {
    run: async (batch) => {
      await tf.setBackend("wasm");
      const feeds = Object.fromEntries(
        [...batch].map(([name, { dtype, shape, data }]) => [name, tf.tensor(data, [...shape], types[dtype])]),
      );
      const results = model.predict(feeds) as tf.NamedTensorMap;
      const values = await Promise.all(Object.entries(results).map(async ([name, tensor]) => [name, await tensor.data()] as const));
      tf.dispose([feeds, results]);
      return new Map(values);
    },
    close: async () => model.dispose(),
  };
}
