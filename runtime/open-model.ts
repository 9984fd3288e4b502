import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { CheckedModel } from "../compiler/model.ts";
import type { ModelDescription, TracedWeights } from "./description.ts";
import type { Engine } from "./engine.ts";
import type { TfjsBackend } from "./engines/tfjs-backends.ts";
import { plecVersion } from "./version.ts";

/** A model that is ready to run. */
export interface OpenModel {
  readonly description: ModelDescription;
  readonly engine: Engine;
}

export type EngineName = "ort" | "tfjs" | "interpreter";

/** Thrown for a file that plec did not write, and for an engine that cannot run it; the message is for the user. */
export class ModelFileError extends Error {}

/** The folder of a GraphModel, named by itself or by its `model.json`; null for any other path. */
export function graphModelFolder(path: string): string | null {
  if (!existsSync(path)) return null;
  if (statSync(path).isDirectory()) return existsSync(join(path, "model.json")) ? path : null;
  return basename(path) === "model.json" ? dirname(path) : null;
}

/**
 * Opens a compiled model: a GraphModel or an ONNX file, told apart by what is there.
 *
 * @throws ModelFileError, EngineMissing, and errors of the file system
 */
export async function openCompiled(
  path: string,
  { engine, backend }: { readonly engine?: EngineName | undefined; readonly backend?: TfjsBackend | undefined } = {},
): Promise<OpenModel> {
  if (engine === "interpreter") throw new ModelFileError("the interpreter runs specs, not compiled models");
  const folder = graphModelFolder(path);
  if (folder !== null) {
    if (engine === "ort") throw new ModelFileError(`${folder} is a GraphModel, which the engine tfjs runs`);
    const { readGraphModel } = await import("./read-graph-model.ts");
    const read = readGraphModel(folder);
    if (read === null) throw new ModelFileError(`${folder} is not a GraphModel written by plec`);
    const { tfjsEngine } = await import("./engines/tfjs.ts");
    return { description: read.description, engine: await tfjsEngine(read.artifacts, { backend }) };
  }
  if (engine === "tfjs") throw new ModelFileError(`${path} is an ONNX file, which the engine ort runs`);
  const bytes = readFileSync(path);
  const { readDescription } = await import("./read-onnx.ts");
  const description = readDescription(bytes);
  if (description === null) throw new ModelFileError(`${path} is not an ONNX file written by plec`);
  const { onnxRuntimeEngine } = await import("./engines/onnxruntime.ts");
  // By its path: weights may lie in a file beside it.
  return { description, engine: await onnxRuntimeEngine(path) };
}

/**
 * Compiles a checked model in memory and opens it.
 *
 * @throws EngineMissing, NotLowerable, and ModelFileError for weights that are too large to run from memory
 */
export async function openChecked(
  model: CheckedModel,
  weights: TracedWeights,
  { engine = "ort", backend }: { readonly engine?: EngineName | undefined; readonly backend?: TfjsBackend | undefined } = {},
): Promise<OpenModel> {
  const { describeModel } = await import("./description.ts");
  const description = describeModel(model);
  if (engine === "interpreter") {
    const { interpreterEngine } = await import("./engines/interpreter.ts");
    return { description, engine: interpreterEngine(model.graph, weights.weights) };
  }
  const { buildOnnx, graphOfPart } = await import("./build-onnx.ts");
  if (engine === "ort") {
    const [{ onnxRuntimeEngine }, { TooLargeForOneFile }] = await Promise.all([
      import("./engines/onnxruntime.ts"),
      import("../compiler/emit/onnx.ts"),
    ]);
    try {
      return { description, engine: await onnxRuntimeEngine(await buildOnnx(model, weights, plecVersion())) };
    } catch (error) {
      if (!(error instanceof TooLargeForOneFile)) throw error;
      const size = `${(error.bytes / 2 ** 30).toFixed(1)} GiB of weights`;
      throw new ModelFileError(`${model.name} has ${size}, more than ONNX Runtime takes from memory; \`plec compile\` it and run the file`);
    }
  }
  const [{ buildGraphModel }, { tfjsEngine }] = await Promise.all([import("./build-graph-model.ts"), import("./engines/tfjs.ts")]);
  const artifacts = buildGraphModel(model, graphOfPart(model, {}, weights.weights), weights, plecVersion());
  return { description, engine: await tfjsEngine(artifacts, { backend }) };
}
