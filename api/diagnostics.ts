import type * as internal from "../dsl/diagnostic.ts";
import { renderDiagnostic } from "../dsl/render.ts";
import type { Span } from "../dsl/source.ts";
import type { Diagnostic, Place } from "./types.ts";

export function plainDiagnostic({ code, severity, message, span, notes, help, fixes }: internal.Diagnostic): Diagnostic {
  return {
    code,
    severity,
    message,
    ...placeOf(span),
    notes: notes.map((note) => ({ message: note.message, ...placeOf(note.span) })),
    help,
    fixes: fixes.map(({ title, safe, edits }) => ({
      title,
      safe,
      edits: edits.map((edit) => ({ ...placeOf(edit.span), text: edit.text })),
    })),
  };
}

function placeOf(span: Span | null): Place {
  if (span === null) return { file: null, range: null };
  const { source, start, end } = span;
  return {
    file: source.name,
    range: { start: { ...source.position(start), offset: start }, end: { ...source.position(end), offset: end } },
  };
}

/** The text that `plec check` prints for findings, without colours. */
export function renderAll(diagnostics: readonly internal.Diagnostic[]): string {
  return diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, { colour: false })).join("\n");
}
