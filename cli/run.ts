import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { GraphModelArtifacts } from "../compiler/emit/graph-model.ts";
import { NotLowerable } from "../compiler/emit/tensorflow-lowering.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { readBatchFile } from "../runtime/batch-file.ts";
import { describeModel, type ModelDescription } from "../runtime/description.ts";
import { type Batch, type Engine, EngineMissing } from "../runtime/engine.ts";
import { onnxRuntimeEngine } from "../runtime/engines/onnxruntime.ts";
import type { TfjsBackend } from "../runtime/engines/tfjs-backends.ts";
import { generateBatch } from "../runtime/generate.ts";
import { prepareBatch } from "../runtime/inputs.ts";
import { describeTally, printFindings, tally } from "./findings.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { matchNames } from "./match-names.ts";
import { outputTables, predictionTable, tensorToJson } from "./predictions.ts";
import { reading } from "./spec-files.ts";
import { plecVersion } from "./version.ts";
import { resolveWeights } from "./weights.ts";

interface RunOptions {
  readonly input?: string;
  readonly generate?: number;
  readonly seed: number;
  readonly weights?: string;
  readonly model?: string;
  readonly outputs?: string;
  readonly onlyOutputs?: boolean;
  readonly engine?: "ort" | "tfjs" | "interpreter";
  readonly backend?: TfjsBackend;
  readonly json?: boolean;
}

interface Loaded {
  readonly description: ModelDescription;
  readonly engine: Engine;
}

export async function run(file: string, options: RunOptions, io: Io): Promise<number> {
  if (options.input === undefined && options.generate === undefined)
    throw new CommandError("name the rows with --input FILE, or make some up with --generate N");
  if (options.generate === 0) throw new CommandError("--generate needs at least one row");
  if (options.backend !== undefined && options.engine !== "tfjs" && graphModelFolder(file) === null)
    throw new CommandError("--backend goes with --engine tfjs");
  const { description, engine } = await load(file, options, io);
  if (engine.name.startsWith("tfjs") && options.backend === undefined && options.json !== true)
    io.stderr.write(`plec: running on ${engine.name}\n`);
  try {
    const outputs = selectOutputs(description, options.outputs);
    const batch =
      options.input === undefined
        ? generateBatch(description, options.generate ?? 1, options.seed)
        : await readBatch(description, options.input, io);
    const tasks = options.onlyOutputs === true ? [] : description.tasks;
    const results = await engine.run(batch, [...tasks.map((task) => task.name), ...outputs]);
    if (options.json === true) {
      const byName = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, tensorToJson(tensorOf(results, name))]));
      const report = {
        version: 1,
        model: description.name,
        engine: engine.name,
        rows: countRows(results),
        predictions: byName(tasks.map((task) => task.name)),
        outputs: byName(outputs),
      };
      io.stdout.write(`${JSON.stringify(report)}\n`);
    } else {
      const width = io.stdout.columns ?? 120;
      const sections = [
        ...(tasks.length === 0 ? [] : [predictionTable(tasks, results, width)]),
        ...outputTables(description, outputs, results, width),
      ];
      io.stdout.write(`${sections.map((lines) => lines.join("\n")).join("\n\n")}\n`);
    }
  } finally {
    await engine.close();
  }
  return exitCodes.clean;
}

async function load(file: string, options: RunOptions, io: Io): Promise<Loaded> {
  const folder = graphModelFolder(file);
  if (folder !== null) return loadGraphModel(folder, options);
  return /\.onnx$/i.test(file) ? loadCompiled(file, options) : loadSpec(file, options, io);
}

/** The folder of a GraphModel, named by itself or by its `model.json`. */
function graphModelFolder(path: string): string | null {
  if (!existsSync(path)) return null;
  if (statSync(path).isDirectory()) return existsSync(join(path, "model.json")) ? path : null;
  return basename(path) === "model.json" ? dirname(path) : null;
}

