import { statSync } from "node:fs";
import type { CheckedModel } from "../compiler/model.ts";
import { fixDims } from "../compiler/passes/fix-dims.ts";
import { type TrainingPlan, trainingPlan } from "../compiler/training/plan.ts";
import { gradientGraph, type TrainingGraph, trainingStep, updateGraph } from "../compiler/training/step.ts";
import { PlanError } from "../compiler/training/trainable.ts";
import { drawWeights } from "../compiler/weights.ts";
import { closest } from "../dsl/suggest.ts";
import { buildStateFile, buildTrainingGraphModel, buildTrainingOnnx, trainingMetadata } from "../runtime/training/build-step.ts";
import { writeFilesAtomically } from "./atomic-write.ts";
import { writeGraphModelFolder } from "./graph-model-folder.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { formatCount, plural } from "./table.ts";
import { plecVersion } from "./version.ts";
import { resolveWeights } from "./weights.ts";

export interface CompileTrainOptions {
  readonly output: string;
  readonly target: "onnx" | "tfjs";
  readonly seed: number;
  readonly weights?: string;
  readonly model?: string;
  readonly precision: "fp32" | "fp16";
  readonly without: readonly string[];
  readonly outputs?: string;
  readonly externalData?: boolean;
  readonly phase?: string;
  readonly accumulate?: boolean;
  readonly recompute: boolean;
  readonly rows?: number;
  readonly lossScale?: boolean;
}

/** Writes a training step, or the two halves of it, and the state to begin with. */
export async function compileTrain(
  spec: string,
  options: CompileTrainOptions,
  versions: { readonly opset: number; readonly irVersion: number },
  io: Io,
): Promise<number> {
  refuseOptions(options);
  const model = loadModel(spec, options.model, io);
  const plan = trainingPlan(model);
  const phase = choosePhase(plan, options.phase);
  const stem = options.output.replace(/\.onnx$|\/+$/i, "");
  const parts = buildParts(model, plan, phase, options, stem);
  const weights =
    options.weights === undefined
      ? drawWeights({ params: model.parameters }, options.seed)
      : (await resolveWeights(model, options)).weights;
  const statePath = `${stem}.safetensors`;
  const state = buildStateFile(
    parts.map(({ graph }) => graph),
    weights,
  );
  const version = plecVersion();
  const metadataOf = (graph: TrainingGraph) => trainingMetadata(model, plan, phase, graph, version);
  await writeFilesAtomically([
    { path: statePath, chunks: [state] },
    ...(options.target === "onnx" ? parts : []).map(({ path, graph }) => ({
      path,
      chunks: [buildTrainingOnnx(graph, metadataOf(graph), { ...versions, version })],
    })),
  ]);
  for (const { path, graph } of parts) {
    const { name, inputs, outputs } = graph.graph;
    const size =
      options.target === "onnx"
        ? statSync(path).size
        : await writeGraphModelFolder(path, () => buildTrainingGraphModel(graph, version, metadataOf(graph)));
    io.stdout.write(
      `${path}: ${name}, ${plural(inputs.length, "input")}, ${plural(outputs.length, "output")}, ${formatCount(size)} bytes\n`,
    );
  }
  io.stdout.write(`${statePath}: the state to begin with, ${formatCount(statSync(statePath).size)} bytes\n`);
  return exitCodes.clean;
}

function buildParts(
  model: CheckedModel,
  plan: TrainingPlan,
  phase: number,
  { output, target, accumulate, recompute, rows, lossScale }: CompileTrainOptions,
  stem: string,
): readonly { readonly path: string; readonly graph: TrainingGraph }[] {
  const suffix = target === "onnx" ? ".onnx" : "";
  const options = { phase, recompute, lossScale: lossScale === true };
  const sized = (step: TrainingGraph) => (rows === undefined ? step : { ...step, graph: fixDims(step.graph, new Map([["B", rows]])) });
  try {
    if (accumulate !== true) return [{ path: output, graph: sized(trainingStep(model, plan, options)) }];
    return [
      { path: `${stem}.gradients${suffix}`, graph: sized(gradientGraph(model, plan, options)) },
      { path: `${stem}.update${suffix}`, graph: sized(updateGraph(model, plan, options)) },
    ];
  } catch (error) {
    if (error instanceof PlanError) throw new CommandError(`${model.name}: ${error.message}`, exitCodes.findings);
    throw error;
  }
}

/** What a step does not honour is said, and not left out in silence. */
function refuseOptions(options: CompileTrainOptions): void {
  if (options.rows === 0) throw new CommandError("--rows takes a number of at least 1");
  if (options.precision !== "fp32") throw new CommandError("--train computes in float32; leave --precision fp16 out");
  if (options.without.length > 0) throw new CommandError("--train takes every input of the model; leave --without out");
  if (options.outputs !== undefined) throw new CommandError("--train gives losses and the new state; leave --outputs out");
  if (options.externalData === true) throw new CommandError("--train puts the weights into a .safetensors file; leave --external-data out");
}

function choosePhase({ phases }: TrainingPlan, name: string | undefined): number {
  if (name === undefined) return 0;
  const at = phases.findIndex((phase) => phase.name === name);
  if (at >= 0) return at;
  const names = phases.map((phase) => phase.name);
  const near = closest(name, names);
  throw new CommandError(`no phase is called ${name}; ${near === null ? `the phases are ${names.join(", ")}` : `did you mean ${near}?`}`);
}
