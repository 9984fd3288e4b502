import { checkFile, checkSource } from "../compiler/driver.ts";
import { formatSource } from "../dsl/printer.ts";
import { Source } from "../dsl/source.ts";
import { plecVersion } from "../runtime/version.ts";
import { plainDiagnostic, renderAll } from "./diagnostics.ts";
import { ModelError } from "./errors.ts";
import { modelInfo } from "./model-info.ts";
import { oneModel } from "./one-model.ts";
import type { CheckResult, CompiledFile, CompiledOnnx, CompileOnnxOptions, CompileOptions, Diagnostic, Spec } from "./types.ts";

export { InputError, load, ModelError, SpecError } from "./runtime.ts";
export type * from "./types.ts";

/** The version of plec. */
export const version: string = plecVersion();

/** Checks a spec and all that it imports. Never throws for what is wrong in a spec: that is in the diagnostics. */
export function check(spec: Spec): CheckResult {
  const { diagnostics, models } = typeof spec === "string" ? checkFile(spec) : checkSource(spec.name, spec.text);
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  return {
    errors,
    warnings: diagnostics.length - errors,
    diagnostics: diagnostics.map(plainDiagnostic),
    text: renderAll(diagnostics),
    models: models.map(modelInfo),
  };
}

/** A text in plec's one style; `text` is null when it has syntax errors, which the diagnostics tell. */
export function format(text: string, name = "<text>"): { readonly text: string | null; readonly diagnostics: readonly Diagnostic[] } {
  const formatted = formatSource(new Source(name, text));
  return { text: formatted.text, diagnostics: formatted.diagnostics.map(plainDiagnostic) };
}

/**
 * Compiles a model of a spec to ONNX.
 *
 * @throws SpecError for a spec with errors
 * @throws ModelError for options that the model does not have
 */
export async function compileOnnx(spec: Spec, options: CompileOnnxOptions = {}): Promise<CompiledOnnx> {
  const [{ buildOnnxFiles }, { opsets }] = await Promise.all([import("../runtime/build-onnx.ts"), import("../compiler/emit/onnx.ts")]);
  const { precision = "fp32", opset = 17, dataFile = "model.onnx.data" } = options;
  const irVersion = opsets.get(opset);
  if (irVersion === undefined) throw new ModelError(`opset ${opset} cannot be written; choose one of ${[...opsets.keys()].join(", ")}`);
  const { model, graph, weights } = await partOf(spec, options);
  return buildOnnxFiles(model, graph, weights, version, { precision, opset, irVersion, external: { location: dataFile, when: "large" } });
}

/**
 * Compiles a model of a spec to a TensorFlow.js GraphModel: `model.json` and the weight shards, for `tf.loadGraphModel`.
 *
 * @throws SpecError for a spec with errors
 * @throws ModelError for options that the model does not have, and for what TensorFlow.js cannot do
 */
export async function compileGraphModel(spec: Spec, options: CompileOptions = {}): Promise<readonly CompiledFile[]> {
  const [{ buildGraphModel }, { graphModelFiles }, { NotLowerable }] = await Promise.all([
    import("../runtime/build-graph-model.ts"),
    import("../compiler/emit/graph-model.ts"),
    import("../compiler/emit/tensorflow-lowering.ts"),
  ]);
  const { model, graph, weights } = await partOf(spec, options);
  try {
    return graphModelFiles(buildGraphModel(model, graph, weights, version));
  } catch (error) {
    if (error instanceof NotLowerable) throw new ModelError(`${model.name}: ${renderAll([error.diagnostic])}`, { cause: error });
    throw error;
  }
}

/** The part of a model that options ask for, with its weights. */
async function partOf(spec: Spec, options: CompileOptions) {
  const [{ graphOfPart }, { weightsOf }, { SafetensorsError }] = await Promise.all([
    import("../runtime/build-onnx.ts"),
    import("../runtime/weights-of.ts"),
    import("../runtime/safetensors.ts"),
  ]);
  const model = await oneModel(spec, options.model);
  const { outputs, without = [] } = options;
  const optional = model.inputs.filter((input) => input.optional).map(({ name }) => name);
  expectKnown(without, optional, "optional input");
  const names = model.graph.outputs.map(({ name }) => name);
  if (outputs !== undefined) expectKnown(outputs, names, "output");
  try {
    const weights = weightsOf(model, { path: options.weights, seed: options.seed ?? 0 });
    const part = { without: new Set(without), ...(outputs === undefined ? {} : { outputs: new Set(outputs) }) };
    return { model, weights, graph: graphOfPart(model, part, weights.weights) };
  } catch (error) {
    if (!(error instanceof SafetensorsError) && !(error instanceof Error && "syscall" in error)) throw error;
    throw new ModelError(`${options.weights}: ${error.message}`, { cause: error });
  }
}

function expectKnown(names: readonly string[], known: readonly string[], what: string): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new ModelError(`no ${what} is called ${unknown}; there are ${known.join(", ")}`);
}

/**
 * TypeScript for a model of a spec: types of its inputs, targets and predictions, its tasks, experts, groups and slices as data, and a typed `load()`.
 *
 * @throws SpecError for a spec with errors
 */
export async function generateTypes(spec: Spec, options: { readonly model?: string | undefined } = {}): Promise<string> {
  const { emitTypes } = await import("../compiler/emit/types.ts");
  const name = typeof spec === "string" ? spec : spec.name;
  return emitTypes(await oneModel(spec, options.model), { spec: name, version });
}