async function loadSpec(file: string, options: RunOptions, io: Io): Promise<Loaded> {
  const model = loadModel(file, options.model, io);
  const weights = await resolveWeights(model, options);
  const description = describeModel(model);
  if (options.engine === "interpreter") {
    const { interpreterEngine } = await import("../runtime/engines/interpreter.ts");
    return { description, engine: interpreterEngine(model.graph, weights.weights) };
  }
  if (options.engine === "tfjs") {
    const [{ buildGraphModel }, { graphOfPart }] = await Promise.all([
      import("../runtime/build-graph-model.ts"),
      import("../runtime/build-onnx.ts"),
    ]);
    const graph = graphOfPart(model, {}, weights.weights);
    return { description, engine: await startTfjs(() => buildGraphModel(model, graph, weights, plecVersion()), options.backend) };
  }
  const [{ buildOnnx }, { TooLargeForOneFile }] = await Promise.all([
    import("../runtime/build-onnx.ts"),
    import("../compiler/emit/onnx.ts"),
  ]);
  try {
    return { description, engine: await startOnnxRuntime(await buildOnnx(model, weights, plecVersion())) };
  } catch (error) {
    if (!(error instanceof TooLargeForOneFile)) throw error;
    const size = `${(error.bytes / 2 ** 30).toFixed(1)} GiB of weights`;
    const help = `compile it and run the file: plec compile ${file} -o ${basename(file, ".ple")}.onnx`;
    throw new CommandError(`${model.name} has ${size}, more than ONNX Runtime takes from memory; ${help}`, exitCodes.findings);
  }
}

function refuseSpecOptions(file: string, options: RunOptions): void {
  for (const option of ["weights", "model"] as const) {
    if (options[option] !== undefined) throw new CommandError(`--${option} goes with a spec; ${file} is compiled`);
  }
  if (options.engine === "interpreter") throw new CommandError("the interpreter runs specs, not compiled models");
}

async function loadGraphModel(folder: string, options: RunOptions): Promise<Loaded> {
  refuseSpecOptions(folder, options);
  if (options.engine === "ort") throw new CommandError(`${folder} is a GraphModel, which --engine tfjs runs`);
  const { readGraphModel } = await import("../runtime/read-graph-model.ts");
  const read = reading(folder, () => readGraphModel(folder));
  if (read === null) throw new CommandError(`${folder} is not a GraphModel written by plec`);
  return { description: read.description, engine: await startTfjs(() => read.artifacts, options.backend) };
}

async function startTfjs(makeArtifacts: () => GraphModelArtifacts, backend: TfjsBackend | undefined): Promise<Engine> {
  const { tfjsEngine } = await import("../runtime/engines/tfjs.ts");
  try {
    return await tfjsEngine(makeArtifacts(), { backend });
  } catch (error) {
    if (error instanceof EngineMissing || error instanceof NotLowerable) throw new CommandError(error.message, exitCodes.findings);
    throw error;
  }
}

async function loadCompiled(file: string, options: RunOptions): Promise<Loaded> {
  refuseSpecOptions(file, options);
  if (options.engine === "tfjs") throw new CommandError(`${file} is an ONNX file, which --engine ort runs`);
  const bytes = reading(file, () => readFileSync(file));
  const { readDescription } = await import("../runtime/read-onnx.ts");
  const description = readDescription(bytes);
  if (description === null) throw new CommandError(`${file} is not an ONNX file written by plec`);
  return { description, engine: await startOnnxRuntime(file) };
}

/** From bytes, or from a path where weights may lie in a file beside it. */
async function startOnnxRuntime(model: Uint8Array | string): Promise<Engine> {
  try {
    return await onnxRuntimeEngine(model);
  } catch (error) {
    if (error instanceof EngineMissing) throw new CommandError(error.message, exitCodes.findings);
    throw error;
  }
}

async function readBatch(description: ModelDescription, path: string, io: Io): Promise<Batch> {
  const read = await readBatchFile(path);
  const { batch, diagnostics } = read.batch === null ? read : prepareBatch(description, read.batch);
  if (batch === null || "columns" in batch) throw findingsError(path, diagnostics, io);
  return batch;
}

function findingsError(path: string, diagnostics: readonly Diagnostic[], io: Io): CommandError {
  printFindings(diagnostics, io.stderr, io);
  return new CommandError(`${path}: ${describeTally(tally(diagnostics))}`, exitCodes.findings);
}

/** Names of the further outputs that match; a pattern that matches none is an error. A file without predictions gives all that it has. */
function selectOutputs(description: ModelDescription, patterns: string | undefined): readonly string[] {
  if (patterns === undefined) return description.tasks.length === 0 ? description.outputs.map((output) => output.name) : [];
  const names = description.outputs.map((output) => output.name);
  const { selected, unmatched } = matchNames(patterns, names);
  const [wrong] = unmatched;
  if (wrong === undefined) return selected;
  const known = names.length === 0 ? "the model has no outputs beside its predictions" : `the outputs are ${names.join(", ")}`;
  throw new CommandError(`no output is called ${wrong}; ${known}`);
}

function countRows(results: Batch): number {
  const [first] = results.values();
  return first?.shape[0] ?? 0;
}

function tensorOf(results: Batch, name: string) {
  const tensor = results.get(name);
  if (tensor === undefined) throw new Error(`the engine gave no output ${name}`);
  return tensor;
}
