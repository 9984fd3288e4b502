import { statSync } from "node:fs";
import { buildOnnx } from "../runtime/build-onnx.ts";
import { writeFileAtomically } from "./atomic-write.ts";
import { exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { countParams } from "./summary.ts";
import { formatCount, plural } from "./table.ts";
import { plecVersion } from "./version.ts";
import { resolveWeights } from "./weights.ts";

interface CompileOptions {
  readonly output: string;
  readonly seed: number;
  readonly weights?: string;
  readonly model?: string;
}

export async function compile(spec: string, options: CompileOptions, io: Io): Promise<number> {
  const model = loadModel(spec, options.model, io);
  const bytes = await buildOnnx(model, await resolveWeights(model, options), plecVersion());
  await writeFileAtomically(options.output, [bytes]);
  const { parameters } = countParams(model);
  io.stdout.write(
    `${options.output}: ${model.name}, ${plural(parameters, "parameter")}, ${formatCount(statSync(options.output).size)} bytes\n`,
  );
  return exitCodes.clean;
}
