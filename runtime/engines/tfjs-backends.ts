import { DeviceLost, EngineMissing } from "../engine.ts";

type Core = typeof import("@tensorflow/tfjs-core");

/** Fastest first. */
export const tfjsBackends = ["node-gpu", "webgpu", "wasm", "cpu"] as const;
export type TfjsBackend = (typeof tfjsBackends)[number];

/** A backend that is ready: registered with TensorFlow.js, not necessarily the current one. */
export interface ReadyBackend {
  readonly name: TfjsBackend;
  /** The name under which TensorFlow.js knows it. */
  readonly registered: string;
  /** Rejects with DeviceLost when the device goes away, and never resolves. */
  readonly lost: Promise<never>;
}

interface BackendDefinition {
  readonly registered: string;
  readonly packages: string;
  /** Loads the package and registers the backend; what it throws means that the backend is not there. */
  readonly load: (choice: "named" | "fastest") => Promise<void>;
}

const definitions: Readonly<Record<TfjsBackend, BackendDefinition>> = {
  "node-gpu": {
    registered: "tensorflow",
    packages: "@tensorflow/tfjs-node-gpu@4.22.0",
    load: async () => void (await importOptional("@tensorflow/tfjs-node-gpu")),
  },
  webgpu: {
    registered: "webgpu",
    packages: "@tensorflow/tfjs-backend-webgpu@4.22.0 webgpu",
    load: loadWebGpu,
  },
  wasm: {
    registered: "wasm",
    packages: "@tensorflow/tfjs-backend-wasm@4.22.0",
    load: async () => void (await import("@tensorflow/tfjs-backend-wasm")),
  },
  cpu: {
    registered: "cpu",
    packages: "@tensorflow/tfjs-backend-cpu@4.22.0",
    load: async () => void (await import("@tensorflow/tfjs-backend-cpu")),
  },
};

/**
 * The backend that is named, or the fastest that there is. A GPU that software plays is used when it is named.
 *
 * @throws EngineMissing, which says how to install what is missing, or that it does not start
 */
export async function prepareBackend(tf: Core, wanted: TfjsBackend | undefined): Promise<ReadyBackend> {
  if (wanted !== undefined) return startBackend(tf, wanted, "named");
  const failures: string[] = [];
  for (const name of tfjsBackends) {
    try {
      return await startBackend(tf, name, "fastest");
    } catch (error) {
      if (!(error instanceof EngineMissing)) throw error;
      failures.push(error.message);
    }
  }
  throw new EngineMissing(`TensorFlow.js has no backend here\n${failures.join("\n")}`);
}

async function startBackend(tf: Core, name: TfjsBackend, choice: "named" | "fastest"): Promise<ReadyBackend> {
  const { registered, packages, load } = definitions[name];
  try {
    if (tf.findBackendFactory(registered) === null) await load(choice);
    if (!(await tf.setBackend(registered))) throw new Error("it does not start on this machine");
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    const advice = isNotFound(error)
      ? `Install it with \`npm install ${packages}\`.`
      : "It is installed. Another one may start: name it with `--backend`, or name none.";
    throw new EngineMissing(`cannot use the TensorFlow.js backend ${name} (${reason})\n${advice}`);
  }
  return { name, registered, lost: lossOf(tf.backend()) };
}

/** Whether an import failed because the package, or its native part, is not there. */
function isNotFound(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : null;
  return code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND";
}

/** Rejects with DeviceLost once the device of a WebGPU backend is lost; other backends have none to lose. */
export function lossOf(backend: object): Promise<never> {
  const { device } = backend as { readonly device?: { readonly lost?: PromiseLike<{ readonly message?: string }> } };
  const lost = new Promise<never>((_, reject) => {
    device?.lost?.then(({ message }) => reject(new DeviceLost(`the GPU was lost while the model ran${message ? `: ${message}` : ""}`)));
  });
  // Whoever waits for a result sees the rejection; nobody else has to.
  lost.catch(() => {});
  return lost;
}

/** Node has no WebGPU of its own: the package `webgpu` brings Dawn. The backend's package registers itself where it finds WebGPU. */
async function loadWebGpu(choice: "named" | "fastest"): Promise<void> {
  const scope = globalThis as { navigator?: { gpu?: Gpu } };
  let gpu = scope.navigator?.gpu;
  if (gpu === undefined) {
    const { create, globals } = (await importOptional("webgpu")) as {
      readonly create: (options: readonly string[]) => Gpu;
      readonly globals: object;
    };
    Object.assign(globalThis, globals);
    if (scope.navigator === undefined) Object.defineProperty(globalThis, "navigator", { value: {}, configurable: true });
    gpu = create([]);
    Object.defineProperty(scope.navigator, "gpu", { value: gpu, configurable: true });
  }
  const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" });
  if (adapter === null) throw new Error("there is no GPU that WebGPU can use");
  if (choice === "fastest" && adapter.info.isFallbackAdapter)
    throw new Error("WebGPU has a software driver only, which is slower than wasm");
  await importOptional("@tensorflow/tfjs-backend-webgpu");
}

/** The part of WebGPU that is used here. */
interface Gpu {
  requestAdapter(options: object): Promise<{ readonly info: { readonly isFallbackAdapter?: boolean } } | null>;
}

/** A package that plec does not depend on; its types are not there either. */
async function importOptional(name: string): Promise<unknown> {
  return import(name);
}
