import type { Diagnostic } from "../dsl/diagnostic.ts";
import { renderDiagnostic } from "../dsl/render.ts";
import type { Io, Output } from "./io.ts";
import { wantsColour } from "./io.ts";
import { plural } from "./table.ts";

export interface Tally {
  readonly errors: number;
  readonly warnings: number;
}

export function tally(diagnostics: readonly Diagnostic[]): Tally {
  const errors = diagnostics.filter((diagnostic) => diagnostic.severity === "error").length;
  return { errors, warnings: diagnostics.length - errors };
}

/** `2 errors, 1 warning`. */
export function describeTally({ errors, warnings }: Tally): string {
  const parts = [...(errors > 0 ? [plural(errors, "error")] : []), ...(warnings > 0 ? [plural(warnings, "warning")] : [])];
  return parts.length === 0 ? "no findings" : parts.join(", ");
}

export function printFindings(diagnostics: readonly Diagnostic[], output: Output, io: Io): void {
  const options = { colour: wantsColour(output, io.env), ...(output.columns === null ? {} : { width: output.columns }) };
  for (const diagnostic of diagnostics) output.write(`${renderDiagnostic(diagnostic, options)}\n`);
}
