import type { ParserMethod, TokenType } from "chevrotain";
import type * as ast from "./ast.ts";
import { type Lexeme, unescapeString } from "./lexer.ts";
import { buildOperation, type Operand, type OperationErrors } from "./operators.ts";
import { RecoveringParser } from "./recovering-parser.ts";
import * as t from "./tokens.ts";

/** Longest run of operators, prefixes, or calls and members after a primary: what else would nest without brackets. */
const chainLimit = 256;

const dtypeOf: ReadonlyMap<TokenType, ast.TensorType["dtype"]> = new Map([
  [t.F32Token, "f32"],
  [t.I32Token, "i32"],
  [t.BoolToken, "bool"],
  [t.IdToken, "id"],
]);

const foreignLiterals: ReadonlyMap<string, string> = new Map([
  ...["None", "null", "nil", "undefined"].map((word) => [word, "none"] as const),
  ["True", "true"],
  ["False", "false"],
]);

/**
 * Types and expressions; section 2 of `docs/language.md`, rule by rule. Written as plain methods: of these rules Chevrotain only sees the first
 * tokens, because its calls take some fifty stack frames for each level of brackets, and 200 levels must fit.
 */
export abstract class ExpressionParser extends RecoveringParser {
  protected abstract block: ParserMethod<[owner?: string], ast.Block>;

  protected expr = this.RULE("expr", (): ast.Expr => {
    if (this.RECORDING_PHASE)
      this.recordFirst([
        t.Name,
        t.NumberToken,
        t.StringToken,
        t.True,
        t.False,
        t.None,
        t.LParen,
        t.LSquare,
        t.LCurly,
        t.If,
        t.Minus,
        t.Not,
      ]);
    return this.RECORDING_PHASE ? this.missing() : this.expression();
  });

  protected type = this.RULE("type", (): ast.Type => {
    if (this.RECORDING_PHASE) this.recordFirst([t.Name, t.LSquare, t.StringToken]);
    return this.RECORDING_PHASE ? notParsed : this.typeExpression();
  });

  protected record = this.RULE("record", (): ast.RecordLiteral => {
    if (this.RECORDING_PHASE) this.recordFirst([t.LCurly]);
    return this.RECORDING_PHASE ? notParsed : this.recordLiteral();
  });

  protected slices = this.RULE("slices", (): readonly ast.Slice[] => {
    if (this.RECORDING_PHASE) this.recordFirst([t.LCurly]);
    return this.RECORDING_PHASE ? [] : this.sliceList();
  });

  protected per = this.RULE("per", (): ast.Per => {
    if (this.RECORDING_PHASE) this.recordFirst([t.PerToken]);
    return this.RECORDING_PHASE ? notParsed : this.perUnit();
  });

  private recordFirst(types: readonly TokenType[]): void {
    this.OR(types.map((type, i) => ({ ALT: () => this.consume(i, type) })));
  }

  // ── types ─────────────────────────────────────────────────────────────────

  protected typeExpression(): ast.Type {
    const start = this.peek();
    const base = this.baseType(start);
    return this.accept(t.Question) === null ? base : { ...base, optional: true, span: this.spanFrom(start) };
  }

  private baseType(start: Lexeme): ast.Type {
    const dtype = dtypeOf.get(start.tokenType);
    if (dtype !== undefined && this.nextIs(t.LSquare, 2)) return this.tensorType(dtype);
    if (this.accept(t.LSquare) !== null) {
      const element = this.typeExpression();
      this.close(t.RSquare, start, "`]` after the type of the elements");
      return { kind: "ListType", element, optional: false, span: this.spanFrom(start) };
    }
    if (this.nextIs(t.StringToken)) {
      const values = [this.string("a string")];
      while (this.accept(t.Bar) !== null) values.push(this.string("another string after `|`"));
      return { kind: "EnumType", values, optional: false, span: this.spanFrom(start) };
    }
    return { kind: "NamedType", name: this.name("a type"), optional: false, span: this.spanFrom(start) };
  }

  private tensorType(dtype: ast.TensorType["dtype"]): ast.TensorType {
    const start = this.advance();
    const open = this.advance();
    const dims = this.list(t.RSquare, () => this.dim());
    this.close(t.RSquare, open, "`,` or `]` after a dim");
    const of = this.accept(t.OfToken) === null ? null : this.expression();
    return { kind: "TensorType", dtype, dims, of, optional: false, span: this.spanFrom(start) };
  }

