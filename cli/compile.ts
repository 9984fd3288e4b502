import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename } from "node:path";
import { newestIrVersion, opsets, protobufLimit } from "../compiler/emit/onnx.ts";
import type { Graph } from "../compiler/ir/graph.ts";
import { sizeOf } from "../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { unboundSymbols } from "../compiler/passes/fold-absent.ts";
import { closest } from "../dsl/suggest.ts";
import { buildOnnxFiles, graphOfPart, type ModelPart } from "../runtime/build-onnx.ts";
import type { Preparation } from "../runtime/data/statistics.ts";
import { describeModel, metadataKeys, type TracedWeights } from "../runtime/description.ts";
import { readDescription } from "../runtime/read-onnx.ts";
import { writeFilesAtomically } from "./atomic-write.ts";
import { writeGraphModelFolder } from "./graph-model-folder.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { matchNames } from "./match-names.ts";
import { reading } from "./spec-files.ts";
import { formatCount, plural } from "./table.ts";
import { plecVersion } from "./version.ts";
import { resolveWeights, weightsPath } from "./weights.ts";

interface CompileOptions {
  readonly output: string;
  readonly target: "onnx" | "tfjs";
  readonly seed: number;
  readonly weights?: string;
  readonly model?: string;
  readonly precision: "fp32" | "fp16";
  readonly without: readonly string[];
  readonly outputs?: string;
  readonly externalData?: boolean;
  readonly opset: number;
  readonly irVersion?: number;
  readonly withPreparation?: boolean;
  readonly train?: boolean;
  readonly phase?: string;
  readonly accumulate?: boolean;
  readonly recompute: boolean;
  readonly rows?: number;
  readonly lossScale?: boolean;
}

export async function compile(spec: string, options: CompileOptions, io: Io): Promise<number> {
  if (options.output === "-")
    throw new CommandError("-o - would print a compiled model, which is no text; name a file, or a folder for tfjs");
  const versions = checkVersions(options);
  if (options.train === true && options.withPreparation === true)
    throw new CommandError("--with-preparation is for predictions; a training step takes prepared batches");
  if (options.train === true) return (await import("./compile-train.ts")).compileTrain(spec, options, versions, io);
  const { phase, accumulate, recompute, rows, lossScale } = options;
  if (phase !== undefined || accumulate === true || !recompute || rows !== undefined || lossScale === true)
    throw new CommandError("--phase, --accumulate, --no-recompute, --rows and --loss-scale go with --train");
  const model = loadModel(spec, options.model, io);
  const part = choosePart(model, options);
  const weights = await resolveWeights(model, options);
  const preparation = options.withPreparation === true ? await preparationFor(options) : null;
  const graph = await prepared(graphOfPart(model, part, weights.weights), model, preparation);
  const [unbound] = unboundSymbols(graph);
  if (unbound !== undefined) throw new CommandError(`without ${options.without.join(", ")} nothing says how long \`${unbound}\` is`);
  const parameters = graph.params.reduce((total, { value }) => total + sizeOf(value.type.shape.map(Number)), 0);
  const written =
    options.target === "tfjs"
      ? await writeGraphModel(model, graph, weights, options, describePreparation(preparation))
      : await writeOnnx(model, graph, weights, options, describePreparation(preparation));
  io.stdout.write(`${options.output}: ${model.name}, ${plural(parameters, "parameter")}, ${written}\n`);
  return exitCodes.clean;
}

/** What was learned of the data, from the weights that were trained with it. */
async function preparationFor({ weights, precision }: CompileOptions): Promise<Preparation> {
  if (weights === undefined)
    throw new CommandError("--with-preparation goes with --weights: what was learned of the data is kept with them");
  if (precision === "fp16")
    throw new CommandError("--with-preparation goes with fp32: values as they stand in a table may not fit into float16");
  const path = weightsPath(weights);
  const { CheckpointError, preparationOf } = await import("../runtime/runs/checkpoint.ts");
  try {
    const preparation = preparationOf(path);
    if (preparation !== null) return preparation;
  } catch (error) {
    if (error instanceof CheckpointError) throw new CommandError(error.message, exitCodes.findings);
    throw error;
  }
  throw new CommandError(`${path} holds weights alone; --with-preparation needs those of a run of \`plec train\``, exitCodes.findings);
}

async function prepared(graph: Graph, model: CheckedModel, preparation: Preparation | null): Promise<Graph> {
  if (preparation === null) return graph;
  const { prepareGraph, UnpreparableInput } = await import("../runtime/data/prepare-graph.ts");
  try {
    return prepareGraph(graph, describeModel(model), preparation);
  } catch (error) {
    if (error instanceof UnpreparableInput) throw new CommandError(`--with-preparation: ${error.message}`, exitCodes.findings);
    throw error;
  }
}

