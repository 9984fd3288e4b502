import { statSync } from "node:fs";
import { basename } from "node:path";
import { newestIrVersion, opsets } from "../compiler/emit/onnx.ts";
import { sizeOf } from "../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { unboundSymbols } from "../compiler/passes/fold-absent.ts";
import { closest } from "../dsl/suggest.ts";
import { buildOnnxFiles, graphOfPart, type ModelPart } from "../runtime/build-onnx.ts";
import { writeFilesAtomically } from "./atomic-write.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { matchNames } from "./match-names.ts";
import { formatCount, plural } from "./table.ts";
import { plecVersion } from "./version.ts";
import { resolveWeights } from "./weights.ts";

interface CompileOptions {
  readonly output: string;
  readonly seed: number;
  readonly weights?: string;
  readonly model?: string;
  readonly precision: "fp32" | "fp16";
  readonly without: readonly string[];
  readonly outputs?: string;
  readonly externalData?: boolean;
  readonly opset: number;
  readonly irVersion?: number;
}

export async function compile(spec: string, options: CompileOptions, io: Io): Promise<number> {
  const versions = checkVersions(options);
  const model = loadModel(spec, options.model, io);
  const part = choosePart(model, options);
  const weights = await resolveWeights(model, options);
  const graph = graphOfPart(model, part, weights.weights);
  const [unbound] = unboundSymbols(graph);
  if (unbound !== undefined) throw new CommandError(`without ${options.without.join(", ")} nothing says how long \`${unbound}\` is`);
  const dataPath = `${options.output}.data`;
  const external = { location: basename(dataPath), when: options.externalData === true ? "always" : "large" } as const;
  const { model: bytes, data } = buildOnnxFiles(model, graph, weights, plecVersion(), {
    ...versions,
    precision: options.precision,
    external,
  });
  const file = { path: options.output, chunks: [bytes] };
  await writeFilesAtomically(data === null ? [file] : [{ path: dataPath, chunks: data }, file]);
  const parameters = graph.params.reduce((total, { value }) => total + sizeOf(value.type.shape.map(Number)), 0);
  const size = (path: string) => `${formatCount(statSync(path).size)} bytes`;
  const beside = data === null ? "" : `, ${size(dataPath)} of weights in ${dataPath}`;
  io.stdout.write(`${options.output}: ${model.name}, ${plural(parameters, "parameter")}, ${size(options.output)}${beside}\n`);
  return exitCodes.clean;
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
