import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { type Comment, lex } from "../../dsl/lexer.ts";
import type { Source, Span } from "../../dsl/source.ts";

/** A comment `// plec-allow lint/group-of-one: reason`, which silences findings of the line that it stands on, or of the next line of code. */
export interface Allow {
  readonly comment: Comment;
  readonly codes: readonly AllowedCode[];
  /** Empty when none is given. */
  readonly reason: string;
  /** The line, from 1, whose findings it allows. */
  readonly line: number;
}

export interface AllowedCode {
  /** In full: `group-of-one` stands for `lint/group-of-one`. */
  readonly code: string;
  readonly span: Span;
}

const marker = /^\/\/\s*plec-allow\b/;

/** The allow comments of a text, in order. */
export function readAllows(source: Source): readonly Allow[] {
  if (!source.text.includes("plec-allow")) return [];
  return lex(source).comments.flatMap((comment) => {
    const head = comment.kind === "line" ? marker.exec(comment.text) : null;
    if (head === null) return [];
    const rest = comment.text.slice(head[0].length);
    const colon = rest.indexOf(":");
    const list = colon < 0 ? rest : rest.slice(0, colon);
    const start = comment.span.start + head[0].length;
    const codes = [...list.matchAll(/[^\s,]+/g)].map(({ 0: text, index }) => ({
      code: fullCode(text),
      span: { source, start: start + index, end: start + index + text.length },
    }));
    return [{ comment, codes, reason: colon < 0 ? "" : rest.slice(colon + 1).trim(), line: lineOf(comment, source) }];
  });
}

/** Rules may be named without their family. */
export function fullCode(text: string): string {
  return text.includes("/") ? text : `lint/${text}`;
}

function lineOf({ span, trailing }: Comment, source: Source): number {
  const { line } = source.position(span.start);
  if (trailing) return line;
  let next = line + 1;
  while (next <= source.lineStarts.length && /^\s*(\/\/.*)?$/.test(source.line(next))) next += 1;
  return next;
}

/** Findings without those that a comment with a reason allows, and the codes that allowed something. Errors of the checker stay. */
export function withoutAllowed(
  diagnostics: readonly Diagnostic[],
  allowsOf: (source: Source) => readonly Allow[] = allowReader(),
): { readonly diagnostics: readonly Diagnostic[]; readonly used: ReadonlySet<AllowedCode> } {
  const used = new Set<AllowedCode>();
  const kept = diagnostics.filter(({ code, severity, span }) => {
    if (span === null || (severity === "error" && !code.startsWith("lint/"))) return true;
    const { line } = span.source.position(span.start);
    const matching = allowsOf(span.source)
      .filter((allow) => allow.line === line && allow.reason !== "")
      .flatMap((allow) => allow.codes.filter((allowed) => allowed.code === code));
    for (const allowed of matching) used.add(allowed);
    return matching.length === 0;
  });
  return { diagnostics: kept, used };
}

/** Reads the comments of each source once. */
export function allowReader(): (source: Source) => readonly Allow[] {
  const read = new Map<Source, readonly Allow[]>();
  return (source) => {
    const before = read.get(source);
    if (before !== undefined) return before;
    const allows = readAllows(source);
    read.set(source, allows);
    return allows;
  };
}
