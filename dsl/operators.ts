import type { TokenType } from "chevrotain";
import type { BinaryOp, Call, Expr, Per } from "./ast.ts";
import type { Lexeme } from "./lexer.ts";
import type { Source } from "./source.ts";
import * as t from "./tokens.ts";

/** An operand with the prefix operators before it, as the parser reads it. */
export interface Operand {
  readonly prefixes: readonly Lexeme[];
  readonly expr: Expr;
  /** Of a bare pipe stage: `x |> layer_norm per group`. */
  readonly per: Per | null;
}

/** What can be wrong with a sequence of operands that the grammar of single operands lets through. */
export interface OperationErrors {
  readonly misplacedNot: (not: Lexeme, operator: Lexeme) => void;
  readonly chainedComparison: (operator: Lexeme) => void;
  readonly notAStage: (stage: Expr) => void;
  readonly perWithoutCall: (per: Per) => void;
}

const precedence: ReadonlyMap<TokenType, number> = new Map([
  [t.Or, 1],
  [t.And, 2],
  ...[t.EqualTo, t.NotEqual, t.Less, t.LessEqual, t.Greater, t.GreaterEqual, t.In].map((type) => [type, 4] as const),
  ...[t.Plus, t.Minus, t.PlusPlus].map((type) => [type, 5] as const),
  ...[t.Times, t.Divide, t.MatMul].map((type) => [type, 6] as const),
  [t.Power, 8],
]);
const notLevel = 3;
const comparisonLevel = 4;
const minusLevel = 7;
const powerLevel = 8;

/** Builds the tree of `a op b op c |> stage`, by precedence climbing. Pipes bind weakest and stay flat. */
export function buildOperation(source: Source, operands: readonly Operand[], operators: readonly Lexeme[], errors: OperationErrors): Expr {
  let first = 0;
  const parts: Expr[] = [];
  for (let i = 0; i <= operators.length; i += 1) {
    if (i < operators.length && (operators[i] as Lexeme).tokenType !== t.PipeOperator) continue;
    parts.push(buildSum(source, operands.slice(first, i + 1), operators.slice(first, i), errors, parts.length > 0));
    first = i + 1;
  }
  const [left, ...stages] = parts;
  if (stages.length === 0) return left as Expr;
  const calls = stages.map((stage) => toStage(stage, errors));
  const span = { source, start: (left as Expr).span.start, end: (calls[calls.length - 1] as Call).span.end };
  return { kind: "Pipe", left: left as Expr, stages: calls, span };
}

/** A stage as a call: a bare name becomes a call without parentheses; what is no stage is reported and called all the same. */
function toStage(stage: Expr, errors: OperationErrors): Call {
  if (stage.kind === "Call") return stage;
  if (stage.kind !== "Reference" && stage.kind !== "Member") errors.notAStage(stage);
  return { kind: "Call", callee: stage, arguments: [], per: null, parenthesised: false, span: stage.span };
}

/** One pipe-free stretch. Operand i stands before operator i. */
function buildSum(
  source: Source,
  operands: readonly Operand[],
  operators: readonly Lexeme[],
  errors: OperationErrors,
  isStage: boolean,
): Expr {
  let next = 0;
  const prefixesOfNext = (): readonly Lexeme[] => (operands[next] as Operand).prefixes;

  const climb = (level: number, prefixes: readonly Lexeme[], before = operators[next - 1]): Expr => {
    let left = prefixes.length === 0 ? leaf() : prefixed(level, prefixes, before);
    for (;;) {
      const operator = operators[next - 1];
      if (operator === undefined) return left;
      const binding = precedence.get(operator.tokenType) as number;
      if (binding < level) return left;
      if (binding === comparisonLevel && left.kind === "Binary" && left === lastComparison) errors.chainedComparison(operator);
      // the right side of `^` may be another power or a minus sign: it groups to the right
      const right = climb(binding === powerLevel ? minusLevel : binding + 1, prefixesOfNext());
      const op = operator.tokenType.LABEL as BinaryOp;
      left = { kind: "Binary", op, left, right, span: { source, start: left.span.start, end: right.span.end } };
      if (binding === comparisonLevel) lastComparison = left;
    }
  };
  let lastComparison: Expr | null = null;

  const prefixed = (level: number, prefixes: readonly Lexeme[], before: Lexeme | undefined): Expr => {
    const [prefix, ...rest] = prefixes as [Lexeme, ...Lexeme[]];
    const op = prefix.tokenType === t.Not ? "not" : "-";
    if (op === "not" && level > notLevel && before !== undefined) errors.misplacedNot(prefix, before);
    const inner = op === "-" ? powerLevel : rest[0]?.tokenType === t.Not ? notLevel : comparisonLevel;
    const operand = climb(inner, rest, prefix);
    return { kind: "Unary", op, operand, span: { source, start: prefix.startOffset, end: operand.span.end } };
  };

  const leaf = (): Expr => {
    const { expr, per } = operands[next] as Operand;
    next += 1;
    if (per === null) return expr;
    if (isStage && operands.length === 1 && (expr.kind === "Reference" || expr.kind === "Member")) {
      const span = { source, start: expr.span.start, end: per.span.end };
      return { kind: "Call", callee: expr, arguments: [], per, parenthesised: false, span };
    }
    errors.perWithoutCall(per);
    return expr;
  };

  return climb(1, prefixesOfNext());
}
