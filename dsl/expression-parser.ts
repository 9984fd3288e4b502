import type { IToken, ParserMethod, TokenType } from "chevrotain";
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

/** The grammar of types and expressions; section 2 of `docs/language.md`, rule by rule. */
export abstract class ExpressionParser extends RecoveringParser {
  protected abstract block: ParserMethod<[owner?: string], ast.Block>;

  // ── types ─────────────────────────────────────────────────────────────────

  protected type: ParserMethod<[], ast.Type> = this.RULE("type", (): ast.Type => {
    const start = this.LA(1);
    const base = this.OR({
      ERR_MSG: "a type",
      DEF: [
        { GATE: () => this.nextIs(t.LSquare, 2) && dtypeOf.has(this.LA(1).tokenType), ALT: (): ast.Type => this.SUBRULE(this.tensorType) },
        { ALT: () => this.SUBRULE(this.listType) },
        { ALT: () => this.SUBRULE(this.enumType) },
        {
          ALT: (): ast.Type => ({
            kind: "NamedType",
            name: this.nameOf(this.CONSUME(t.Name)),
            optional: false,
            span: this.spanFrom(start),
          }),
        },
      ],
    });
    const optional = this.OPTION(() => this.CONSUME(t.Question)) !== undefined;
    return { ...base, optional, span: this.spanFrom(start) };
  });

  private tensorType = this.RULE("tensorType", (): ast.TensorType => {
    const start = this.OR([
      { ALT: () => this.CONSUME(t.F32Token) },
      { ALT: () => this.CONSUME(t.I32Token) },
      { ALT: () => this.CONSUME(t.BoolToken) },
      { ALT: () => this.CONSUME(t.IdToken) },
    ]);
    const open = this.CONSUME(t.LSquare) as Lexeme;
    const dims: ast.Dim[] = [];
    let more = true;
    this.MANY({
      GATE: () => more,
      DEF: () => {
        dims.push(this.SUBRULE(this.dim));
        const comma = this.OPTION(() => this.CONSUME(t.Comma));
        more = this.another(comma !== undefined, t.RSquare);
      },
    });
    this.expectClosing(t.RSquare, open, "`,` or `]` after a dim");
    this.CONSUME(t.RSquare);
    let of: ast.Expr | null = null;
    this.OPTION2({
      GATE: () => !this.peek().firstOnLine || !this.nextIs(t.Equals, 2),
      DEF: () => {
        this.CONSUME(t.OfToken);
        of = this.SUBRULE(this.expr);
      },
    });
    return { kind: "TensorType", dtype: dtypeOf.get(start.tokenType) ?? "f32", dims, of, optional: false, span: this.spanFrom(start) };
  });

  private listType = this.RULE("listType", (): ast.ListType => {
    const start = this.CONSUME(t.LSquare) as Lexeme;
    const element = this.SUBRULE(this.type);
    this.expectClosing(t.RSquare, start, "`]` after the type of the elements");
    this.CONSUME(t.RSquare);
    return { kind: "ListType", element, optional: false, span: this.spanFrom(start) };
  });

  private enumType = this.RULE("enumType", (): ast.EnumType => {
    const start = this.CONSUME(t.StringToken);
    const values = [this.string(start)];
    this.MANY(() => {
      this.CONSUME(t.Bar);
      values.push(this.string(this.CONSUME2(t.StringToken, { ERR_MSG: "another string after `|`" })));
    });
    return { kind: "EnumType", values, optional: false, span: this.spanFrom(start) };
  });

