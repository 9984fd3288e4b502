import type { Diagnostic, Severity } from "../dsl/diagnostic.ts";
import { renderDiagnostic } from "../dsl/render.ts";
import type { Io, Output } from "./io.ts";
import { wantsColour } from "./io.ts";
import { plural } from "./table.ts";

export interface Tally {
  readonly errors: number;
  readonly warnings: number;
  readonly infos: number;
}

export function tally(diagnostics: readonly Diagnostic[]): Tally {
  const count = (wanted: Severity) => diagnostics.filter(({ severity }) => severity === wanted).length;
  return { errors: count("error"), warnings: count("warning"), infos: count("info") };
}

/** `2 errors, 1 warning`. */
export function describeTally({ errors, warnings, infos }: Tally): string {
  const counts = [
    [errors, "error"],
    [warnings, "warning"],
    [infos, "info"],
  ] as const;
  const parts = counts.flatMap(([count, noun]) => (count > 0 ? [plural(count, noun)] : []));
  return parts.length === 0 ? "no findings" : parts.join(", ");
}

export function printFindings(diagnostics: readonly Diagnostic[], output: Output, io: Io): void {
  const options = { colour: wantsColour(output, io.env), ...(output.columns === null ? {} : { width: output.columns }) };
  for (const diagnostic of diagnostics) output.write(`${renderDiagnostic(diagnostic, options)}\n`);
}
