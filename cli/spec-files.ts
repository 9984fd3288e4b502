import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { UnreadableText } from "../compiler/read-text.ts";
import { describeSystemError, isSystemError } from "./atomic-write.ts";
import { CommandError } from "./io.ts";

/**
 * The files named on a command line, folders replaced by the `.ple` files below them in order of name (hidden folders and node_modules left out).
 *
 * @throws CommandError for a path that cannot be read, and for a folder without specs
 */
export function expandPaths(paths: readonly string[]): readonly string[] {
  const files = new Set<string>();
  for (const path of paths) {
    const found = reading(path, () => (statSync(path).isDirectory() ? specsBelow(path) : [path]));
    if (found.length === 0) throw new CommandError(`there is no .ple file in ${path}`);
    for (const file of found) files.add(file);
  }
  return [...files];
}

function specsBelow(folder: string): readonly string[] {
  const items = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return items.flatMap((item) => {
    const path = join(folder, item.name);
    if (item.isDirectory()) return item.name === "node_modules" || item.name.startsWith(".") ? [] : specsBelow(path);
    return item.name.endsWith(".ple") ? [path] : [];
  });
}

/** Runs `read`; what the system refuses, and what is no text, is the user's to solve. */
export function reading<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnreadableText) throw new CommandError(`cannot read ${path}: ${error.message}`);
    if (isSystemError(error)) throw new CommandError(`cannot read ${path}: ${describeSystemError(error)}`);
    throw error;
  }
}
