import { setTimeout } from "node:timers/promises";
import type { Tensor as TfTensor } from "@tensorflow/tfjs-core";
import type { GraphModelArtifacts } from "../../compiler/emit/graph-model.ts";
import { type Batch, DeviceLost, type Engine, EngineMissing, makeTensor, type Tensor } from "../engine.ts";
import { prepareBackend, type TfjsBackend } from "./tfjs-backends.ts";

export interface TfjsOptions {
  /** By default the fastest that there is. */
  readonly backend?: TfjsBackend | undefined;
}

/**
 * A GraphModel on TensorFlow.js. Constants are uploaded once; the order of nodes and the last use of every tensor are planned at the first run for each set
 * of outputs, and tensors are freed at their last use.
 *
 * @throws EngineMissing when TensorFlow.js or the backend is not there
 */
export async function tfjsEngine(artifacts: GraphModelArtifacts, { backend: wanted }: TfjsOptions = {}): Promise<Engine> {
  const { tf, loadGraphModel } = await loadTensorFlow();
  const backend = await prepareBackend(tf, wanted);
  // A handler gets artifacts of its own: loading writes into the topology.
  const model = await loadGraphModel({ load: async () => structuredClone(artifacts) as import("@tensorflow/tfjs-core").io.ModelArtifacts });
  const outputNames = Object.keys((artifacts.signature as { readonly outputs: object }).outputs);
  /** Why the wasm backend, once it has aborted, runs nothing any more and frees nothing. */
  let aborted: DeviceLost | null = null;
  return {
    name: `tfjs ${backend.name}`,
    async run(inputs: Batch, outputs: readonly string[] = outputNames): Promise<Batch> {
      if (aborted !== null) throw aborted;
      // At once, as the backend has started: between here and the end of `execute` no other engine can choose another one.
      void tf.setBackend(backend.registered);
      const feeds = Object.fromEntries([...inputs].map(([name, tensor]) => [name, toTf(tensor)]));
      let results: readonly TfTensor[] = [];
      try {
        results = [model.execute(feeds, [...outputs])].flat();
        const values = Promise.all(results.map((result) => result.data()));
        const read = await Promise.race([values, backend.lost]);
        return new Map(outputs.map((name, i) => [name, fromTf(name, results[i] as TfTensor, read[i] as ArrayLike<number>)]));
      } catch (error) {
        if (error instanceof Error && error.name === "RuntimeError") {
          aborted = new DeviceLost(
            `the wasm backend failed, as it does when it needs more than its 4 GB of memory: take fewer rows at once (${firstLine(error)})`,
          );
          throw aborted;
        }
        // A run may fail a moment before its device is reported lost, which is then the reason.
        await Promise.race([backend.lost, setTimeout(100)]);
        throw error;
      } finally {
        if (aborted === null) for (const tensor of [...results, ...Object.values(feeds)]) tensor.dispose();
      }
    },
    async close() {
      if (aborted === null) model.dispose();
    },
  };

  function toTf({ dtype, shape, data }: Tensor): TfTensor {
    return tf.tensor(data, [...shape], ({ f32: "float32", i32: "int32", bool: "bool" } as const)[dtype]);
  }
}

function firstLine({ message }: Error): string {
  return message.split("\n")[0] ?? "";
}

/** The data may be of another type than the tensor: casts without loss share their operand's. */
function fromTf(name: string, { dtype, shape }: TfTensor, data: ArrayLike<number>): Tensor {
  if (dtype === "float32") return makeTensor("f32", shape, data);
  if (dtype === "int32") return makeTensor("i32", shape, data);
  if (dtype === "bool") return makeTensor("bool", shape, data);
  throw new Error(`output ${name} has the unexpected type ${dtype}`);
}

async function loadTensorFlow() {
  try {
    const tf = await import("@tensorflow/tfjs-core");
    const { loadGraphModel } = await import("@tensorflow/tfjs-converter");
    // Without the advice to install another backend.
    tf.env().set("PROD", true);
    return { tf, loadGraphModel };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new EngineMissing(
      `cannot load TensorFlow.js (${reason})\nInstall it with \`npm install @tensorflow/tfjs-core@4.22.0 @tensorflow/tfjs-converter@4.22.0 @tensorflow/tfjs-backend-wasm@4.22.0\`.`,
    );
  }
}
