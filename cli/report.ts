import { plainDiagnostic } from "../api/diagnostics.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { writeFileAtomically } from "./atomic-write.ts";
import { describeTally, printFindings, tally } from "./findings.ts";
import { exitCodes, type Io } from "./io.ts";
import { plural } from "./table.ts";

export interface ReportOptions {
  readonly json?: boolean;
  readonly sarif?: string;
  readonly maxWarnings?: number;
}

/** Prints the findings of some files as text, JSON or SARIF; the exit code says whether there are errors, or more warnings than allowed. */
export async function reportFindings(
  files: readonly string[],
  diagnostics: readonly Diagnostic[],
  fixed: number,
  options: ReportOptions,
  io: Io,
): Promise<number> {
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

/** Two files that import a third both bring its findings. */
export function uniqueFindings(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const seen = new Set<string>();
  return diagnostics.filter(({ code, message, span }) => {
    const key = JSON.stringify([code, message, span?.source.name, span?.start, span?.end]);
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
