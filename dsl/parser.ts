import { EOF, type IRecognitionException, type IToken, tokenMatcher } from "chevrotain";
import type { File } from "./ast.ts";
import { syntaxFinding } from "./syntax-catalogue.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { PleParser } from "./grammar.ts";
import { AnyName, type Comment, Mark, NumberToken, reserved, StringToken, tokenize, Word } from "./words.ts";
import type { Source, Span } from "./source.ts";
import { describeToken } from "./syntax-errors.ts";

export interface ParsedFile {
  /** Partial where the text is broken. */
  readonly file: File;
  /** In source order, doc comments included. */
  readonly comments: readonly Comment[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Bounds that keep hostile text from exhausting time or memory. */
export const limits = { bytes: 4 * 1024 * 1024, brackets: 200, chain: 1_000, findings: 100 } as const;

let parser: PleParser | null = null;

/** Parses a text. Mistakes are reported and skipped, so that five mistakes are five findings. */
export function parse(source: Source): ParsedFile {
  const empty: File = { kind: "File", imports: [], items: [], span: { source, start: 0, end: source.text.length } };
  if (source.text.length > limits.bytes) {
    const values = { size: `${Math.ceil(source.text.length / 2 ** 20)} MB`, limit: `${limits.bytes / 2 ** 20} MB` };
    return { file: empty, comments: [], diagnostics: [syntaxFinding("syntax/too-large", { source, start: 0, end: 0 }, values)] };
  }
  const { tokens, comments, diagnostics } = tokenize(source);
  const deep = findDeepNesting(tokens, source);
  if (deep !== null) return { file: empty, comments, diagnostics: [...diagnostics, deep] };
  // One instance serves all files: building the grammar's tables costs more than parsing.
  parser ??= new PleParser();
  parser.input = tokens;
  parser.source = source;
  parser.docs = attachDocs(comments, tokens, source);
  const file = parser.file() ?? empty;
  const mistakes = parser.errors.map((error) => toDiagnostic(error, tokens, source));
  const found = [...diagnostics, ...checkLiterals(tokens, source), ...mistakes].sort((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0));
  return { file, comments, diagnostics: found.slice(0, limits.findings) };
}

function spanOf(token: IToken, source: Source): Span {
  return { source, start: token.startOffset, end: token.startOffset + token.image.length };
}

// ── depth ───────────────────────────────────────────────────────────────────

const opening = [Mark.OpenBrace, Mark.OpenParen, Mark.OpenBracket];
const closing = [Mark.CloseBrace, Mark.CloseParen, Mark.CloseBracket];
const chaining = [Word.else, Word.not, Mark.FatArrow, Mark.Minus, Mark.Plus, Mark.Star, Mark.Slash, Mark.At, Mark.Join, Mark.Power, Mark.Dot, Word.and, Word.or];
const resetting = [Word.let, Word.return, Word.param, Mark.Assign, Mark.Comma];

/** Nesting and operator chains beyond the limits, found before anything recursive runs. */
function findDeepNesting(tokens: readonly IToken[], source: Source): Diagnostic | null {
  let depth = 0;
  let chain = 0;
  for (const token of tokens) {
    const { tokenType } = token;
    if (opening.includes(tokenType)) depth += 1;
    else if (closing.includes(tokenType)) depth = Math.max(0, depth - 1);
    if (chaining.includes(tokenType) || opening.includes(tokenType)) chain += 1;
    else if (resetting.includes(tokenType)) chain = 0;
    if (depth > limits.brackets) return syntaxFinding("syntax/too-deep", spanOf(token, source), { what: "brackets", limit: limits.brackets });
    if (chain > limits.chain) return syntaxFinding("syntax/too-deep", spanOf(token, source), { what: "the parts of this expression", limit: limits.chain });
  }
  return null;
}

// ── comments ────────────────────────────────────────────────────────────────

/** The text of the `///` lines directly in front of a token, by the token's offset. */
function attachDocs(comments: readonly Comment[], tokens: readonly IToken[], source: Source): ReadonlyMap<number, string> {
  const docs = new Map<number, string[]>();
  let at = 0;
  for (const comment of comments) {
    if (!comment.doc) continue;
    while (at < tokens.length && (tokens[at] as IToken).startOffset < comment.span.end) at += 1;
    const next = tokens[at];
    const before = tokens[at - 1];
    // A doc comment stands on lines of its own.
    if (next === undefined || (before !== undefined && !source.text.slice(before.startOffset, comment.span.start).includes("\n"))) continue;
    const lines = docs.get(next.startOffset);
    const line = comment.text.replace(/^\/\/\/ ?/, "");
    if (lines === undefined) docs.set(next.startOffset, [line]);
    else lines.push(line);
  }
  return new Map([...docs].map(([offset, lines]) => [offset, lines.join("\n")]));
}

// ── findings ────────────────────────────────────────────────────────────────

function checkLiterals(tokens: readonly IToken[], source: Source): readonly Diagnostic[] {
  const found: Diagnostic[] = [];
  for (const token of tokens) {
    if (token.tokenType === NumberToken) {
      const value = Number(token.image);
      const inexact = /^\d+$/.test(token.image) && !Number.isSafeInteger(value);
      if (!Number.isFinite(value) || inexact) found.push(syntaxFinding("syntax/number", spanOf(token, source), { number: token.image.slice(0, 40) }));
    } else if (token.tokenType === StringToken) {
      for (const match of token.image.matchAll(/\\(.)/g)) {
        if ('nt"\\'.includes(match[1] as string)) continue;
        const start = token.startOffset + match.index;
        found.push(syntaxFinding("syntax/escape", { source, start, end: start + 2 }, { escape: match[0] }));
      }
    }
  }
  return found;
}

function toDiagnostic(error: IRecognitionException, tokens: readonly IToken[], source: Source): Diagnostic {
  const atEnd = error.token.tokenType === EOF;
  const last = tokens.at(-1);
  const end = last === undefined ? 0 : last.startOffset + last.image.length;
  const span = atEnd ? { source, start: end, end } : spanOf(error.token, source);
  const previous = atEnd ? last : tokens[tokens.indexOf(error.token) - 1];
  const next = tokens[tokens.indexOf(error.token) + 1];
  const values = { expected: error.message, found: describeToken(error.token, atEnd) };
  return syntaxFinding("syntax/expected", span, values, { help: helpFor(error, previous, next) });
}

/** Names the slip that a mistake looks like. */
function helpFor(error: IRecognitionException, previous: IToken | undefined, next: IToken | undefined): string | null {
  const { token, message } = error;
  if (reserved.includes(token.image) && message.includes("a name")) return `\`${token.image}\` is a word of the language; choose another name`;
  if (token.tokenType === Mark.Assign && message === "`:`") return "settings and arguments are written `name: value`";
  if (token.tokenType === Mark.Colon && message === "`=`") return "a value follows `=`; a stated type stands between the name and `=`";
  if (token.tokenType === Mark.Colon && previous !== undefined) return "a stated type follows the name: `name: f32[B, 64] = value`";
  if (token.tokenType === Mark.Question) return "conditions are written `if c then a else b`";
  if (token.tokenType === Mark.Bar && next?.tokenType === Mark.Bar) return "write `or`";
  if (token.tokenType === Mark.Star && previous?.tokenType === Mark.Star) return "powers are written `x ^ 2`";
  if (token.tokenType === Mark.Slash) return "comments begin with `//` and end with the line";
  if (token.tokenType === Mark.Arrow && message === "`=>`") return "a function is written `(x) => ...`";
  if (message === "`,`" && tokenMatcher(token, AnyName)) return "items are separated by commas";
  if (["None", "null", "nil"].includes(token.image)) return "the missing value is `none`";
  return null;
}
