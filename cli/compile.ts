import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { CheckedModel } from "../compiler/model.ts";
import type { TracedWeights } from "../runtime/description.ts";
import { replaceFolder, writeFileAtomically } from "./atomic-write.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { countParams } from "./summary.ts";
import { formatCount, plural } from "./table.ts";
import { plecVersion } from "./version.ts";
import { resolveWeights } from "./weights.ts";

interface CompileOptions {
  readonly output: string;
  readonly target: "onnx" | "tfjs";
  readonly seed: number;
  readonly weights?: string;
  readonly model?: string;
}

export async function compile(spec: string, options: CompileOptions, io: Io): Promise<number> {
  const model = loadModel(spec, options.model, io);
  const weights = await resolveWeights(model, options);
  const bytes = await (options.target === "tfjs" ? writeGraphModel : writeOnnx)(options.output, model, weights);
  const { parameters } = countParams(model);
  io.stdout.write(`${options.output}: ${model.name}, ${plural(parameters, "parameter")}, ${formatCount(bytes)} bytes\n`);
  return exitCodes.clean;
}

async function writeOnnx(path: string, model: CheckedModel, weights: TracedWeights): Promise<number> {
  const { buildOnnx } = await import("../runtime/build-onnx.ts");
  await writeFileAtomically(path, [await buildOnnx(model, weights, plecVersion())]);
  return statSync(path).size;
}

/** Writes into a folder that is new, empty, or holds a GraphModel already. */
async function writeGraphModel(path: string, model: CheckedModel, weights: TracedWeights): Promise<number> {
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
    await replaceFolder(path, graphModelFiles(buildGraphModel(model, weights, plecVersion())));
  } catch (error) {
    if (error instanceof NotLowerable) throw new CommandError(`${model.name}: ${error.message}`, exitCodes.findings);
    throw error;
  }
  return readdirSync(path).reduce((total, name) => total + statSync(join(path, name)).size, 0);
}
