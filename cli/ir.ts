import { printGraph } from "../compiler/ir/print.ts";
import { prune } from "../compiler/passes/prune.ts";
import { simplify } from "../compiler/passes/simplify.ts";
import { exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";

export async function ir(spec: string, options: { readonly raw?: boolean; readonly model?: string }, io: Io): Promise<number> {
  const { graph } = loadModel(spec, options.model, io);
  io.stdout.write(printGraph(options.raw === true ? graph : prune(simplify(graph))));
  return exitCodes.clean;
}
