import { modelInfo } from "../api/model-info.ts";
import { printGraph } from "../compiler/ir/print.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { prune } from "../compiler/passes/prune.ts";
import { simplify } from "../compiler/passes/simplify.ts";
import { graphToJson } from "./graph-to-json.ts";
import { exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";

interface IrOptions {
  readonly raw?: boolean;
  readonly model?: string;
  readonly format: "text" | "json" | "yaml";
}

export async function ir(spec: string, options: IrOptions, io: Io): Promise<number> {
  const model = loadModel(spec, options.model, io);
  const graph = options.raw === true ? model.graph : prune(simplify(model.graph));
  const resolved = () => resolvedModel({ ...model, graph });
  if (options.format === "text") io.stdout.write(printGraph(graph));
  else if (options.format === "json") io.stdout.write(`${JSON.stringify(resolved(), null, 2)}\n`);
  else io.stdout.write(await toYaml(resolved()));
  return exitCodes.clean;
}

/** Everything that a spec comes out as, in the order of reading. */
function resolvedModel(model: CheckedModel): object {
  const penalties = model.penalties.map(({ name }) => name);
  return { version: 1, ...modelInfo(model), penalties, train: model.train, graph: graphToJson(model.graph) };
}

async function toYaml(value: object): Promise<string> {
  const { stringify } = await import("yaml");
  // Equal lists are written out: anchors would make the file harder to read for programs and people.
  return stringify(value, { aliasDuplicateObjects: false, lineWidth: 0 });
}
