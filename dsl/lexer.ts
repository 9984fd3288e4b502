import { EOF, type IToken, Lexer, type TokenType } from "chevrotain";
import { type SyntaxCode, syntaxCatalogue } from "./catalogue.ts";
import { type Details, type Diagnostic, makeDiagnostic, type Placeholders } from "./diagnostic.ts";
import type { Source, Span } from "./source.ts";
import * as t from "./tokens.ts";

/** A comment as written, with its slashes. */
export interface Comment {
  /** "doc" for `///` on a line of its own, which documents what follows. */
  readonly kind: "line" | "doc";
  readonly text: string;
  readonly span: Span;
  /** Whether something other than a comment stands before it on its line. */
  readonly trailing: boolean;
}

/** A token with what the parser needs to recover. Offsets are never NaN, not even of the end of the file. */
export interface Lexeme extends IToken {
  tokenType: TokenType;
  index: number;
  /** Exclusive end. */
  end: number;
  firstOnLine: boolean;
  /** First on its line and not indented. */
  column0: boolean;
  /** Brackets that are open around it; an opening or closing bracket counts as outside itself. */
  depth: number;
}

export interface LexResult {
  /** Ends with tokens of type EOF, as many as the parser looks ahead. */
  readonly tokens: Lexeme[];
  readonly comments: readonly Comment[];
  readonly diagnostics: Diagnostic[];
}

const findingLimit = 200;

const lexer = new Lexer(t.tokenTypes, { positionTracking: "onlyOffset", skipValidations: true, safeMode: false });

/** Tokens of `source`, with the slips of other languages reported and read as what was meant. */
export function lex(source: Source): LexResult {
  const { tokens: raw, groups, errors } = lexer.tokenize(source.text);
  const diagnostics: Diagnostic[] = [];
  const report = <C extends SyntaxCode>(
    code: C,
    span: Span,
    values: Placeholders<(typeof syntaxCatalogue)[C]["message"]>,
    details?: Details,
  ): void => {
    if (diagnostics.length < findingLimit) diagnostics.push(makeDiagnostic(syntaxCatalogue, code, span, values, details));
  };
  const tokens: Lexeme[] = [];
  // Where the line of the token before ends.
  let lineEnd = -1;
  for (let i = 0; i < raw.length; i += 1) {
    const token = raw[i] as IToken;
    const tokenType = typeOf(token, source, report);
    if (tokenType === null) continue;
    const { image, startOffset } = token;
    const end = startOffset + image.length;
    const firstOnLine = startOffset > lineEnd;
    if (firstOnLine) lineEnd = lineEndAfter(source.text, end);
    // A new object with all fields: one to which fields are added takes V8 longer to make and to read.
    tokens.push({
      image,
      tokenType,
      tokenTypeIdx: tokenType.tokenTypeIdx as number,
      startOffset,
      index: tokens.length,
      end,
      firstOnLine,
      column0: firstOnLine && (startOffset === 0 || source.text[startOffset - 1] === "\n"),
      depth: 0,
    });
  }
  reportStray(source, errors, report);
  for (let i = 0; i < 4; i += 1) tokens.push(endOfText(source.text.length, tokens.length));
  const comments = (groups.comments as IToken[]).map((token) => toComment(token, source));
  return { tokens, comments, diagnostics };
}

type Report = <C extends SyntaxCode>(
  code: C,
  span: Span,
  values: Placeholders<(typeof syntaxCatalogue)[C]["message"]>,
  details?: Details,
) => void;

/** The final type of a token; null drops it. */
function typeOf(token: IToken, source: Source, report: Report): TokenType | null {
  const { image, tokenType: type, startOffset: start } = token;
  if (type === t.Word) return t.keywords.get(image) ?? type;
  if (type === t.NumberToken) checkRange(image, start, source, report);
  else if (type === t.StringToken) checkEscapes(image, start, source, report);
  return t.slips.has(type) ? typeOfSlip(token, source, report) : type;
}

