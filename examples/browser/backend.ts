import * as tf from "@tensorflow/tfjs-core";

export type BackendName = "webgpu" | "wasm";

export interface StartedBackend {
  readonly name: BackendName;
  /** For the reader: the backend, the device, and why it is not another one. */
  readonly description: string;
  /** Resolves with a reason when the GPU goes away. */
  readonly lost: Promise<string>;
}

/** WebGPU where there is a GPU, else WebAssembly; or the one that is asked for, software GPUs included. */
export async function startBackend(wanted: BackendName | null): Promise<StartedBackend> {
  if (wanted === "wasm") return startWasm("chosen");
  const missing = await startWebGpu(wanted === "webgpu");
  return typeof missing === "string" ? startWasm(missing) : missing;
}

/** The backend, or why it does not start. */
async function startWebGpu(software: boolean): Promise<StartedBackend | string> {
  if (navigator.gpu === undefined) return "this browser has no WebGPU here";
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) return "WebGPU finds no GPU";
  if (adapter.info.isFallbackAdapter && !software) return "WebGPU has only a software driver here";
  try {
    await import("@tensorflow/tfjs-backend-webgpu");
    if (!(await tf.setBackend("webgpu"))) return "WebGPU does not start";
    await tf.ready();
  } catch (error) {
    return `WebGPU does not start: ${error instanceof Error ? error.message : String(error)}`;
  }
  const { device } = tf.backend() as unknown as { readonly device: GPUDevice };
  const { vendor, architecture, isFallbackAdapter } = adapter.info;
  const gpu = [vendor, architecture].filter((part) => part !== "").join(" ");
  const notes = [gpu, isFallbackAdapter ? "a software driver" : ""].filter((part) => part !== "");
  return {
    name: "webgpu",
    description: notes.length === 0 ? "WebGPU" : `WebGPU (${notes.join(", ")})`,
    lost: device.lost.then(({ message }) => message),
  };
}

async function startWasm(reason: string): Promise<StartedBackend> {
  const { setWasmPaths } = await import("@tensorflow/tfjs-backend-wasm");
  setWasmPaths("dist/");
  if (!(await tf.setBackend("wasm"))) throw new Error("WebAssembly does not start in this browser");
  await tf.ready();
  return { name: "wasm", description: reason === "chosen" ? "WebAssembly" : `WebAssembly: ${reason}`, lost: new Promise(() => {}) };
}