  private dim(): ast.Dim {
    const start = this.peek();
    if (this.accept(t.DotDot) !== null) return { kind: "DimRest", span: this.spanFrom(start) };
    const value = this.expression();
    const span = this.spanFrom(start);
    return value.kind === "Reference" && value.name === "_" ? { kind: "DimAny", span } : { kind: "DimExpr", value, span };
  }

  private perUnit(): ast.Per {
    const start = this.advance();
    const unit = this.peek().image;
    if (unit !== "task" && unit !== "group" && unit !== "model") this.failExpecting("`task`, `group` or `model` after `per`");
    this.advance();
    return { kind: "Per", unit, span: this.spanFrom(start) };
  }

  // ── expressions ───────────────────────────────────────────────────────────

  protected expression(): ast.Expr {
    this.enter();
    const first = this.peek().tokenType;
    const expr = this.atLambda(first) ? this.lambda() : first === t.If ? this.conditional() : this.operation();
    this.leave();
    return expr;
  }

  /** `( names ) =>`, or `->` or a bare name for it: decided by looking ahead to the closing parenthesis. */
  private atLambda(first: TokenType): boolean {
    if (this.nextIs(t.FatArrow, 2)) return t.isName(first);
    if (first !== t.LParen) return false;
    let offset = 2;
    while (this.nextIsName(offset) || this.nextIs(t.Comma, offset)) offset += 1;
    return this.nextIs(t.RParen, offset) && (this.nextIs(t.FatArrow, offset + 1) || this.nextIs(t.Arrow, offset + 1));
  }

  private lambda(): ast.Lambda {
    const start = this.peek();
    const parameters = this.nextIs(t.LParen) ? this.lambdaParameters() : [this.bareParameter()];
    const arrow = this.advance();
    if (arrow.tokenType === t.Arrow) {
      const fixes = [{ title: "Write `=>`", edits: [{ span: this.spanOf(arrow), text: "=>" }], safe: true }];
      this.report("syntax/lambda", this.spanOf(arrow), { problem: "a function value is written with `=>`, not `->`" }, { fixes });
    }
    const body = this.atBlock() ? this.SUBRULE(this.block, { ARGS: ["the function"] }) : this.expression();
    return { kind: "Lambda", parameters, body, span: this.spanFrom(start) };
  }

  private lambdaParameters(): readonly ast.Name[] {
    const open = this.advance();
    const parameters = this.list(t.RParen, () => this.name("the name of a parameter"));
    this.close(t.RParen, open, "`)` after the parameters of a function");
    return parameters;
  }

  /** `x => ...`, read as `(x) => ...`. */
  private bareParameter(): ast.Name {
    const name = this.name("the name of a parameter");
    const { span } = name;
    const edits = [
      { span: { ...span, end: span.start }, text: "(" },
      { span: { ...span, start: span.end }, text: ")" },
    ];
    const fixes = [{ title: "Put the parameter in parentheses", edits, safe: true }];
    this.report("syntax/lambda", span, { problem: "the parameters of a function stand in parentheses" }, { fixes });
    return name;
  }

  /** `{}` and `{ name: ...` are records, any other brace after `=>` opens a block. */
  private atBlock(): boolean {
    const field = this.nextIsName(2) && (this.nextIs(t.Colon, 3) || this.nextIs(t.Equals, 3));
    return this.nextIs(t.LCurly) && !this.nextIs(t.RCurly, 2) && !field;
  }

  private conditional(): ast.Conditional {
    const start = this.advance();
    const condition = this.expression();
    this.take(t.Then, "`then` after the condition");
    const then = this.expression();
    this.take(t.Else, "`else`, for a conditional always has a value");
    const otherwise = this.expression();
    return { kind: "Conditional", condition, then, otherwise, span: this.spanFrom(start) };
  }

  private operation(): ast.Expr {
    const start = this.peek().tokenType;
    const only = start === t.Minus || start === t.Not ? null : this.postfix();
    if (only !== null && !t.isBinaryOperator(this.peek().tokenType)) return only;
    const first = only === null ? this.operand() : { prefixes: [], expr: only, per: null };
    const operands: Operand[] = [first];
    const operators: Lexeme[] = [];
    let chain = 0;
    while (t.isBinaryOperator(this.peek().tokenType)) {
      const operator = this.advance();
      const isPipe = operator.tokenType === t.PipeOperator;
      chain = isPipe ? 0 : chain + 1;
      if (chain > chainLimit) this.tooDeep(operator);
      operators.push(operator);
      const operand = this.operand();
      operands.push(isPipe && this.nextIs(t.PerToken) ? { ...operand, per: this.perUnit() } : operand);
    }
    return buildOperation(this.source, operands, operators, this.operationErrors);
  }

