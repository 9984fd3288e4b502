import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { GraphModelArtifacts } from "../compiler/emit/graph-model.ts";
import { replaceFolder } from "./atomic-write.ts";
import { CommandError, exitCodes } from "./io.ts";

/**
 * Writes a GraphModel into a folder that is new, empty, or holds one already; gives its bytes.
 *
 * @throws CommandError for a path that holds something else, and for a model that TensorFlow.js cannot run
 */
export async function writeGraphModelFolder(path: string, model: string, build: () => GraphModelArtifacts): Promise<number> {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw new CommandError(`${path} is a file; a GraphModel is a folder`);
    const others = readdirSync(path).filter((name) => !/^(model\.json|group1-shard\d+of\d+\.bin)$/.test(name));
    if (others.length > 0) throw new CommandError(`${path} holds ${others[0]}, which is no part of a GraphModel; name another folder`);
  }
  const [{ graphModelFiles }, { NotLowerable }] = await Promise.all([
    import("../compiler/emit/graph-model.ts"),
    import("../compiler/emit/tensorflow-lowering.ts"),
  ]);
  try {
    await replaceFolder(path, graphModelFiles(build()));
  } catch (error) {
    if (error instanceof NotLowerable) throw new CommandError(`${model}: ${error.message}`, exitCodes.findings);
    throw error;
  }
  return readdirSync(path).reduce((total, name) => total + statSync(join(path, name)).size, 0);
}
