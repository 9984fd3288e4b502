import { EOF } from "chevrotain";
import { type Lexeme, printable, shorten } from "./lexer.ts";
import { type ContainerKind, startsPart } from "./recovery.ts";
import { closest } from "./suggest.ts";
import * as t from "./tokens.ts";

/** What may stand at a place in a container, as messages say it. */
export const partNames: { readonly [K in ContainerKind]: string } = {
  file: "a definition, a constant or a model",
  model: "an item of the model or `}`",
  block: "a statement or `}`",
  bank: "an entry `name = expert(...)` or `}`",
};

const partWords: { readonly [K in ContainerKind]: readonly string[] } = {
  file: ["import", "const", "module", "expert", "gate", "tower", "loss", "model"],
  model: [
    ...["const", "dim", "input", "let", "param", "experts", "routes", "group", "task", "transfer", "flow", "output", "penalty", "train"],
  ],
  block: ["let", "param", "output", "penalty", "require", "return"],
  bank: [],
};

/** A token as messages name it. */
export function describe(token: Lexeme): string {
  if (token.tokenType === EOF) return "the end of the file";
  if (token.tokenType === t.StringToken) return `the string ${printable(shorten(token.image))}`;
  const text = `\`${printable(shorten(token.image))}\``;
  return t.isReservedWord(token.tokenType) ? `the reserved word ${text}` : text;
}

/** Help where a typical slip is recognised at the token that was not expected. */
export function helpFor(token: Lexeme, previous: Lexeme, peek: (offset: number) => Lexeme): string | null {
  // first of all: in `let if = 3` the word does not mean what it means elsewhere
  if (t.isReservedWord(token.tokenType) && [t.Equals, t.Colon].includes(peek(2).tokenType))
    return `\`${token.image}\` cannot name anything; choose another name`;
  switch (token.tokenType) {
    case t.Question:
      return "a conditional is written `if c then a else b`";
    case t.Arrow:
      return "a function value is written `(x) => expression`";
    case t.FatArrow:
      return "a function value is written `(x) => expression`, with parentheses";
    case t.If:
      return "put parentheses around a conditional inside an expression: `1 + (if c then a else b)`";
    case t.PerToken:
      return "`per` follows a call: `f(x) per group`";
    case t.Colon:
      return "a type stands before the `=`: `name: type = value`";
    case t.Else:
      return "every `else` belongs to an `if condition then value`";
    default:
      break;
  }
  if (token.tokenType === t.Equals && previous.tokenType === t.Equals) return "equality is written `==`";
  if (token.tokenType === t.Equals && peek(2).tokenType === t.Equals) return "equality is written `==`";
  return null;
}

/** Help for a word at the start of a part that no part starts with. */
export function helpForPart(kind: ContainerKind, token: Lexeme, next: Lexeme): string | null {
  if ((kind === "block" || kind === "model") && token.tokenType === t.Word && next.tokenType === t.Equals) {
    return `a name is given to a value by \`let ${token.image} = ...\``;
  }
  if (token.tokenType === t.RCurly) return "this closes nothing: remove it, or look for a `{` that is missing above";
  if (token.tokenType !== t.Word) return null;
  const word = foreignWords.get(token.image) ?? closest(token.image, partWords[kind]);
  return word === null ? null : `did you mean \`${word}\`?`;
}

/** Words of other languages for what a file can hold. */
const foreignWords: ReadonlyMap<string, string> = new Map([
  ["def", "module"],
  ["fn", "module"],
  ["function", "module"],
  ["class", "module"],
  ["layer", "module"],
  ["var", "let"],
  ["val", "let"],
  ["yield", "return"],
  ["assert", "require"],
]);

/** A part of another kind of container: what it is and where it belongs. */
export function unexpectedPart(
  kind: ContainerKind,
  token: Lexeme,
  tokens: readonly Lexeme[],
): { readonly what: string; readonly place: string } | null {
  const places: readonly (readonly [ContainerKind, string])[] = [
    ["model", "a model"],
    ["block", "the body of a definition or a flow"],
    ["file", "the file, outside definitions and models"],
  ];
  for (const [other, place] of places) {
    if (other === kind || !startsPart(other, tokens, token.index)) continue;
    const both = other === "model" && startsPart("block", tokens, token.index) ? "a definition or a model" : place;
    return { what: token.image, place: both };
  }
  return null;
}
