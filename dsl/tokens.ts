import { Lexer, type TokenType } from "chevrotain";

/** Token categories and types of `.ple`. Words are lexed as one token type and sorted by `keywords` afterwards, which keeps the lexer small. */

// Types are written as objects, which the lexer completes all at once: `createToken` would do that anew for each.

/** Whatever may stand for a name: plain words and all words of the grammar but the reserved ones. */
export const Name: TokenType = { name: "Name", PATTERN: Lexer.NA };
/** Whatever may stand between two operands. */
export const BinaryOperator: TokenType = { name: "BinaryOperator", PATTERN: Lexer.NA };

// First characters are stated, or Chevrotain would parse each pattern for them at every start.
const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_"];
const digits = [..."0123456789"];

export const Word: TokenType = { name: "Word", PATTERN: /[A-Za-z_][A-Za-z0-9_]*/, CATEGORIES: [Name], START_CHARS_HINT: letters };
export const NumberToken: TokenType = {
  name: "Number",
  PATTERN: /\d+(?:\.\d+)?(?:[eE][+-]?\d+)?(?![A-Za-z0-9_]|\.(?!\.))/,
  START_CHARS_HINT: digits,
};
export const StringToken: TokenType = {
  name: "String",
  PATTERN: /"[^"\\\r\n]*(?:\\[^\r\n][^"\\\r\n]*)*"/,
  START_CHARS_HINT: ['"'],
};

const symbol = (name: string, text: string, categories: TokenType[] = []): TokenType => ({
  name,
  PATTERN: text,
  LABEL: text,
  CATEGORIES: categories,
});
const operator = (name: string, text: string): TokenType => symbol(name, text, [BinaryOperator]);
const keyword = (name: string, word: string, categories: TokenType[]): TokenType => ({
  name,
  PATTERN: Lexer.NA,
  LABEL: word,
  CATEGORIES: categories,
});
const reserved = (word: string, categories: TokenType[] = []): TokenType => keyword(`Reserved_${word}`, word, categories);
const soft = (word: string): TokenType => keyword(`Soft_${word}`, word, [Name]);

export const LCurly = symbol("LCurly", "{");
export const RCurly = symbol("RCurly", "}");
export const LParen = symbol("LParen", "(");
export const RParen = symbol("RParen", ")");
export const LSquare = symbol("LSquare", "[");
export const RSquare = symbol("RSquare", "]");
export const Comma = symbol("Comma", ",");
export const Colon = symbol("Colon", ":");
export const Equals = symbol("Equals", "=");
export const Dot = symbol("Dot", ".");
export const DotDot = symbol("DotDot", "..");
export const Bar = symbol("Bar", "|");
export const Arrow = symbol("Arrow", "->");
export const FatArrow = symbol("FatArrow", "=>");
export const Question = symbol("Question", "?");

export const PipeOperator = operator("PipeOperator", "|>");
export const Plus = operator("Plus", "+");
export const PlusPlus = operator("PlusPlus", "++");
export const Minus = operator("Minus", "-");
export const Times = operator("Times", "*");
export const Divide = operator("Divide", "/");
export const MatMul = operator("MatMul", "@");
export const Power = operator("Power", "^");
export const EqualTo = operator("EqualTo", "==");
export const NotEqual = operator("NotEqual", "!=");
export const LessEqual = operator("LessEqual", "<=");
export const GreaterEqual = operator("GreaterEqual", ">=");
export const Less = operator("Less", "<");
export const Greater = operator("Greater", ">");

export const And = reserved("and", [BinaryOperator]);
export const Or = reserved("or", [BinaryOperator]);
export const In = reserved("in", [BinaryOperator]);
export const Not = reserved("not");
export const For = reserved("for");
export const If = reserved("if");
export const Then = reserved("then");
export const Else = reserved("else");
export const PerToken = reserved("per");
export const True = reserved("true");
export const False = reserved("false");
export const None = reserved("none");
export const LetToken = reserved("let");
export const ReturnToken = reserved("return");

export const ImportToken = soft("import");
export const From = soft("from");
export const As = soft("as");
export const ConstToken = soft("const");
export const ModelToken = soft("model");
export const ModuleToken = soft("module");
export const ExpertToken = soft("expert");
export const GateToken = soft("gate");
export const TowerToken = soft("tower");
export const LossToken = soft("loss");
export const ParamToken = soft("param");
export const OutputToken = soft("output");
export const PenaltyToken = soft("penalty");
export const RequireToken = soft("require");
export const DimToken = soft("dim");
export const InputToken = soft("input");
export const ExpertsToken = soft("experts");
export const RoutesToken = soft("routes");
export const GroupToken = soft("group");
export const TaskToken = soft("task");
export const TransferToken = soft("transfer");
export const FlowToken = soft("flow");
export const TrainToken = soft("train");
export const OfToken = soft("of");
export const F32Token = soft("f32");
export const I32Token = soft("i32");
export const BoolToken = soft("bool");
export const IdToken = soft("id");

const words = [
  ...[And, Or, In, Not, For, If, Then, Else, PerToken, True, False, None, LetToken, ReturnToken],
  ...[ImportToken, From, As, ConstToken, ModelToken, ModuleToken, ExpertToken, GateToken, TowerToken, LossToken],
  ...[ParamToken, OutputToken, PenaltyToken, RequireToken, DimToken, InputToken, ExpertsToken, RoutesToken, GroupToken, TaskToken],
  ...[TransferToken, FlowToken, TrainToken, OfToken, F32Token, I32Token, BoolToken, IdToken],
];

/** Token types of the words of the grammar. */
export const keywords: ReadonlyMap<string, TokenType> = new Map(words.map((type) => [type.LABEL ?? "", type]));

/** A token type in a category, without the generality of Chevrotain's matcher. */
export const isName = (type: TokenType): boolean => type === Word || type.CATEGORIES?.[0] === Name;
export const isBinaryOperator = (type: TokenType): boolean => type.CATEGORIES?.[0] === BinaryOperator;

export const isReservedWord = (type: TokenType): boolean => type.name.startsWith("Reserved_");

// ── what the lexer drops, and slips of other languages that it understands ──

export const WhiteSpace: TokenType = {
  name: "WhiteSpace",
  PATTERN: /[ \t\r\n\uFEFF]+/,
  LINE_BREAKS: true,
  GROUP: Lexer.SKIPPED,
  START_CHARS_HINT: [" ", "\t", "\r", "\n", "\uFEFF"],
};
export const CommentToken: TokenType = { name: "Comment", PATTERN: /\/\/[^\r\n]*/, GROUP: "comments", START_CHARS_HINT: ["/"] };

/** What is reported wherever it stands. */
export const slips = new Set<TokenType>();
const slip = (name: string, pattern: RegExp | string, firsts = [pattern.toString().charAt(0)]): TokenType => {
  const type: TokenType = { name, PATTERN: pattern, LINE_BREAKS: name === "BlockComment", START_CHARS_HINT: firsts };
  slips.add(type);
  return type;
};
export const BlockComment = slip("BlockComment", /\/\*[^*]*(?:\*(?!\/)[^*]*)*(?:\*\/)?/, ["/"]);
export const HashComment = slip("HashComment", /#[^\r\n]*/, ["#"]);
export const UnterminatedString = slip("UnterminatedString", /"[^"\\\r\n]*(?:\\[^\r\n][^"\\\r\n]*)*\\?/, ['"']);
export const SingleQuoted = slip("SingleQuoted", /'[^'\\\r\n]*(?:\\[^\r\n][^'\\\r\n]*)*'/, ["'"]);
export const BadNumber = slip("BadNumber", /\d\w*(?:\.(?!\.)\w*)*/, digits);
export const LeadingDotNumber = slip("LeadingDotNumber", /\.\d+(?:[eE][+-]?\d+)?/, ["."]);
export const AmpAmp = slip("AmpAmp", "&&");
export const BarBar = slip("BarBar", "||");
export const StarStar = slip("StarStar", "**");
export const Bang = slip("Bang", "!");
export const Semicolon = slip("Semicolon", ";");

/** Slips read as the operator that was meant. */
export const meant: ReadonlyMap<TokenType, { readonly type: TokenType; readonly text: string }> = new Map([
  [AmpAmp, { type: And, text: "and" }],
  [BarBar, { type: Or, text: "or" }],
  [StarStar, { type: Power, text: "^" }],
  [Bang, { type: Not, text: "not" }],
]);

/** In the order in which the lexer tries them, longer before shorter; those without a pattern it completes. */
export const tokenTypes: TokenType[] = [
  ...[WhiteSpace, CommentToken, BlockComment, HashComment, Word, NumberToken, BadNumber, StringToken, UnterminatedString, SingleQuoted],
  ...[PipeOperator, BarBar, Bar, Arrow, FatArrow, EqualTo, NotEqual, LessEqual, GreaterEqual, AmpAmp, StarStar, Bang, Semicolon],
  ...[PlusPlus, Plus, Minus, Times, Divide, MatMul, Power, Less, Greater, Equals, DotDot, LeadingDotNumber, Dot],
  ...[LCurly, RCurly, LParen, RParen, LSquare, RSquare, Comma, Colon, Question, Name, BinaryOperator],
  ...words,
];
