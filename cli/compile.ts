import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { newestIrVersion, opsets, protobufLimit } from "../compiler/emit/onnx.ts";
import type { Graph } from "../compiler/ir/graph.ts";
import { sizeOf } from "../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { unboundSymbols } from "../compiler/passes/fold-absent.ts";
import { closest } from "../dsl/suggest.ts";
import { buildOnnxFiles, graphOfPart, type ModelPart } from "../runtime/build-onnx.ts";
import type { TracedWeights } from "../runtime/description.ts";
import { readDescription } from "../runtime/read-onnx.ts";
import { replaceFolder, writeFilesAtomically } from "./atomic-write.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { matchNames } from "./match-names.ts";
import { reading } from "./spec-files.ts";
import { formatCount, plural } from "./table.ts";
import { plecVersion } from "./version.ts";
import { resolveWeights } from "./weights.ts";

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
  readonly train?: boolean;
  readonly phase?: string;
  readonly accumulate?: boolean;
  readonly recompute: boolean;
}

export async function compile(spec: string, options: CompileOptions, io: Io): Promise<number> {
  const versions = checkVersions(options);
  if (options.train === true) return (await import("./compile-train.ts")).compileTrain(spec, options, versions, io);
  if (options.phase !== undefined || options.accumulate === true || !options.recompute)
    throw new CommandError("--phase, --accumulate and --no-recompute go with --train");
  const model = loadModel(spec, options.model, io);
  const part = choosePart(model, options);
  const weights = await resolveWeights(model, options);
  const graph = graphOfPart(model, part, weights.weights);
  const [unbound] = unboundSymbols(graph);
  if (unbound !== undefined) throw new CommandError(`without ${options.without.join(", ")} nothing says how long \`${unbound}\` is`);
  const parameters = graph.params.reduce((total, { value }) => total + sizeOf(value.type.shape.map(Number)), 0);
  const written =
    options.target === "tfjs" ? await writeGraphModel(model, graph, weights, options) : await writeOnnx(model, graph, weights, options);
  io.stdout.write(`${options.output}: ${model.name}, ${plural(parameters, "parameter")}, ${written}\n`);
  return exitCodes.clean;
}

/** Writes the ONNX file, and the weights beside it where they do not fit; says how large they are. */
async function writeOnnx(model: CheckedModel, graph: Graph, weights: TracedWeights, options: CompileOptions): Promise<string> {
  const dataPath = `${options.output}.data`;
  const external = { location: basename(dataPath), when: options.externalData === true ? "always" : "large" } as const;
  const target = { ...checkVersions(options), precision: options.precision, external };
  const { model: bytes, data } = buildOnnxFiles(model, graph, weights, plecVersion(), target);
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

/** Writes into a folder that is new, empty, or holds a GraphModel already. */
async function writeGraphModel(model: CheckedModel, graph: Graph, weights: TracedWeights, options: CompileOptions): Promise<string> {
  const path = options.output;
  if (options.precision !== "fp32" || options.externalData === true)
    throw new CommandError("--precision fp16 and --external-data are for ONNX files");
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw new CommandError(`${path} is a file; a GraphModel is a folder`);
    const others = readdirSync(path).filter((name) => !/^(model\.json|group1-shard\d+of\d+\.bin)$/.test(name));
    if (others.length > 0) throw new CommandError(`${path} holds ${others[0]}, which is no part of a GraphModel; name another folder`);
  }
  const [{ buildGraphModel }, { graphModelFiles }, { NotLowerable }] = await Promise.all([
    import("../runtime/build-graph-model.ts"),
    import("../compiler/emit/graph-model.ts"),
    import("../compiler/emit/tensorflow-lowering.ts"),
  ]);
  try {
    await replaceFolder(path, graphModelFiles(buildGraphModel(model, graph, weights, plecVersion())));
  } catch (error) {
    if (error instanceof NotLowerable) throw new CommandError(`${model.name}: ${error.message}`, exitCodes.findings);
    throw error;
  }
  const size = readdirSync(path).reduce((total, name) => total + statSync(join(path, name)).size, 0);
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
