import type { Diagnostic } from "../dsl/diagnostic.ts";
import { readBatchFile } from "../runtime/batch-file.ts";
import type { ModelDescription } from "../runtime/description.ts";
import { type Batch, EngineMissing, tensorToLists } from "../runtime/engine.ts";
import type { TfjsBackend } from "../runtime/engines/tfjs-backends.ts";
import { generateBatch, mostGenerated } from "../runtime/generate.ts";
import { prepareBatch } from "../runtime/inputs.ts";
import { graphModelFolder, ModelFileError, type OpenModel, openChecked, openCompiled } from "../runtime/open-model.ts";
import { announceEngine } from "./announce-engine.ts";
import { describeSystemError, isSystemError } from "./atomic-write.ts";
import { describeTally, printFindings, tally } from "./findings.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { matchNames } from "./match-names.ts";
import { outputTables, predictionTable } from "./predictions.ts";
import { formatCount } from "./table.ts";
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

export async function run(file: string, options: RunOptions, io: Io): Promise<number> {
  if (options.input === undefined && options.generate === undefined)
    throw new CommandError("name the rows with --input FILE, or make some up with --generate N");
  if (options.generate === 0) throw new CommandError("--generate needs at least one row");
  if (options.backend !== undefined && options.engine !== "tfjs" && graphModelFolder(file) === null)
    throw new CommandError("--backend goes with --engine tfjs");
  const { description, engine } = await load(file, options, io);
  announceEngine(engine, options, io);
  try {
    const outputs = selectOutputs(description, options.outputs);
    const batch =
      options.input === undefined
        ? generateRows(description, options.generate ?? 1, options.seed)
        : await readBatch(description, options.input, io);
    const tasks = options.onlyOutputs === true ? [] : description.tasks;
    const results = await engine.run(batch, [...tasks.map((task) => task.name), ...outputs]);
    if (options.json === true) {
      const byName = (names: readonly string[]) => Object.fromEntries(names.map((name) => [name, tensorToLists(tensorOf(results, name))]));
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

async function load(file: string, options: RunOptions, io: Io): Promise<OpenModel> {
  try {
    if (graphModelFolder(file) === null && !/\.onnx$/i.test(file)) {
      const model = loadModel(file, options.model, io);
      return await openChecked(model, await resolveWeights(model, options), options);
    }
    for (const option of ["weights", "model"] as const) {
      if (options[option] !== undefined) throw new CommandError(`--${option} goes with a spec; ${file} is compiled`);
    }
    return await openCompiled(file, options);
  } catch (error) {
    if (error instanceof EngineMissing) throw new CommandError(error.message, exitCodes.findings);
    if (error instanceof ModelFileError) throw new CommandError(error.message);
    if (isSystemError(error)) throw new CommandError(`cannot read ${file}: ${describeSystemError(error)}`);
    throw error;
  }
}

function generateRows(description: ModelDescription, rows: number, seed: number): Batch {
  const most = mostGenerated(description);
  if (rows > most) throw new CommandError(`--generate ${rows}: a batch of ${description.name} has up to ${formatCount(most)} rows`);
  return generateBatch(description, rows, seed);
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