  private dim = this.RULE("dim", (): ast.Dim => {
    const start = this.LA(1);
    return this.OR({
      ERR_MSG: "a dim",
      DEF: [
        {
          ALT: (): ast.Dim => {
            this.CONSUME(t.DotDot);
            return { kind: "DimRest", span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): ast.Dim => {
            const value = this.SUBRULE(this.expr);
            const span = this.spanFrom(start);
            return value.kind === "Reference" && value.name === "_" ? { kind: "DimAny", span } : { kind: "DimExpr", value, span };
          },
        },
      ],
    });
  });

  protected per = this.RULE("per", (): ast.Per => {
    const start = this.CONSUME(t.PerToken);
    const unit = this.OR({
      ERR_MSG: "`task`, `group` or `model` after `per`",
      DEF: [{ ALT: () => this.CONSUME(t.TaskToken) }, { ALT: () => this.CONSUME(t.GroupToken) }, { ALT: () => this.CONSUME(t.ModelToken) }],
    });
    return { kind: "Per", unit: unit.image as ast.Per["unit"], span: this.spanFrom(start) };
  });

  // ── expressions ───────────────────────────────────────────────────────────

  protected expr: ParserMethod<[], ast.Expr> = this.RULE(
    "expr",
    (): ast.Expr =>
      this.nest(() =>
        this.OR({
          ERR_MSG: "an expression",
          IGNORE_AMBIGUITIES: true,
          DEF: [
            { GATE: () => this.atLambda(), ALT: (): ast.Expr => this.SUBRULE(this.lambda) },
            { ALT: () => this.SUBRULE(this.conditional) },
            { ALT: () => this.SUBRULE(this.operation) },
          ],
        }),
      ),
  );

  /** `( names ) =>`, or `->` or a bare name for it: decided by looking ahead to the closing parenthesis. */
  private atLambda(): boolean {
    if (this.nextIsName()) return this.nextIs(t.FatArrow, 2);
    if (!this.nextIs(t.LParen)) return false;
    let offset = 2;
    while (this.nextIsName(offset) || this.nextIs(t.Comma, offset)) offset += 1;
    return this.nextIs(t.RParen, offset) && (this.nextIs(t.FatArrow, offset + 1) || this.nextIs(t.Arrow, offset + 1));
  }

  private lambda = this.RULE("lambda", (): ast.Lambda => {
    const start = this.LA(1);
    const parameters = this.OR3([
      { ALT: () => this.SUBRULE(this.lambdaParameters) },
      {
        ALT: () => {
          const span = this.spanOf(this.CONSUME(t.Name));
          const edits = this.ACTION(() => [
            { span: { ...span, end: span.start }, text: "(" },
            { span: { ...span, start: span.end }, text: ")" },
          ]);
          const fixes = [{ title: "Put the parameter in parentheses", edits, safe: true }];
          this.report("syntax/lambda", span, { problem: "the parameters of a function stand in parentheses" }, { fixes });
          return [this.nameOf(this.LA(0))];
        },
      },
    ]);
    this.OR([
      { ALT: () => this.CONSUME(t.FatArrow) },
      {
        ALT: () => {
          const arrow = this.CONSUME(t.Arrow);
          const fixes = this.ACTION(() => [{ title: "Write `=>`", edits: [{ span: this.spanOf(arrow), text: "=>" }], safe: true }]);
          this.report("syntax/lambda", this.spanOf(arrow), { problem: "a function value is written with `=>`, not `->`" }, { fixes });
        },
      },
    ]);
    const body = this.OR2<ast.Expr | ast.Block>({
      IGNORE_AMBIGUITIES: true,
      ERR_MSG: "an expression or a block after `=>`",
      DEF: [
        { GATE: () => this.atBlock(), ALT: (): ast.Expr | ast.Block => this.SUBRULE(this.block, { ARGS: ["the function"] }) },
        { ALT: () => this.SUBRULE(this.expr) },
      ],
    });
    return { kind: "Lambda", parameters, body, span: this.spanFrom(start) };
  });

  private lambdaParameters = this.RULE("lambdaParameters", (): readonly ast.Name[] => {
    const parameters: ast.Name[] = [];
    this.CONSUME(t.LParen);
    let more = true;
    this.MANY({
      GATE: () => more,
      DEF: () => {
        parameters.push(this.nameOf(this.CONSUME(t.Name)));
        const comma = this.OPTION(() => this.CONSUME(t.Comma));
        more = this.another(comma !== undefined, t.RParen);
      },
    });
    this.CONSUME(t.RParen, { ERR_MSG: "`)` after the parameters of a function" });
    return parameters;
  });

  /** `{}` and `{ name: ...` are records, any other brace after `=>` opens a block. */
  private atBlock(): boolean {
    const field = this.nextIsName(2) && (this.nextIs(t.Colon, 3) || this.nextIs(t.Equals, 3));
    return this.nextIs(t.LCurly) && !this.nextIs(t.RCurly, 2) && !field;
  }

  private conditional = this.RULE("conditional", (): ast.Conditional => {
    const start = this.CONSUME(t.If);
    const condition = this.SUBRULE(this.expr);
    this.CONSUME(t.Then, { ERR_MSG: "`then` after the condition" });
    const then = this.SUBRULE2(this.expr);
    this.CONSUME(t.Else, { ERR_MSG: "`else`, for a conditional always has a value" });
    const otherwise = this.SUBRULE3(this.expr);
    return { kind: "Conditional", condition, then, otherwise, span: this.spanFrom(start) };
  });

  private operation = this.RULE("operation", (): ast.Expr => {
    const operands: Operand[] = [this.SUBRULE(this.operand)];
    const operators: Lexeme[] = [];
    let chain = 0;
    this.MANY(() => {
      const operator = this.CONSUME(t.BinaryOperator) as Lexeme;
      operators.push(operator);
      const isPipe = operator.tokenType === t.PipeOperator;
      chain = isPipe ? 0 : chain + 1;
      if (chain > chainLimit) this.tooDeep(operator);
      const operand = this.SUBRULE2(this.operand);
      const per = this.OPTION({ GATE: () => isPipe, DEF: () => this.SUBRULE(this.per) }) ?? null;
      operands.push(per === null ? operand : { ...operand, per });
    });
    return this.ACTION(() =>
      operators.length === 0 && operands[0]?.prefixes.length === 0
        ? (operands[0] as Operand).expr
        : buildOperation(this.source, operands, operators, this.operationErrors),
    );
  });

  private readonly operationErrors: OperationErrors = {
    misplacedNot: (not, operator) => this.report("syntax/not-an-operator", this.spanOf(not), { operator: operator.image }),
    chainedComparison: (operator) => this.report("syntax/comparison-chain", this.spanOf(operator), {}),
    notAStage: (stage) => this.report("syntax/pipe-stage", stage.span, { found: stageNames[stage.kind] }),
    perWithoutCall: (per) => this.report("syntax/per-place", per.span, { what: "a value that is no call" }),
  };

  private operand = this.RULE("operand", (): Operand => {
    const prefixes: Lexeme[] = [];
    this.MANY(() => {
      const prefix = this.OR([{ ALT: () => this.CONSUME(t.Minus) }, { ALT: () => this.CONSUME(t.Not) }]) as Lexeme;
      prefixes.push(prefix);
      if (prefixes.length > chainLimit) this.tooDeep(prefix);
    });
    return { prefixes, expr: this.SUBRULE(this.postfix), per: null };
  });

  private postfix = this.RULE("postfix", (): ast.Expr => {
    const start = this.LA(1);
    this.refuseNextPart();
    let expr = this.SUBRULE(this.primary);
    let chain = 0;
    this.MANY(() => {
      chain += 1;
      if (chain > chainLimit) this.tooDeep(this.LA(1));
      expr = this.OR([
        { ALT: (): ast.Expr => this.SUBRULE(this.member, { ARGS: [start, expr] }) },
        { ALT: () => this.SUBRULE(this.call, { ARGS: [start, expr] }) },
        { ALT: () => this.SUBRULE(this.subscript, { ARGS: [start, expr] }) },
      ]);
    });
    return expr;
  });

  private member = this.RULE("member", (start: IToken = this.LA(1), object: ast.Expr = this.missing()): ast.Member => {
    this.CONSUME(t.Dot);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `.`" }));
    return { kind: "Member", object, name, span: this.spanFrom(start) };
  });

  private call = this.RULE("call", (start: IToken = this.LA(1), callee: ast.Expr = this.missing()): ast.Call => {
    const open = this.CONSUME(t.LParen) as Lexeme;
    const args: ast.Argument[] = [];
    let more = true;
    this.MANY({
      GATE: () => more,
      DEF: () => {
        args.push(this.SUBRULE(this.argument));
        const comma = this.OPTION(() => this.CONSUME(t.Comma));
        more = this.another(comma !== undefined, t.RParen);
      },
    });
    this.expectClosing(t.RParen, open, "`,` or `)` after an argument");
    this.CONSUME(t.RParen);
    const per = this.OPTION2(() => this.SUBRULE(this.per)) ?? null;
    return { kind: "Call", callee, arguments: args, per, parenthesised: true, span: this.spanFrom(start) };
  });

  private argument = this.RULE("argument", (): ast.Argument => {
    const start = this.LA(1);
    let name: ast.Name | null = null;
    this.OPTION({
      GATE: () => this.nextIs(t.Colon, 2) || this.nextIs(t.Equals, 2),
      DEF: () => {
        const named = this.nameOf(this.CONSUME(t.Name));
        name = named;
        this.colon(
          "a named argument",
          named,
          "`:`",
          () => this.CONSUME(t.Colon),
          () => this.CONSUME(t.Equals),
        );
      },
    });
    const value = this.SUBRULE(this.expr);
    return { kind: "Argument", name, value, span: this.spanFrom(start) };
  });

  private subscript = this.RULE("subscript", (start: IToken = this.LA(1), object: ast.Expr = this.missing()): ast.Subscript => {
    const open = this.CONSUME(t.LSquare) as Lexeme;
    const indices: ast.Index[] = [];
    let more = true;
    this.AT_LEAST_ONE({
      GATE: () => more,
      ERR_MSG: "an index",
      DEF: () => {
        indices.push(this.SUBRULE(this.index));
        const comma = this.OPTION(() => this.CONSUME(t.Comma));
        more = this.another(comma !== undefined, t.RSquare);
      },
    });
    this.expectClosing(t.RSquare, open, "`,` or `]` after an index");
    this.CONSUME(t.RSquare);
    return { kind: "Subscript", object, indices, span: this.spanFrom(start) };
  });

  private index = this.RULE("index", (): ast.Index => {
    const start = this.LA(1);
    return this.OR({
      ERR_MSG: "an index",
      DEF: [
        {
          ALT: (): ast.Index => {
            this.CONSUME(t.DotDot);
            return { kind: "IndexRest", span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): ast.Index => {
            this.CONSUME(t.Colon);
            const stop = this.OPTION(() => this.SUBRULE(this.expr)) ?? null;
            return { kind: "IndexSlice", start: null, stop, span: this.spanFrom(start) };
          },
        },
        { ALT: () => this.SUBRULE(this.indexFrom) },
      ],
    });
  });

  private indexFrom = this.RULE("indexFrom", (): ast.Index => {
    const start = this.LA(1);
    const first = this.SUBRULE(this.expr);
    let end: "range" | "slice" | null = null;
    let to: ast.Expr | null = null;
    this.OPTION(() => {
      this.OR([
        {
          ALT: () => {
            this.CONSUME(t.DotDot);
            end = "range";
            to = this.SUBRULE2(this.expr);
          },
        },
        {
          ALT: () => {
            this.CONSUME(t.Colon);
            end = "slice";
            this.OPTION2(() => {
              to = this.SUBRULE3(this.expr);
            });
          },
        },
      ]);
    });
    const span = this.spanFrom(start);
    if (end === "range" && to !== null) return { kind: "IndexRange", from: first, to, span };
    if (end === "slice") return { kind: "IndexSlice", start: first, stop: to, span };
    return { kind: "IndexExpr", value: first, span };
  });

  // ── primaries ─────────────────────────────────────────────────────────────

  private primary = this.RULE(
    "primary",
    (): ast.Expr =>
      this.OR({
        ERR_MSG: "an expression",
        DEF: [
          { ALT: (): ast.Expr => this.number(this.CONSUME(t.NumberToken)) },
          { ALT: () => this.string(this.CONSUME(t.StringToken)) },
          { ALT: (): ast.Expr => ({ kind: "BooleanLiteral", value: true, span: this.spanOf(this.CONSUME(t.True)) }) },
          { ALT: (): ast.Expr => ({ kind: "BooleanLiteral", value: false, span: this.spanOf(this.CONSUME(t.False)) }) },
          { ALT: (): ast.Expr => ({ kind: "NoneLiteral", span: this.spanOf(this.CONSUME(t.None)) }) },
          { ALT: () => this.reference(this.CONSUME(t.Name)) },
          { ALT: () => this.SUBRULE(this.paren) },
          { ALT: () => this.SUBRULE(this.list) },
          { ALT: () => this.SUBRULE(this.record) },
        ],
      }),
  );

  private number(token: IToken): ast.NumberLiteral {
    const value = Number(token.image);
    return { kind: "NumberLiteral", value: Number.isFinite(value) ? value : 0, text: token.image, span: this.spanOf(token) };
  }

  protected string(token: IToken): ast.StringLiteral {
    return { kind: "StringLiteral", value: unescapeString(token.image), span: this.spanOf(token) };
  }

  private reference(token: IToken): ast.Reference {
    const span = this.spanOf(token);
    const meant = foreignLiterals.get(token.image);
    if (meant !== undefined) {
      const fixes = [{ title: `Replace by \`${meant}\``, edits: [{ span, text: meant }], safe: true }];
      this.report("syntax/literal", span, { found: token.image, meant }, { fixes });
    }
    return { kind: "Reference", name: token.image, span };
  }

  private paren = this.RULE("paren", (): ast.Paren => {
    const start = this.CONSUME(t.LParen) as Lexeme;
    const inner = this.SUBRULE(this.expr);
    this.expectClosing(t.RParen, start, "`)`");
    this.CONSUME(t.RParen);
    return { kind: "Paren", inner, span: this.spanFrom(start) };
  });

  private list = this.RULE("list", (): ast.ListLiteral | ast.Comprehension => {
    const start = this.CONSUME(t.LSquare) as Lexeme;
    const items: ast.Expr[] = [];
    const clauses: ast.Clause[] = [];
    let more = true;
    this.MANY({
      GATE: () => more,
      DEF: () => {
        items.push(this.SUBRULE(this.expr));
        this.MANY2(() => clauses.push(this.SUBRULE(this.clause)));
        const comma = this.OPTION(() => this.CONSUME(t.Comma));
        more = this.another(comma !== undefined, t.RSquare);
        if (comma !== undefined && clauses.length > 0) this.report("syntax/comprehension", this.spanOf(comma), {});
      },
    });
    this.expectClosing(t.RSquare, start, "`,` or `]` after an element");
    this.CONSUME(t.RSquare);
    const span = this.spanFrom(start);
    if (clauses.length === 0) return { kind: "ListLiteral", items, span };
    return { kind: "Comprehension", value: items[0] as ast.Expr, clauses, span };
  });

  private clause = this.RULE("clause", (): ast.Clause => {
    const start = this.CONSUME(t.For);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `for`" }));
    let index: ast.Name | null = null;
    this.OPTION(() => {
      this.CONSUME(t.Comma);
      index = this.nameOf(this.CONSUME2(t.Name, { ERR_MSG: "a name for the position" }));
    });
    this.CONSUME(t.In, { ERR_MSG: "`in` and what to go through" });
    const over = this.SUBRULE(this.operation);
    let condition: ast.Expr | null = null;
    this.OPTION2(() => {
      this.CONSUME(t.If);
      condition = this.SUBRULE2(this.operation);
    });
    return { kind: "Clause", name, index, over, condition, span: this.spanFrom(start) };
  });

  protected record = this.RULE("record", (): ast.RecordLiteral => {
    const start = this.CONSUME(t.LCurly, { ERR_MSG: "`{`" }) as Lexeme;
    const fields: ast.Field[] = [];
    let more = true;
    this.MANY({
      GATE: () => more,
      DEF: () => {
        fields.push(this.SUBRULE(this.field));
        const comma = this.OPTION(() => this.CONSUME(t.Comma));
        more = this.another(comma !== undefined, t.RCurly);
      },
    });
    this.expectClosing(t.RCurly, start, "`,` or `}` after a field");
    this.CONSUME(t.RCurly);
    return { kind: "RecordLiteral", fields, span: this.spanFrom(start) };
  });

  private field = this.RULE("field", (): ast.Field => {
    const start = this.CONSUME(t.Name, { ERR_MSG: "the name of a field" });
    const name = this.nameOf(start);
    this.colon(
      "a field",
      name,
      "`:` after the name of a field",
      () => this.CONSUME(t.Colon),
      () => this.CONSUME(t.Equals),
    );
    const value = this.SUBRULE(this.expr);
    return { kind: "Field", name, value, span: this.spanFrom(start) };
  });

  /** `:`, or `=` written for it. The tokens are consumed by the caller's rule. */
  protected colon(what: string, name: ast.Name, expected: string, colon: () => IToken, equals: () => IToken): void {
    this.OR9({
      ERR_MSG: expected,
      DEF: [
        {
          ALT: () => {
            colon();
          },
        },
        {
          ALT: () => {
            equals();
            this.acceptEquals(what, name);
          },
        },
      ],
    });
  }
}

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
