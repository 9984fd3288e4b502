import type { Comment, Lexeme } from "./lexer.ts";

/** For every token that a run of `///` lines precedes, by its offset: the lines joined, without slashes and the space after them. */
export function attachDocs(tokens: readonly Lexeme[], comments: readonly Comment[]): ReadonlyMap<number, string> {
  const docs = new Map<number, string>();
  let tokenIndex = 0;
  let run: Comment[] = [];
  for (const [i, comment] of comments.entries()) {
    if (comment.kind !== "doc") continue;
    const previous = run[run.length - 1];
    if (previous !== undefined && (comments[i - 1] !== previous || !adjacent(previous, comment))) run = [];
    run.push(comment);
    const next = comments[i + 1];
    if (next?.kind === "doc" && adjacent(comment, next)) continue;
    while (tokenIndex < tokens.length && (tokens[tokenIndex] as Lexeme).startOffset < comment.span.start) tokenIndex += 1;
    const token = tokens[tokenIndex];
    if (token !== undefined) docs.set(token.startOffset, run.map(docLine).join("\n"));
    run = [];
  }
  return docs;
}

const docLine = (comment: Comment): string => comment.text.slice(3).replace(/^ /, "");

/** On consecutive lines. */
function adjacent(a: Comment, b: Comment): boolean {
  const between = a.span.source.text.slice(a.span.end, b.span.start);
  return between.indexOf("\n") === between.lastIndexOf("\n") && between.trim() === "";
}
