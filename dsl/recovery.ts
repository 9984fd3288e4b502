import { EOF, type TokenType } from "chevrotain";
import type { Lexeme } from "./lexer.ts";
import * as t from "./tokens.ts";

/** What encloses statements, items, entries or definitions: the places at which parsing goes on after a mistake. */
export type ContainerKind = "file" | "model" | "block" | "bank";

export interface Container {
  readonly kind: ContainerKind;
  /** Bracket depth of the tokens directly in it. */
  readonly depth: number;
}

export const roles: ReadonlySet<TokenType> = new Set([t.ModuleToken, t.ExpertToken, t.GateToken, t.TowerToken, t.LossToken]);
const statementWords: ReadonlySet<TokenType> = new Set([
  t.LetToken,
  t.ParamToken,
  t.OutputToken,
  t.PenaltyToken,
  t.RequireToken,
  t.ReturnToken,
]);
/** Item words that are no statement words as well, and that name a declaration. */
const namedItemWords: ReadonlySet<TokenType> = new Set([
  ...[t.DimToken, t.InputToken, t.ExpertsToken, t.RoutesToken, t.GroupToken, t.TaskToken, t.TransferToken],
]);
const partWords: { readonly [K in ContainerKind]: ReadonlySet<TokenType> } = {
  file: new Set([...roles, t.ImportToken, t.ConstToken, t.ModelToken]),
  model: new Set([...namedItemWords, t.FlowToken, t.TrainToken, t.ConstToken, t.LetToken, t.ParamToken, t.OutputToken, t.PenaltyToken]),
  block: statementWords,
  bank: new Set(),
};
const closerOf: ReadonlyMap<TokenType, TokenType> = new Map([
  [t.LCurly, t.RCurly],
  [t.LParen, t.RParen],
  [t.LSquare, t.RSquare],
]);
const brackets: ReadonlyMap<TokenType, "open" | "close"> = new Map(
  [...closerOf].flatMap(([open, close]) => [[open, "open"] as const, [close, "close"] as const]),
);

const isName = (token: Lexeme): boolean => t.isName(token.tokenType);

/** Whether the tokens from `i` on read like the start of a part of such a container. Words of the grammar may name things, hence the second token. */
export function startsPart(kind: ContainerKind, tokens: readonly Lexeme[], i: number): boolean {
  switch (kind) {
    case "file":
      return startsTopLevel(tokens, i);
    case "block":
      return startsStatement(tokens, i);
    case "model":
      return startsItem(tokens, i);
    case "bank":
      return startsEntry(tokens, i);
  }
}

/** As `startsPart`, and also where a part at the start of a line lacks its name: what a person may have meant as one. */
export function readsLikePart(kind: ContainerKind, tokens: readonly Lexeme[], i: number): boolean {
  if (startsPart(kind, tokens, i)) return true;
  const { first, second } = three(tokens, i);
  if (kind === "file" && first.column0 && roles.has(first.tokenType) && isName(second)) return true;
  return first.firstOnLine && partWords[kind].has(first.tokenType) && [t.Equals, t.Colon, t.LCurly, t.LParen].includes(second.tokenType);
}

/** Whether a line reads like an entry of a bank, which inside of an argument list that was not closed could be a named argument too. */
export function isEntryLine(tokens: readonly Lexeme[], i: number): boolean {
  if (!(tokens[i] as Lexeme).firstOnLine || !startsEntry(tokens, i)) return false;
  for (let at = i + 1; at < tokens.length && !(tokens[at] as Lexeme).firstOnLine; at += 1) {
    if ((tokens[at] as Lexeme).tokenType === t.Equals) return true;
  }
  return false;
}

/** As `startsPart`, but only where the tokens cannot go on with an expression either. */
export function interruptsExpression(kind: ContainerKind, tokens: readonly Lexeme[], i: number): boolean {
  const { first, second } = three(tokens, i);
  if (!first.firstOnLine || !startsPart(kind, tokens, i)) return false;
  return kind === "bank" ? second.tokenType === t.Equals : second.tokenType !== t.LParen;
}

function startsTopLevel(tokens: readonly Lexeme[], i: number): boolean {
  const { first, second, third } = three(tokens, i);
  if (first.tokenType === t.ImportToken) return second.tokenType === t.LCurly;
  if (first.tokenType === t.ConstToken) return isName(second);
  if (first.tokenType === t.ModelToken) return isName(second) && third.tokenType === t.LCurly;
  return roles.has(first.tokenType) && isName(second) && third.tokenType === t.LParen;
}

