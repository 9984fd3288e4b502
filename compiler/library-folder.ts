import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder that `std/` stands for: the package's own `specs/std`. */
export function libraryFolder(): string {
  for (let at = dirname(fileURLToPath(import.meta.url)); ; at = dirname(at)) {
    const folder = join(at, "specs", "std");
    if (existsSync(folder) || dirname(at) === at) return folder;
  }
}
