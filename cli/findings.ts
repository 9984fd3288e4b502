import type { Diagnostic, Severity } from "../dsl/diagnostic.ts";
import { renderDiagnostic } from "../dsl/render.ts";
import type { Span } from "../dsl/source.ts";
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

/** A diagnostic as JSON: lines and columns from 1, columns and offsets in UTF-16 units, ends exclusive. */
export function diagnosticToJson({ code, severity, message, span, notes, help, fixes }: Diagnostic): object {
  return {
    code,
    severity,
    message,
    ...(span === null ? { file: null, range: null } : rangeToJson(span)),
    notes: notes.map((note) => ({ message: note.message, ...(note.span === null ? { file: null, range: null } : rangeToJson(note.span)) })),
    help,
    fixes: fixes.map(({ title, safe, edits }) => ({
      title,
      safe,
      edits: edits.map((edit) => ({ ...rangeToJson(edit.span), text: edit.text })),
    })),
  };
}

function rangeToJson({ source, start, end }: Span): object {
  return {
    file: source.name,
    range: { start: { ...source.position(start), offset: start }, end: { ...source.position(end), offset: end } },
  };
}