function startsStatement(tokens: readonly Lexeme[], i: number): boolean {
  const { first, second } = three(tokens, i);
  if (!statementWords.has(first.tokenType)) return false;
  if (first.tokenType === t.LetToken || first.tokenType === t.ReturnToken) return true;
  if (first.tokenType === t.RequireToken) return !followsName(second);
  return isName(second);
}

function startsItem(tokens: readonly Lexeme[], i: number): boolean {
  const { first, second } = three(tokens, i);
  if (startsItemOnly(tokens, i)) return true;
  if (first.tokenType === t.ConstToken) return isName(second);
  return first.tokenType !== t.ReturnToken && first.tokenType !== t.RequireToken && startsStatement(tokens, i);
}

function startsItemOnly(tokens: readonly Lexeme[], i: number): boolean {
  const { first, second } = three(tokens, i);
  if (first.tokenType === t.FlowToken) return isName(second) || second.tokenType === t.PerToken;
  if (first.tokenType === t.TrainToken) return second.tokenType === t.LCurly;
  return namedItemWords.has(first.tokenType) && isName(second);
}

function startsEntry(tokens: readonly Lexeme[], i: number): boolean {
  const { first, second } = three(tokens, i);
  return isName(first) && [t.Equals, t.Colon, t.LSquare].includes(second.tokenType);
}

/** Tokens that can follow a name in an expression, but cannot start one (a parenthesis can do both). */
const followsName = (token: Lexeme): boolean =>
  [t.Equals, t.Colon, t.Dot, t.Comma, t.RParen, t.RSquare, t.RCurly].includes(token.tokenType);

function three(tokens: readonly Lexeme[], i: number): { readonly first: Lexeme; readonly second: Lexeme; readonly third: Lexeme } {
  const last = tokens[tokens.length - 1] as Lexeme;
  return { first: tokens[i] ?? last, second: tokens[i + 1] ?? last, third: tokens[i + 2] ?? last };
}

/**
 * Sets the bracket depth of every token. Where brackets do not match, a line that reads like the start of a statement, an item or a
 * definition closes whatever cannot contain it, so that one missing bracket does not take the rest of the file with it.
 *
 * @returns the first token that is nested deeper than `limit`, or null
 */
export function measureDepth(tokens: readonly Lexeme[], limit: number): Lexeme | null {
  const open: Lexeme[] = [];
  let tooDeep: Lexeme | null = null;
  for (let i = 0; i < tokens.length; i += 1) {
    const token = tokens[i] as Lexeme;
    const type = token.tokenType;
    if (token.firstOnLine && open.length > 0) closeUnclosed(tokens, token, open);
    const bracket = brackets.get(type);
    if (bracket === "open") {
      token.depth = open.length;
      open.push(token);
      if (open.length > limit && tooDeep === null) tooDeep = token;
      continue;
    }
    if (bracket === "close") closeBracket(type, open);
    token.depth = type === EOF ? 0 : open.length;
  }
  return tooDeep;
}

function closeUnclosed(tokens: readonly Lexeme[], token: Lexeme, open: Lexeme[]): void {
  const i = token.index;
  if (token.column0 && startsTopLevel(tokens, i) && token.tokenType !== t.ConstToken) {
    open.length = 0;
    return;
  }
  const outermost = open[0] as Lexeme;
  if (startsItemOnly(tokens, i) && (tokens[outermost.index - 2] as Lexeme | undefined)?.tokenType === t.ModelToken) {
    open.length = 1;
    return;
  }
  const isConst = token.tokenType === t.ConstToken && isName(three(tokens, i).second);
  if (isConst || startsStatement(tokens, i)) while (open.length > 0 && (open[open.length - 1] as Lexeme).tokenType !== t.LCurly) open.pop();
}

function closeBracket(closer: TokenType, open: Lexeme[]): void {
  for (let i = open.length - 1; i >= 0; i -= 1) {
    const type = (open[i] as Lexeme).tokenType;
    if (closerOf.get(type) === closer) {
      open.length = i;
      return;
    }
    // `f(x]` is a typing slip of one bracket: it does not reach beyond the braces around it
    if (type === t.LCurly) break;
  }
  if (open.length > 0 && (open[open.length - 1] as Lexeme).tokenType !== t.LCurly) open.pop();
}
