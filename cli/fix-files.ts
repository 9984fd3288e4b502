import type { Diagnostic, Fix } from "../dsl/diagnostic.ts";
import type { Source } from "../dsl/source.ts";
import { applyFixes } from "./apply-fixes.ts";
import { writeFileAtomically } from "./atomic-write.ts";

/** A file with its text as it was read, and findings, those of other files perhaps among them. */
export interface FoundFile {
  readonly file: string;
  readonly source: Source | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** A fix may uncover the next finding; this many rounds are more than any real file needs. */
const maxRounds = 10;

/** Applies the wanted fixes until there are no more; returns how many. `find` reads the files as they are now. */
export async function fixFiles(find: () => readonly FoundFile[], wanted: (fix: Fix) => boolean): Promise<number> {
  let fixed = 0;
  for (let round = 0; round < maxRounds; round++) {
    const before = fixed;
    for (const { file, source, diagnostics } of find()) {
      if (source === null) continue;
      const { text, applied } = applyFixes(source, diagnostics, wanted);
      if (applied === 0) continue;
      await writeFileAtomically(file, [text]);
      fixed += applied;
    }
    if (fixed === before) break;
  }
  return fixed;
}

export const isSafe = (fix: Fix): boolean => fix.safe;