/** Reports a slip of another language, and gives the type that was meant; null where nothing was. */
function typeOfSlip({ image, tokenType: type, startOffset: start }: IToken, source: Source, report: Report): TokenType | null {
  const end = start + image.length;
  const span = { source, start, end };
  const intended = t.meant.get(type);
  if (intended !== undefined) {
    const text = spaced(intended.text, source.text, start, end);
    const fix = { title: `Replace by \`${intended.text}\``, edits: [{ span, text }], safe: true };
    report("syntax/operator", span, { found: image, meant: intended.text }, { fixes: [fix] });
    return intended.type;
  }
  switch (type) {
    case t.UnterminatedString:
      report("syntax/unterminated-string", span, {});
      return t.StringToken;
    case t.SingleQuoted: {
      const text = `"${image.slice(1, -1).replaceAll('"', '\\"').replaceAll("\\'", "'")}"`;
      report(
        "syntax/quotes",
        span,
        {},
        { help: `write ${text}`, fixes: [{ title: "Use double quotes", edits: [{ span, text }], safe: true }] },
      );
      return t.StringToken;
    }
    case t.BadNumber:
    case t.LeadingDotNumber: {
      const help = type === t.LeadingDotNumber ? `write 0${image}` : null;
      report("syntax/number", span, { text: shorten(image) }, { help });
      return t.NumberToken;
    }
    case t.BlockComment:
      if (image.length >= 4 && image.endsWith("*/")) report("syntax/comment", span, {}, { help: "start each line with `//`" });
      else report("syntax/unterminated-comment", { ...span, end: span.start + 2 }, {});
      return null;
    case t.HashComment: {
      const edits = [{ span: { ...span, end: span.start + 1 }, text: "//" }];
      report("syntax/comment", { ...span, end: span.start + 1 }, {}, { fixes: [{ title: "Write `//`", edits, safe: true }] });
      return null;
    }
    case t.Semicolon:
      report("syntax/semicolon", span, {}, { fixes: [{ title: "Remove `;`", edits: [{ span, text: "" }], safe: true }] });
      return null;
    default:
      return type;
  }
}

/** `a&&b` needs spaces around the word that replaces the sign. */
function spaced(word: string, text: string, start: number, end: number): string {
  if (word === "^") return word;
  const before = /\w/.test(text[start - 1] ?? "") ? " " : "";
  const after = /\s/.test(text[end] ?? " ") ? "" : " ";
  return `${before}${word}${after}`;
}

function checkRange(image: string, start: number, source: Source, report: Report): void {
  const value = Number(image);
  if (value <= Number.MAX_SAFE_INTEGER) return;
  const span = { source, start, end: start + image.length };
  if (!Number.isFinite(value)) report("syntax/number-range", span, { text: shorten(image), problem: "too large for a number" });
  else if (/^\d+$/.test(image))
    report("syntax/number-range", span, { text: shorten(image), problem: "beyond 2^53 - 1, where whole numbers stop being exact" });
}

function checkEscapes(image: string, offset: number, source: Source, report: Report): void {
  if (!image.includes("\\")) return;
  for (const match of image.matchAll(/\\([\s\S])/gu)) {
    if ('"\\nt'.includes(match[1] as string)) continue;
    const start = offset + match.index;
    report("syntax/escape", { source, start, end: start + match[0].length }, { escape: printable(match[0]) });
  }
}

/** The text that a string literal stands for; unknown escapes stay as they are. */
export function unescapeString(image: string): string {
  const closed = image.length > 1 && image.endsWith(image[0] as string) && trailingBackslashes(image.slice(0, -1)) % 2 === 0;
  const body = closed ? image.slice(1, -1) : image.slice(1);
  if (!body.includes("\\")) return body;
  return body.replace(/\\(["\\nt])/g, (_, letter: string) => (letter === "n" ? "\n" : letter === "t" ? "\t" : letter));
}

function trailingBackslashes(text: string): number {
  let count = 0;
  while (text[text.length - 1 - count] === "\\") count += 1;
  return count;
}

/** Characters that start no token, adjacent runs of them as one finding. */
function reportStray(source: Source, errors: readonly { readonly offset: number; readonly length: number }[], report: Report): void {
  for (let i = 0, found = 0; i < errors.length && found < findingLimit; found += 1) {
    const start = (errors[i] as { offset: number }).offset;
    let end = start;
    for (; i < errors.length; i += 1) {
      const next = errors[i] as { offset: number; length: number };
      if (next.offset > start && /[^ \t]/.test(source.text.slice(end, next.offset))) break;
      end = next.offset + next.length;
    }
    const text = source.text.slice(start, end);
    const quote = text.startsWith("'") ? 'strings stand in double quotes: `"..."`' : null;
    report("syntax/stray", { source, start, end }, { what: `\`${printable(shorten(text))}\`` }, { help: quote });
  }
}

function lineEndAfter(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end;
}

/** Control and invisible characters and lone surrogates as escapes, so that a message can be printed anywhere. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

export function shorten(text: string, limit = 24): string {
  return text.length <= limit
    ? text
    : `${Array.from(text.slice(0, 2 * limit))
        .slice(0, limit)
        .join("")}...`;
}

/** What a parser reads after the last token. */
export function endOfText(offset: number, index: number): Lexeme {
  return {
    image: "",
    tokenType: EOF,
    tokenTypeIdx: EOF.tokenTypeIdx as number,
    startOffset: offset,
    index,
    end: offset,
    firstOnLine: true,
    column0: true,
    depth: 0,
  };
}

function toComment(token: IToken, source: Source): Comment {
  const start = token.startOffset;
  const text = token.image.trimEnd();
  const lineStart = source.text.lastIndexOf("\n", start - 1) + 1;
  const trailing = start > 0 && /[^\s\uFEFF]/.test(source.text.slice(lineStart, start));
  const kind = /^\/\/\/(?!\/)/.test(text) && !trailing ? "doc" : "line";
  return { kind, text, span: { source, start, end: start + text.length }, trailing };
}
