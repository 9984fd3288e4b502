import type { InferenceSession } from "onnxruntime-node";
import { type Batch, type Engine, EngineMissing, makeTensor, type Tensor } from "../engine.ts";

export interface OnnxRuntimeOptions {
  /** Where ops run, the CPU by default. With "webgpu", ops that have no kernel there, such as scans, run on the CPU. */
  readonly provider?: "cpu" | "webgpu";
  /** Threads within one op; by default as many as there are cores. */
  readonly threads?: number;
  /** Plans one block for all tensors after the first run, which is faster for small graphs and doubles the memory of large ones. True by default. */
  readonly memoryPattern?: boolean;
  /**
   * For graphs of many thousand nodes, which load in seconds then and not in minutes: nothing is rewritten and no memory pattern is planned. Their dims should be
   * numbers: the search for tensors whose memory another one can take over grows with the number of those whose size is not known.
   */
  readonly manyNodes?: boolean;
  /** Keeps the memory of one run for the next, which then takes a twentieth less time. True by default. */
  readonly keepMemory?: boolean;
}

const forManyNodes: InferenceSession.SessionOptions = { graphOptimizationLevel: "disabled", enableMemPattern: false };

/** ONNX Runtime over the bytes of a model or the path of one (needed where its weights lie in a file beside it). */
export async function onnxRuntimeEngine(model: Uint8Array | string, options: OnnxRuntimeOptions = {}): Promise<Engine> {
  const ort = await loadOnnxRuntime();
  const sessionOptions: InferenceSession.SessionOptions = {
    executionProviders: [options.provider ?? "cpu"],
    logSeverityLevel: 3,
    enableMemPattern: options.memoryPattern ?? true,
    enableCpuMemArena: options.keepMemory ?? true,
    ...(options.manyNodes === true ? forManyNodes : {}),
    ...(options.threads === undefined ? {} : { intraOpNumThreads: options.threads }),
  };
  const session = await (typeof model === "string"
    ? ort.InferenceSession.create(model, sessionOptions)
    : ort.InferenceSession.create(model, sessionOptions));
  // A model in which nothing depends on an input does not have that input.
  const known = new Set(session.inputNames);
  return {
    name: options.provider === undefined || options.provider === "cpu" ? "onnxruntime" : `onnxruntime ${options.provider}`,
    async run(inputs: Batch, outputs: readonly string[] = session.outputNames): Promise<Batch> {
      const feeds: Record<string, InstanceType<typeof ort.Tensor>> = {};
      for (const [name, tensor] of inputs) if (known.has(name)) feeds[name] = toOrt(tensor);
      const results = await session.run(feeds, [...outputs]);
      return new Map(outputs.map((name) => [name, fromOrt(name, results[name])]));
    },
    async close() {
      await session.release();
    },
  };

  function toOrt(tensor: Tensor): InstanceType<typeof ort.Tensor> {
    if (tensor.dtype === "f32") return new ort.Tensor("float32", tensor.data, tensor.shape);
    if (tensor.dtype === "i32") return new ort.Tensor("int32", tensor.data, tensor.shape);
    return new ort.Tensor("bool", tensor.data, tensor.shape);
  }
}

function fromOrt(
  name: string,
  value: { readonly type: string; readonly dims: readonly number[]; readonly data: unknown } | undefined,
): Tensor {
  if (value?.data instanceof Float32Array) return makeTensor("f32", value.dims, value.data);
  if (value?.data instanceof Int32Array) return makeTensor("i32", value.dims, value.data);
  if (value?.data instanceof Uint8Array) return makeTensor("bool", value.dims, value.data);
  throw new Error(`output ${name} has the unexpected type ${value?.type ?? "none"}`);
}

async function loadOnnxRuntime(): Promise<typeof import("onnxruntime-node")> {
  try {
    return await import("onnxruntime-node");
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new EngineMissing(
      `cannot load onnxruntime-node (${reason})\nInstall it with \`ONNXRUNTIME_NODE_INSTALL=skip npm install onnxruntime-node\`, or run with \`--engine interpreter\`.`,
    );
  }
}
