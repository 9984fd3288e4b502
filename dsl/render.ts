import type { Diagnostic, Note } from "./diagnostic.ts";
import { printable } from "./lexer.ts";
import { type Paint, type Paints, paintsOf } from "./paint.ts";
import type { Source, Span } from "./source.ts";
import { type Cell, layOut, visibleWidth } from "./text-width.ts";

export interface RenderOptions {
  readonly colour: boolean;
  /** Columns of the terminal; longer source lines are cut around what is marked. */
  readonly width?: number;
}

const tabSize = 2;

/**
 * A diagnostic as text, with the source under it:
 *
 *     specs/my.ple:42:23 error dim/mismatch: `Causal` takes f32[B, 644] but `features` is f32[B, 734]
 *        42 │   causal = Causal(features)
 *           │                   ^^^^^^^^
 *       note specs/std/experts/causal.ple:3:15: declared here
 *         3 │ expert Causal(x: f32[B, 644]) -> f32[B, 64] {
 *           │               ^
 *       help: features[base .. merchant] is 644 wide
 */
export function renderDiagnostic(diagnostic: Diagnostic, options: RenderOptions): string {
  const paints = paintsOf(options.colour);
  const severity: Paint = { error: paints.red, warning: paints.yellow, info: paints.blue }[diagnostic.severity];
  const width = Math.max(40, options.width ?? 120);
  const spans = [diagnostic.span, ...diagnostic.notes.map((note) => note.span)];
  const gutter = Math.max(4, ...spans.map((span) => (span === null ? 0 : String(lastLine(span)).length + 1)));

  const place = diagnostic.span === null ? "" : `${paints.bold(placeOf(diagnostic.span))} `;
  const lines = [`${place}${severity(`${diagnostic.severity} ${diagnostic.code}`)}: ${oneLine(diagnostic.message)}`];
  if (diagnostic.span !== null) lines.push(...frame(diagnostic.span, gutter + 1, width, severity, paints));
  for (const note of diagnostic.notes) lines.push(...renderNote(note, gutter + 1, width, paints));
  if (diagnostic.help !== null) lines.push(`  ${paints.green("help")}: ${oneLine(diagnostic.help)}`);
  return lines.join("\n");
}

function renderNote(note: Note, gutter: number, width: number, paints: Paints): string[] {
  if (note.span === null) return [`  ${paints.cyan("note")}: ${oneLine(note.message)}`];
  const head = `  ${paints.cyan("note")} ${placeOf(note.span)}: ${oneLine(note.message)}`;
  return [head, ...frame(note.span, gutter, width, paints.cyan, paints)];
}

function placeOf(span: Span): string {
  const { line, column } = span.source.position(span.start);
  return `${printable(span.source.name)}:${line}:${column}`;
}

/** Messages quote names of files and of the source, which may hold anything. */
const oneLine = (text: string): string => printable(text.replace(/\s*\n\s*/g, " "));

/** The last line that a span marks; a span that ends behind a line end does not reach into the next line. */
function lastLine(span: Span): number {
  return span.source.position(Math.max(span.start, span.end - 1)).line;
}

// ── frames ──────────────────────────────────────────────────────────────────

/** The first and the last line of a span, marked. */
function frame(span: Span, gutter: number, width: number, paint: Paint, paints: Paints): string[] {
  const { source } = span;
  if (source.text === "") return [];
  const first = source.position(span.start).line;
  const last = lastLine(span);
  const shown = last - first > 1 ? [first, null, last] : last > first ? [first, last] : [first];
  return shown.flatMap((line) => {
    if (line === null) return [paints.dim(`${"·".padStart(gutter)} │`)];
    const { text, marks } = markedLine(source, line, span, width - gutter - 3);
    return [
      `${paints.dim(`${String(line).padStart(gutter)} │`)} ${text}`.trimEnd(),
      `${paints.dim(`${" ".repeat(gutter)} │`)} ${paint(marks)}`,
    ];
  });
}

/** One line as shown, and the carets under it. */
function markedLine(source: Source, line: number, span: Span, width: number): { readonly text: string; readonly marks: string } {
  const content = source.line(line);
  const lineStart = source.lineStarts[line - 1] ?? 0;
  const from = Math.min(Math.max(span.start - lineStart, 0), content.length);
  const to = Math.min(Math.max(span.end - lineStart, from), content.length);
  // the marks of a line inside a longer span start at its text, not at its indentation
  const start = span.start < lineStart ? Math.max(from, content.length - content.trimStart().length) : from;
  return cutAround(layOut(content, tabSize, { start, end: to }, width), start, to, width);
}

function cutAround(cells: readonly Cell[], start: number, end: number, width: number): { readonly text: string; readonly marks: string } {
  const columnOf = (offset: number): number => {
    const cell = cells.find((candidate) => candidate.end > offset);
    return cell?.column ?? visibleWidth(cells);
  };
  const total = visibleWidth(cells);
  const startColumn = columnOf(start);
  const endColumn = Math.max(columnOf(end), startColumn + 1);
  if (total <= width)
    return { text: cells.map((cell) => cell.text).join(""), marks: `${" ".repeat(startColumn)}${"^".repeat(endColumn - startColumn)}` };

  const marked = Math.min(endColumn - startColumn, width - 2);
  const left = Math.min(Math.max(0, startColumn - Math.floor((width - marked) / 2)), Math.max(0, total - width + 1));
  const leftCut = left > 0;
  const rest = width - (leftCut ? 1 : 0);
  const room = left + rest < total ? rest - 1 : rest;
  const inside = cells.filter((cell) => cell.column >= left && cell.column + cell.width <= left + room);
  const origin = inside[0]?.column ?? left;
  const shownEnd = (inside[inside.length - 1]?.column ?? origin) + (inside[inside.length - 1]?.width ?? 0);
  const rightCut = shownEnd < total;
  const text = `${leftCut ? "…" : ""}${inside.map((cell) => cell.text).join("")}${rightCut ? "…" : ""}`;
  const marksFrom = Math.max(startColumn - origin, 0) + (leftCut ? 1 : 0);
  const marksTo = Math.min(endColumn, shownEnd + (rightCut ? 1 : 0)) - origin + (leftCut ? 1 : 0);
  return { text, marks: `${" ".repeat(marksFrom)}${"^".repeat(Math.max(1, marksTo - marksFrom))}` };
}