/** For programs that look up ids: how columns become inputs, and the vocabularies. */
function describePreparation(preparation: Preparation | null): Readonly<Record<string, string>> {
  if (preparation === null) return {};
  const { mapping, statistics } = preparation;
  const text = JSON.stringify({ version: 1, inputs: mapping.inputs, labels: mapping.labels, ...statistics }, (key, value: unknown) =>
    key === "span" ? undefined : value,
  );
  return { [metadataKeys.preparation]: text };
}

/** Writes the ONNX file, and the weights beside it where they do not fit; says how large they are. */
async function writeOnnx(
  model: CheckedModel,
  graph: Graph,
  weights: TracedWeights,
  options: CompileOptions,
  metadata: Readonly<Record<string, string>>,
): Promise<string> {
  const dataPath = `${options.output}.data`;
  const external = { location: basename(dataPath), when: options.externalData === true ? "always" : "large" } as const;
  const target = { ...checkVersions(options), precision: options.precision, external };
  const { model: bytes, data } = buildOnnxFiles(model, graph, weights, plecVersion(), target, metadata);
  const file = { path: options.output, chunks: [bytes] };
  const stale = data === null && existsSync(dataPath) && readsItsWeightsFrom(options.output, basename(dataPath));
  await writeFilesAtomically(data === null ? [file] : [{ path: dataPath, chunks: data }, file]);
  if (stale) rmSync(dataPath);
  const size = (path: string) => `${formatCount(statSync(path).size)} bytes`;
  return data === null ? size(options.output) : `${size(options.output)}, ${size(dataPath)} of weights in ${dataPath}`;
}

/** Whether a file is a model that plec wrote with its weights in the other file: what nobody reads once the model is replaced. */
function readsItsWeightsFrom(model: string, data: string): boolean {
  if (!existsSync(model) || statSync(model).size >= protobufLimit) return false;
  const bytes = reading(model, () => readFileSync(model));
  return bytes.includes(data) && readDescription(bytes) !== null;
}

async function writeGraphModel(
  model: CheckedModel,
  graph: Graph,
  weights: TracedWeights,
  options: CompileOptions,
  metadata: Readonly<Record<string, string>>,
): Promise<string> {
  if (options.precision !== "fp32" || options.externalData === true)
    throw new CommandError("--precision fp16 and --external-data are for ONNX files");
  const { buildGraphModel } = await import("../runtime/build-graph-model.ts");
  const build = () => buildGraphModel(model, graph, weights, plecVersion(), metadata);
  const size = await writeGraphModelFolder(options.output, build);
  return `${formatCount(size)} bytes`;
}

function checkVersions({ opset, irVersion }: CompileOptions): { readonly opset: number; readonly irVersion: number } {
  const released = opsets.get(opset);
  if (released === undefined) throw new CommandError(`--opset ${opset} cannot be written; choose one of ${[...opsets.keys()].join(", ")}`);
  const version = irVersion ?? released;
  if (version >= released && version <= newestIrVersion) return { opset, irVersion: version };
  const range = released === newestIrVersion ? `${released}` : `${released} to ${newestIrVersion}`;
  throw new CommandError(`--ir-version ${version} cannot be written; with opset ${opset} it is ${range}`);
}

function choosePart(model: CheckedModel, options: CompileOptions): ModelPart {
  for (const name of options.without) checkAbsent(model, name);
  const without = new Set(options.without);
  if (options.outputs === undefined) return { without };
  const names = model.graph.outputs.map((output) => output.name);
  const { selected, unmatched } = matchNames(options.outputs, names);
  const [wrong] = unmatched;
  if (wrong !== undefined) throw new CommandError(`no output is called ${wrong}; ${suggest(wrong, names, "the outputs are")}`);
  if (selected.length === 0) throw new CommandError("--outputs names no output");
  return { without, outputs: new Set(selected) };
}

/** An input that is left out must be one that may be absent. */
function checkAbsent(model: CheckedModel, name: string): void {
  const optional = model.inputs.filter((input) => input.optional).map((input) => input.name);
  if (optional.includes(name)) return;
  const isRequired = model.inputs.some((input) => input.name === name);
  const problem = isRequired ? `input ${name} is required, so that nothing can stand for it` : `no input is called ${name}`;
  const known = optional.length === 0 ? `${model.name} has no optional inputs` : suggest(name, optional, "the optional inputs are");
  throw new CommandError(`--without ${name}: ${problem}; ${known}`);
}

function suggest(name: string, candidates: readonly string[], introduction: string): string {
  const near = closest(name, candidates);
  return near === null ? `${introduction} ${candidates.join(", ")}` : `did you mean ${near}?`;
}