  private readonly operationErrors: OperationErrors = {
    misplacedNot: (not, operator) => this.report("syntax/not-an-operator", this.spanOf(not), { operator: operator.image }),
    chainedComparison: (operator) => this.report("syntax/comparison-chain", this.spanOf(operator), {}),
    notAStage: (stage) => this.report("syntax/pipe-stage", stage.span, { found: stageNames[stage.kind] }),
    perWithoutCall: (per) => this.report("syntax/per-place", per.span, { what: "a value that is no call" }),
  };

  private operand(): Operand {
    const prefixes: Lexeme[] = [];
    for (let next = this.peek().tokenType; next === t.Minus || next === t.Not; next = this.peek().tokenType) {
      prefixes.push(this.advance());
      if (prefixes.length > chainLimit) this.tooDeep(this.peek(0));
    }
    return { prefixes, expr: this.postfix(), per: null };
  }

  private postfix(): ast.Expr {
    const start = this.peek();
    if (start.firstOnLine) this.refuseNextPart(start);
    let expr = this.primary(start);
    for (let chain = 0; ; chain += 1) {
      const next = this.peek();
      if (chain > chainLimit) this.tooDeep(next);
      if (next.tokenType === t.Dot) expr = this.member(start, expr);
      else if (next.tokenType === t.LParen) expr = this.call(start, expr);
      else if (next.tokenType === t.LSquare) expr = this.subscript(start, expr);
      else return expr;
    }
  }

  private member(start: Lexeme, object: ast.Expr): ast.Member {
    this.advance();
    const name = this.name("a name after `.`");
    return { kind: "Member", object, name, span: this.spanFrom(start) };
  }

  private call(start: Lexeme, callee: ast.Expr): ast.Call {
    const open = this.advance();
    const args = this.list(t.RParen, () => this.argument());
    this.close(t.RParen, open, "`,` or `)` after an argument");
    const per = this.nextIs(t.PerToken) ? this.perUnit() : null;
    return { kind: "Call", callee, arguments: args, per, parenthesised: true, span: this.spanFrom(start) };
  }

  private argument(): ast.Argument {
    const start = this.peek();
    const named = this.nextIsName() && (this.nextIs(t.Colon, 2) || this.nextIs(t.Equals, 2));
    const name = named ? this.name("a name") : null;
    if (name !== null) this.colon("a named argument", name, "`:`");
    const value = this.expression();
    return { kind: "Argument", name, value, span: this.spanFrom(start) };
  }

  private subscript(start: Lexeme, object: ast.Expr): ast.Subscript {
    const open = this.advance();
    if (this.nextIs(t.RSquare)) this.failExpecting("an index");
    const indices = this.list(t.RSquare, () => this.index());
    this.close(t.RSquare, open, "`,` or `]` after an index");
    return { kind: "Subscript", object, indices, span: this.spanFrom(start) };
  }

  private index(): ast.Index {
    const token = this.peek();
    if (this.accept(t.DotDot) !== null) return { kind: "IndexRest", span: this.spanFrom(token) };
    const first = this.nextIs(t.Colon) ? null : this.expression();
    if (this.accept(t.Colon) !== null) {
      const stop = this.nextIs(t.Comma) || this.nextIs(t.RSquare) ? null : this.expression();
      return { kind: "IndexSlice", start: first, stop, span: this.spanFrom(token) };
    }
    const value = first ?? this.missing();
    if (this.accept(t.DotDot) === null) return { kind: "IndexExpr", value, span: this.spanFrom(token) };
    const to = this.expression();
    return { kind: "IndexRange", from: value, to, span: this.spanFrom(token) };
  }

  // ── primaries ─────────────────────────────────────────────────────────────

  private primary(start: Lexeme): ast.Expr {
    if (t.isName(start.tokenType)) return this.reference();
    switch (start.tokenType) {
      case t.NumberToken:
        return this.number();
      case t.StringToken:
        return this.string("a string");
      case t.True:
      case t.False:
        return { kind: "BooleanLiteral", value: start.tokenType === t.True, span: this.spanOf(this.advance()) };
      case t.None:
        return { kind: "NoneLiteral", span: this.spanOf(this.advance()) };
      case t.LParen:
        return this.paren();
      case t.LSquare:
        return this.listLiteral();
      case t.LCurly:
        return this.recordLiteral();
      default:
        return this.reference();
    }
  }

