import { createToken, type IToken, Lexer, type TokenType } from "chevrotain";
import type { Diagnostic } from "./diagnostic.ts";
import { syntaxFinding } from "./syntax-catalogue.ts";
import type { Source, Span } from "./source.ts";

/** Anything that may stand where a name is wanted: names, and words that are keywords only elsewhere. */
export const AnyName = createToken({ name: "AnyName", pattern: Lexer.NA, label: "a name" });
export const Identifier = createToken({ name: "Identifier", pattern: /[A-Za-z_][A-Za-z0-9_]*/, categories: [AnyName], label: "a name" });

const softWords = [
  ...["import", "from", "as", "const", "dim", "input", "experts", "routes", "group", "task", "transfer", "flow", "output", "penalty", "train", "model"],
  ...["module", "expert", "gate", "tower", "loss", "param", "require", "of", "f32", "i32", "bool", "id"],
] as const;
const reservedWords = ["and", "or", "not", "in", "for", "if", "then", "else", "per", "true", "false", "none", "let", "return"] as const;

export type SoftWord = (typeof softWords)[number];
export type ReservedWord = (typeof reservedWords)[number];

/** The words of the language that cannot be names. */
export const reserved: readonly string[] = reservedWords;

function wordToken(word: string, categories: TokenType[]): TokenType {
  return createToken({ name: `word_${word}`, pattern: new RegExp(word), longer_alt: Identifier, categories, label: `\`${word}\`` });
}

/** Tokens of words, by word. */
export const Word = Object.fromEntries([...softWords.map((word) => [word, wordToken(word, [AnyName])]), ...reservedWords.map((word) => [word, wordToken(word, [])])]) as Record<
  SoftWord | ReservedWord,
  TokenType
>;

export const NumberToken = createToken({ name: "Number", pattern: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/, label: "a number" });
export const StringToken = createToken({ name: "String", pattern: /"(?:[^"\\\n\r]|\\[^\n\r])*"/, label: "a string" });
export const OpenString = createToken({ name: "OpenString", pattern: /"(?:[^"\\\n\r]|\\[^\n\r])*\\?/, label: "a string" });

const punctuation = {
  PipeTo: "|>",
  FatArrow: "=>",
  Arrow: "->",
  Equal: "==",
  NotEqual: "!=",
  LessEqual: "<=",
  GreaterEqual: ">=",
  Join: "++",
  Dots: "..",
  Assign: "=",
  Less: "<",
  Greater: ">",
  Plus: "+",
  Minus: "-",
  Star: "*",
  Slash: "/",
  At: "@",
  Power: "^",
  Bar: "|",
  Dot: ".",
  Comma: ",",
  Colon: ":",
  Question: "?",
  OpenBrace: "{",
  CloseBrace: "}",
  OpenParen: "(",
  CloseParen: ")",
  OpenBracket: "[",
  CloseBracket: "]",
} as const;

export const Mark = Object.fromEntries(
  Object.entries(punctuation).map(([name, text]) => [name, createToken({ name, pattern: text, label: `\`${text}\`` })]),
) as Record<keyof typeof punctuation, TokenType>;

const Blank = createToken({ name: "Blank", pattern: /[ \t\r\n\uFEFF]+/, group: Lexer.SKIPPED, line_breaks: true });
const CommentToken = createToken({ name: "Comment", pattern: /\/\/[^\n\r]*/, group: "comments" });

export const tokenTypes: TokenType[] = [
  Blank,
  CommentToken,
  AnyName,
  ...Object.values(Word),
  Identifier,
  NumberToken,
  StringToken,
  OpenString,
  ...Object.values(Mark),
];

const lexer = new Lexer(tokenTypes, { positionTracking: "onlyOffset", skipValidations: true, ensureOptimizations: false });

/** A `//` comment with its text, slashes included. */
export interface Comment {
  readonly text: string;
  readonly span: Span;
  /** `///`: documents what follows. */
  readonly doc: boolean;
}

export interface Tokens {
  readonly tokens: IToken[];
  readonly comments: readonly Comment[];
  readonly diagnostics: readonly Diagnostic[];
}

/** Splits a text into tokens; what is no token is reported and left out. */
export function tokenize(source: Source): Tokens {
  const { tokens, groups, errors } = lexer.tokenize(source.text);
  const diagnostics = errors.map(({ offset, length }) => strayCharacters(source, { source, start: offset, end: offset + length }));
  const kept: IToken[] = [];
  for (const token of tokens) {
    if (token.tokenType === OpenString) diagnostics.push(syntaxFinding("syntax/open-string", { source, start: token.startOffset, end: token.startOffset + token.image.length }, {}));
    kept.push(token.tokenType === OpenString ? { ...token, tokenType: StringToken, tokenTypeIdx: StringToken.tokenTypeIdx as number } : token);
  }
  const comments = (groups.comments ?? []).map((token) => ({
    text: token.image.trimEnd(),
    span: { source, start: token.startOffset, end: token.startOffset + token.image.trimEnd().length },
    doc: /^\/\/\/(?!\/)/.test(token.image),
  }));
  return { tokens: kept, comments, diagnostics };
}

const slips: readonly { readonly pattern: RegExp; readonly help: string }[] = [
  { pattern: /^&/, help: "write `and`" },
  { pattern: /^!/, help: "write `not`" },
  { pattern: /^'/, help: 'strings stand in double quotes: "..."' },
  { pattern: /^#/, help: "comments begin with `//`" },
  { pattern: /^;/, help: "nothing ends a statement; leave it out" },
  { pattern: /^%/, help: "there is no remainder; `floor(a / b)` divides numbers" },
];

function strayCharacters(source: Source, span: Span): Diagnostic {
  const text = source.text.slice(span.start, Math.min(span.end, span.start + 12));
  const found = /^[\x20-\x7e]+$/.test(text) ? `\`${text}\`` : `the character U+${(text.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0")}`;
  return syntaxFinding("syntax/stray", span, { found }, { help: slips.find(({ pattern }) => pattern.test(text))?.help ?? null });
}
