import type { Diagnostic, Edit, Fix } from "../dsl/diagnostic.ts";
import type { Source } from "../dsl/source.ts";

/**
 * The text of a source after the wanted fixes of its diagnostics, and how many were applied. A fix that overlaps with one applied before, or that edits
 * another file, is left for the next round.
 */
export function applyFixes(
  source: Source,
  diagnostics: readonly Diagnostic[],
  wanted: (fix: Fix) => boolean,
): { readonly text: string; readonly applied: number } {
  const taken: Edit[] = [];
  let applied = 0;
  for (const diagnostic of diagnostics) {
    const fix = diagnostic.fixes.find(wanted);
    if (fix === undefined || fix.edits.length === 0) continue;
    const fits = fix.edits.every((edit) => edit.span.source === source && !taken.some((other) => overlap(edit, other)));
    if (!fits) continue;
    taken.push(...fix.edits);
    applied += 1;
  }
  taken.sort((a, b) => b.span.start - a.span.start);
  let text = source.text;
  for (const { span, text: replacement } of taken) text = text.slice(0, span.start) + replacement + text.slice(span.end);
  return { text, applied };
}

/** Two insertions at one place overlap too: their order would be arbitrary. */
function overlap(a: Edit, b: Edit): boolean {
  if (a.span.start === b.span.start) return true;
  return a.span.start < b.span.end && b.span.start < a.span.end;
}