  private number(): ast.NumberLiteral {
    const token = this.advance();
    const value = Number(token.image);
    // what is no number or out of range has been reported by the lexer
    return { kind: "NumberLiteral", value: Number.isFinite(value) ? value : 0, text: token.image, span: this.spanOf(token) };
  }

  protected string(expected: string): ast.StringLiteral {
    const token = this.take(t.StringToken, expected);
    return { kind: "StringLiteral", value: unescapeString(token.image), span: this.spanOf(token) };
  }

  private reference(): ast.Reference {
    const { text, span } = this.name("an expression");
    const meant = foreignLiterals.get(text);
    if (meant !== undefined) {
      const fixes = [{ title: `Replace by \`${meant}\``, edits: [{ span, text: meant }], safe: true }];
      this.report("syntax/literal", span, { found: text, meant }, { fixes });
    }
    return { kind: "Reference", name: text, span };
  }

  private paren(): ast.Paren {
    const open = this.advance();
    const inner = this.expression();
    this.close(t.RParen, open, "`)`");
    return { kind: "Paren", inner, span: this.spanFrom(open) };
  }

  private listLiteral(): ast.ListLiteral | ast.Comprehension {
    const open = this.advance();
    const clauses: ast.Clause[] = [];
    const items = this.list(t.RSquare, () => {
      const item = this.expression();
      const before = clauses.length;
      while (this.nextIs(t.For)) clauses.push(this.clause());
      if (clauses.length > before && this.nextIs(t.Comma)) this.report("syntax/comprehension", this.spanOf(this.peek()), {});
      return item;
    });
    this.close(t.RSquare, open, "`,` or `]` after an element");
    const span = this.spanFrom(open);
    const [value] = items;
    if (clauses.length === 0 || value === undefined) return { kind: "ListLiteral", items, span };
    return { kind: "Comprehension", value, clauses, span };
  }

  private clause(): ast.Clause {
    const start = this.advance();
    const name = this.name("a name after `for`");
    const index = this.accept(t.Comma) === null ? null : this.name("a name for the position");
    this.take(t.In, "`in` and what to go through");
    const over = this.operation();
    const condition = this.accept(t.If) === null ? null : this.operation();
    return { kind: "Clause", name, index, over, condition, span: this.spanFrom(start) };
  }

  private recordLiteral(): ast.RecordLiteral {
    const open = this.take(t.LCurly, "`{`");
    const fields = this.list(t.RCurly, () => {
      const name = this.name("the name of a field");
      this.colon("a field", name, "`:` after the name of a field");
      const value = this.expression();
      return { kind: "Field" as const, name, value, span: { ...name.span, end: value.span.end } };
    });
    this.close(t.RCurly, open, "`,` or `}` after a field");
    return { kind: "RecordLiteral", fields, span: this.spanFrom(open) };
  }

  private sliceList(): readonly ast.Slice[] {
    const open = this.advance();
    const slices = this.list(t.RCurly, () => this.slice());
    this.close(t.RCurly, open, "`,` or `}` after a slice");
    return slices;
  }

  private slice(): ast.Slice {
    const start = this.peek();
    const name = this.name("the name of a slice");
    this.colon("a slice", name, "`:` and the width of the slice");
    const width = this.expression();
    const slices = this.nextIs(t.LCurly) ? this.sliceList() : [];
    return { kind: "Slice", doc: this.docAt(start), name, width, slices, column: false, span: this.spanFrom(start) };
  }
}

/** What rules give while Chevrotain records the grammar, where nothing looks at it. */
const notParsed = {} as never;

const stageNames: { readonly [K in ast.Expr["kind"]]: string } = {
  NumberLiteral: "a number",
  StringLiteral: "a string",
  BooleanLiteral: "a boolean",
  NoneLiteral: "`none`",
  Reference: "a name",
  ListLiteral: "a list",
  Comprehension: "a comprehension",
  RecordLiteral: "a record",
  Member: "a member",
  Call: "a call",
  Subscript: "an element",
  Unary: "an operation",
  Binary: "an operation",
  Pipe: "a pipe",
  Conditional: "a conditional",
  Lambda: "a function",
  Paren: "an expression in parentheses",
};
