import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import type { GraphModelArtifacts } from "../compiler/emit/graph-model.ts";
import { replaceFolder } from "./atomic-write.ts";
import { CommandError } from "./io.ts";

/**
 * Writes a GraphModel into a folder that is new, empty, or holds one already; gives its bytes.
 *
 * @throws CommandError for a path that holds something else, and NotLowerable for a model that TensorFlow.js cannot run
 */
export async function writeGraphModelFolder(path: string, build: () => GraphModelArtifacts): Promise<number> {
  if (existsSync(path)) {
    if (!statSync(path).isDirectory()) throw new CommandError(`${path} is a file; a GraphModel is a folder`);
    const others = readdirSync(path).filter((name) => !/^(model\.json|group1-shard\d+of\d+\.bin)$/.test(name));
    if (others.length > 0) throw new CommandError(`${path} holds ${others[0]}, which is no part of a GraphModel; name another folder`);
  }
  const { graphModelFiles } = await import("../compiler/emit/graph-model.ts");
  await replaceFolder(path, graphModelFiles(build()));
  return readdirSync(path).reduce((total, name) => total + statSync(join(path, name)).size, 0);
}
