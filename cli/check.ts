import { plainDiagnostic } from "../api/diagnostics.ts";
import { checkFile } from "../compiler/driver.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { applySafeFixes } from "./apply-fixes.ts";
import { writeFileAtomically } from "./atomic-write.ts";
import { describeTally, printFindings, tally } from "./findings.ts";
import { exitCodes, type Io } from "./io.ts";
import { expandPaths, reading } from "./spec-files.ts";
import { plural } from "./table.ts";

interface CheckOptions {
  readonly fix?: boolean;
  readonly json?: boolean;
  readonly sarif?: string;
  readonly maxWarnings?: number;
}

/** A fix may uncover the next finding; this many rounds are more than any real file needs. */
const maxRounds = 10;

export async function check(paths: readonly string[], options: CheckOptions, io: Io): Promise<number> {
  const files = expandPaths(paths);
  let fixed = 0;
  if (options.fix === true) for (const file of files) fixed += await fixFile(file);
  const diagnostics = unique(files.flatMap((file) => reading(file, () => checkFile(file)).diagnostics));
  const counts = tally(diagnostics);

  if (options.sarif !== undefined) {
    const { toSarif } = await import("./sarif.ts");
    const text = `${JSON.stringify(await toSarif(diagnostics), null, 2)}\n`;
    if (options.sarif === "-") io.stdout.write(text);
    else await writeFileAtomically(options.sarif, [text]);
  }
  if (options.json === true) {
    const report = { version: 1, files, ...counts, fixed, diagnostics: diagnostics.map(plainDiagnostic) };
    io.stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  } else if (options.sarif !== "-") {
    printFindings(diagnostics, io.stdout, io);
    const repaired = fixed > 0 ? `; ${fixed} fixed` : "";
    io.stdout.write(`${plural(files.length, "file")}: ${describeTally(counts)}${repaired}\n`);
  }
  const tooManyWarnings = options.maxWarnings !== undefined && counts.warnings > options.maxWarnings;
  if (tooManyWarnings) io.stderr.write(`plec: ${plural(counts.warnings, "warning")}, with ${options.maxWarnings} allowed\n`);
  return counts.errors > 0 || tooManyWarnings ? exitCodes.findings : exitCodes.clean;
}

/** Applies safe fixes until there are no more; returns how many. */
async function fixFile(file: string): Promise<number> {
  let fixed = 0;
  for (let round = 0; round < maxRounds; round++) {
    const { source, diagnostics } = reading(file, () => checkFile(file));
    if (source === null) break;
    const { text, applied } = applySafeFixes(source, diagnostics);
    if (applied === 0) break;
    await writeFileAtomically(file, [text]);
    fixed += applied;
  }
  return fixed;
}

/** Two files that import a third both bring its findings. */
function unique(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ code, message, span }) => {
    const key = JSON.stringify([code, message, span?.source.name, span?.start, span?.end]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
