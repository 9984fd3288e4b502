import type { IParserErrorMessageProvider, IToken, TokenType } from "chevrotain";

/** What each rule is looking for, where the token alone would not tell. */
const wanted: Readonly<Record<string, string>> = {
  expr: "an expression",
  pipe: "an expression",
  disjunction: "an expression",
  conjunction: "an expression",
  negation: "an expression",
  comparison: "an expression",
  sum: "an expression",
  product: "an expression",
  unary: "an expression",
  power: "an expression",
  postfix: "an expression",
  primary: "an expression",
  type: "a type, such as f32[B, 64] or int",
  dim: "a dim",
  index: "a position, `a:b`, `..` or `none`",
  statement: "let, param, output, penalty, require or return",
  item: "an item of a model, such as input, let, experts, task or flow",
  topLevel: "import, const, a definition or a model",
  definition: "a definition",
  indices: "a position",
  flow: "`per task` or the name of a task",
  per: "`task`, `group` or `model` after `per`",
};

function labelOf(type: TokenType): string {
  return type.LABEL ?? type.name;
}

/** Sentences of the form `expected X`; what was found is added where the place is known. */
export const syntaxErrors: IParserErrorMessageProvider = {
  buildMismatchTokenMessage: ({ expected }) => labelOf(expected),
  buildNotAllInputParsedMessage: () => "import, const, a definition or a model",
  buildNoViableAltMessage: ({ ruleName, expectedPathsPerAlt }) => wanted[ruleName] ?? alternatives(expectedPathsPerAlt.flatMap((paths) => paths.flatMap((path) => path.slice(0, 1)))),
  buildEarlyExitMessage: ({ ruleName, expectedIterationPaths }) => wanted[ruleName] ?? alternatives(expectedIterationPaths.flatMap((path) => path.slice(0, 1))),
};

function alternatives(types: readonly TokenType[]): string {
  const labels = [...new Set(types.map(labelOf))];
  return labels.length === 1 ? (labels[0] as string) : `${labels.slice(0, -1).join(", ")} or ${labels.at(-1)}`;
}

/** How a token is called in a message. */
export function describeToken(token: IToken, atEnd: boolean): string {
  if (atEnd) return "the end of the file";
  const image = token.image.length > 24 ? `${token.image.slice(0, 24)}…` : token.image;
  return /^\d/.test(image) ? `the number ${image}` : image.startsWith('"') ? `the string ${image}` : `\`${image}\``;
}
