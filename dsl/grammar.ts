import { EmbeddedActionsParser, type IToken, type ParserMethod, type TokenType, tokenMatcher } from "chevrotain";
import type * as ast from "./ast.ts";
import { AnyName, Identifier, Mark, NumberToken, StringToken, tokenTypes, Word } from "./words.ts";
import type { Source, Span } from "./source.ts";
import { syntaxErrors } from "./syntax-errors.ts";

type Rule<T> = ParserMethod<[], T>;

/** What a node is before its kind and span are added. */
type Fields<K extends ast.Node["kind"]> = Omit<Extract<ast.Node, { kind: K }>, "kind" | "span">;

const roles = ["module", "expert", "gate", "tower", "loss"] as const;
const noDoc = null;

/**
 * The grammar of docs/language.md as a Chevrotain parser with embedded actions. Rules of statements and items recover by skipping to the next one;
 * expressions never recover on their own, so that one slip is one finding.
 */
export class PleParser extends EmbeddedActionsParser {
  source!: Source;
  /** The doc comment in front of a token, by the token's offset. */
  docs: ReadonlyMap<number, string> = new Map();

  constructor() {
    super(tokenTypes, { recoveryEnabled: true, maxLookahead: 3, skipValidations: true, errorMessageProvider: syntaxErrors });
    this.performSelfAnalysis();
  }

  // ── nodes ─────────────────────────────────────────────────────────────────

  /** A node from `first` to the last token read; null `first` for an empty one. */
  #node<K extends ast.Node["kind"]>(kind: K, first: IToken | ast.Node, fields: Fields<K>): Extract<ast.Node, { kind: K }> {
    if (this.RECORDING_PHASE) return { kind, span: nowhere, ...fields } as unknown as Extract<ast.Node, { kind: K }>;
    const start = "span" in first ? first.span.start : offsetOf(first);
    const last = this.LA(0);
    const end = Number.isFinite(last.startOffset) ? last.startOffset + last.image.length : start;
    return { kind, span: { source: this.source, start, end: Math.max(start, end) }, ...fields } as unknown as Extract<ast.Node, { kind: K }>;
  }

  #docOf(token: IToken): string | null {
    return this.docs.get(token.startOffset) ?? noDoc;
  }

  #is(token: IToken, type: TokenType): boolean {
    return tokenMatcher(token, type);
  }

  #next(type: TokenType): boolean {
    return this.#is(this.LA(1), type);
  }

  // ── shared rules ──────────────────────────────────────────────────────────

  readonly name: Rule<ast.Name> = this.RULE(
    "name",
    () => {
      const token = this.CONSUME(AnyName);
      return this.#node("Name", token, { text: token.image });
    },
    { resyncEnabled: false },
  );

  readonly string: Rule<ast.StringLiteral> = this.RULE(
    "string",
    () => {
      const token = this.CONSUME(StringToken);
      return this.#node("StringLiteral", token, { value: this.RECORDING_PHASE ? "" : unescape(token.image) });
    },
    { resyncEnabled: false },
  );

  readonly record: Rule<ast.RecordLiteral> = this.RULE(
    "record",
    () => {
      const open = this.CONSUME(Mark.OpenBrace);
      const fields: ast.Field[] = [];
      this.MANY({
        GATE: () => !this.#next(Mark.CloseBrace),
        DEF: () => {
          const name = this.SUBRULE(this.name);
          this.CONSUME(Mark.Colon);
          const value = this.SUBRULE(this.expr);
          this.ACTION(() => fields.push(this.#node("Field", name, { name, value })));
          this.#comma(Mark.CloseBrace);
        },
      });
      this.CONSUME(Mark.CloseBrace);
      return this.#node("RecordLiteral", open, { fields });
    },
    { resyncEnabled: false },
  );

  /** A comma, which may be left out only before the closing mark. */
  #comma(close: TokenType): void {
    this.OPTION9({ GATE: () => !this.#next(close), DEF: () => this.CONSUME9(Mark.Comma) });
  }

  readonly per: Rule<ast.Per> = this.RULE(
    "per",
    () => {
      const first = this.CONSUME(Word.per);
      const unit = this.OR([{ ALT: () => this.CONSUME(Word.task) }, { ALT: () => this.CONSUME(Word.group) }, { ALT: () => this.CONSUME(Word.model) }]);
      return this.#node("Per", first, { unit: unit.image as ast.Per["unit"] });
    },
    { resyncEnabled: false },
  );

  // ── types ─────────────────────────────────────────────────────────────────

  readonly type: Rule<ast.Type> = this.RULE(
    "type",
    () => {
      const first = this.LA(1);
      const made = this.OR([
        { GATE: () => this.#is(this.LA(2), Mark.OpenBracket), ALT: () => this.SUBRULE(this.tensorType) },
        { ALT: () => this.SUBRULE(this.listType) },
        { ALT: () => this.SUBRULE(this.enumType) },
        { ALT: () => ({ kind: "NamedType" as const, name: this.SUBRULE(this.name) }) },
      ]);
      let optional = false;
      this.OPTION(() => {
        this.CONSUME(Mark.Question);
        optional = true;
      });
      const { kind, ...fields } = made as { kind: ast.Type["kind"] };
      return this.#node(kind, first, { ...fields, optional } as never) as ast.Type;
    },
    { resyncEnabled: false },
  );

  readonly tensorType: Rule<object> = this.RULE(
    "tensorType",
    () => {
      const dtype = this.OR([
        { ALT: () => this.CONSUME(Word.f32) },
        { ALT: () => this.CONSUME(Word.i32) },
        { ALT: () => this.CONSUME(Word.bool) },
        { ALT: () => this.CONSUME(Word.id) },
      ]);
      this.CONSUME(Mark.OpenBracket);
      const dims: ast.Dim[] = [];
      this.MANY_SEP({ SEP: Mark.Comma, DEF: () => dims.push(this.SUBRULE(this.dim)) });
      this.CONSUME(Mark.CloseBracket);
      let of: ast.Expr | null = null;
      this.OPTION(() => {
        this.CONSUME(Word.of);
        of = this.SUBRULE(this.expr);
      });
      return { kind: "TensorType", dtype: dtype.image, dims, of };
    },
    { resyncEnabled: false },
  );

  readonly dim: Rule<ast.Dim> = this.RULE(
    "dim",
    () =>
      this.OR<ast.Dim>([
        { ALT: () => this.#node("DimRest", this.CONSUME(Mark.Dots), {}) },
        { GATE: () => this.LA(1).image === "_", ALT: () => this.#node("DimAny", this.CONSUME(Identifier), {}) },
        {
          ALT: () => {
            const value = this.SUBRULE(this.expr);
            return this.RECORDING_PHASE ? (undefined as never) : this.#node("DimExpr", value, { value });
          },
        },
      ]),
    { resyncEnabled: false },
  );

  readonly listType: Rule<object> = this.RULE(
    "listType",
    () => {
      this.CONSUME(Mark.OpenBracket);
      const element = this.SUBRULE(this.type);
      this.CONSUME(Mark.CloseBracket);
      return { kind: "ListType", element };
    },
    { resyncEnabled: false },
  );

  readonly enumType: Rule<object> = this.RULE(
    "enumType",
    () => {
      const values: ast.StringLiteral[] = [];
      this.AT_LEAST_ONE_SEP({ SEP: Mark.Bar, DEF: () => values.push(this.SUBRULE(this.string)) });
      return { kind: "EnumType", values };
    },
    { resyncEnabled: false },
  );

  // ── expressions ───────────────────────────────────────────────────────────

  readonly expr: Rule<ast.Expr> = this.RULE(
    "expr",
    (): ast.Expr =>
      this.OR<ast.Expr>([
        { GATE: () => this.#lambdaAhead(), ALT: () => this.SUBRULE(this.lambda) },
        { ALT: () => this.SUBRULE(this.conditional) },
        { ALT: () => this.SUBRULE(this.pipe) },
      ]),
    { resyncEnabled: false },
  );

  /** True at `(a, b) =>`. */
  #lambdaAhead(): boolean {
    if (!this.#next(Mark.OpenParen)) return false;
    let i = 2;
    while (this.#is(this.LA(i), AnyName) || this.#is(this.LA(i), Mark.Comma)) i++;
    return this.#is(this.LA(i), Mark.CloseParen) && this.#is(this.LA(i + 1), Mark.FatArrow);
  }

  readonly lambda: Rule<ast.Lambda> = this.RULE(
    "lambda",
    () => {
      const open = this.CONSUME(Mark.OpenParen);
      const parameters: ast.Name[] = [];
      this.MANY_SEP({ SEP: Mark.Comma, DEF: () => parameters.push(this.SUBRULE(this.name)) });
      this.CONSUME(Mark.CloseParen);
      this.CONSUME(Mark.FatArrow);
      const body = this.OR<ast.Expr | ast.Block>([{ ALT: () => this.SUBRULE(this.block) }, { ALT: () => this.SUBRULE(this.expr) }]);
      return this.#node("Lambda", open, { parameters, body });
    },
    { resyncEnabled: false },
  );

  readonly conditional: Rule<ast.Conditional> = this.RULE(
    "conditional",
    () => {
      const first = this.CONSUME(Word.if);
      const condition = this.SUBRULE(this.expr);
      this.CONSUME(Word.then);
      const then = this.SUBRULE1(this.expr);
      this.CONSUME(Word.else);
      const otherwise = this.SUBRULE2(this.expr);
      return this.#node("Conditional", first, { condition, then, otherwise });
    },
    { resyncEnabled: false },
  );

  readonly pipe: Rule<ast.Expr> = this.RULE(
    "pipe",
    () => {
      const left = this.SUBRULE(this.disjunction);
      const stages: ast.Call[] = [];
      this.MANY(() => {
        this.CONSUME(Mark.PipeTo);
        const stage = this.SUBRULE1(this.disjunction);
        let per: ast.Per | null = null;
        this.OPTION(() => {
          per = this.SUBRULE(this.per);
        });
        this.ACTION(() => stages.push(this.#stage(stage, per)));
      });
      return stages.length === 0 ? left : this.#node("Pipe", left, { left, stages });
    },
    { resyncEnabled: false },
  );

  /** A pipe stage as a call; a bare name is a call without arguments. */
  #stage(stage: ast.Expr, per: ast.Per | null): ast.Call {
    if (stage.kind === "Call" && per === null) return stage;
    return this.#node("Call", stage, { callee: stage, arguments: [], per, parenthesised: false });
  }

  /** A left-associative level of binary operators. */
  #binary(operand: Rule<ast.Expr>, operator: () => IToken): ast.Expr {
    let left = this.SUBRULE(operand);
    this.MANY(() => {
      const op = operator();
      const right = this.SUBRULE1(operand);
      this.ACTION(() => {
        left = this.#node("Binary", left, { op: op.image as ast.BinaryOp, left, right });
      });
    });
    return left;
  }

  readonly disjunction: Rule<ast.Expr> = this.RULE("disjunction", () => this.#binary(this.conjunction, () => this.CONSUME(Word.or)), { resyncEnabled: false });

  readonly conjunction: Rule<ast.Expr> = this.RULE("conjunction", () => this.#binary(this.negation, () => this.CONSUME(Word.and)), { resyncEnabled: false });

  readonly negation: Rule<ast.Expr> = this.RULE(
    "negation",
    () => {
      const ops: IToken[] = [];
      this.MANY(() => ops.push(this.CONSUME(Word.not)));
      const operand = this.SUBRULE(this.comparison);
      return this.#prefixed(ops, operand);
    },
    { resyncEnabled: false },
  );

  #prefixed(ops: readonly IToken[], operand: ast.Expr): ast.Expr {
    return ops.reduceRight<ast.Expr>((inner, op) => this.#node("Unary", op, { op: op.image as ast.Unary["op"], operand: inner }), operand);
  }

  readonly comparison: Rule<ast.Expr> = this.RULE(
    "comparison",
    () => {
      let left = this.SUBRULE(this.sum);
      this.OPTION(() => {
        const op = this.OR([
          { ALT: () => this.CONSUME(Mark.Equal) },
          { ALT: () => this.CONSUME(Mark.NotEqual) },
          { ALT: () => this.CONSUME(Mark.Less) },
          { ALT: () => this.CONSUME(Mark.LessEqual) },
          { ALT: () => this.CONSUME(Mark.Greater) },
          { ALT: () => this.CONSUME(Mark.GreaterEqual) },
          { ALT: () => this.CONSUME(Word.in) },
        ]);
        const right = this.SUBRULE1(this.sum);
        this.ACTION(() => {
          left = this.#node("Binary", left, { op: op.image as ast.BinaryOp, left, right });
        });
      });
      return left;
    },
    { resyncEnabled: false },
  );

  readonly sum: Rule<ast.Expr> = this.RULE(
    "sum",
    () =>
      this.#binary(this.product, () =>
        this.OR([{ ALT: () => this.CONSUME(Mark.Plus) }, { ALT: () => this.CONSUME(Mark.Minus) }, { ALT: () => this.CONSUME(Mark.Join) }]),
      ),
    { resyncEnabled: false },
  );

  readonly product: Rule<ast.Expr> = this.RULE(
    "product",
    () =>
      this.#binary(this.unary, () =>
        this.OR([{ ALT: () => this.CONSUME(Mark.Star) }, { ALT: () => this.CONSUME(Mark.Slash) }, { ALT: () => this.CONSUME(Mark.At) }]),
      ),
    { resyncEnabled: false },
  );

  readonly unary: Rule<ast.Expr> = this.RULE(
    "unary",
    () => {
      const ops: IToken[] = [];
      this.MANY(() => ops.push(this.CONSUME(Mark.Minus)));
      const operand = this.SUBRULE(this.power);
      return this.#prefixed(ops, operand);
    },
    { resyncEnabled: false },
  );

  readonly power: Rule<ast.Expr> = this.RULE(
    "power",
    () => {
      let left = this.SUBRULE(this.postfix);
      this.OPTION(() => {
        this.CONSUME(Mark.Power);
        const right = this.SUBRULE(this.unary);
        this.ACTION(() => {
          left = this.#node("Binary", left, { op: "^", left, right });
        });
      });
      return left;
    },
    { resyncEnabled: false },
  );

  readonly postfix: Rule<ast.Expr> = this.RULE(
    "postfix",
    () => {
      let value = this.SUBRULE(this.primary);
      this.MANY(() => {
        const object = value;
        this.OR([
          {
            ALT: () => {
              this.CONSUME(Mark.Dot);
              const name = this.SUBRULE(this.name);
              value = this.ACTION(() => this.#node("Member", object, { object, name })) as ast.Expr;
            },
          },
          {
            ALT: () => {
              const given = this.SUBRULE(this.arguments);
              let per: ast.Per | null = null;
              this.OPTION(() => {
                per = this.SUBRULE(this.per);
              });
              value = this.ACTION(() => this.#node("Call", object, { callee: object, arguments: given, per, parenthesised: true })) as ast.Expr;
            },
          },
          {
            ALT: () => {
              const indices = this.SUBRULE(this.indices);
              value = this.ACTION(() => this.#node("Subscript", object, { object, indices })) as ast.Expr;
            },
          },
        ]);
      });
      return value;
    },
    { resyncEnabled: false },
  );

  readonly arguments: Rule<readonly ast.Argument[]> = this.RULE(
    "arguments",
    () => {
      const given: ast.Argument[] = [];
      this.CONSUME(Mark.OpenParen);
      this.MANY({
        GATE: () => !this.#next(Mark.CloseParen),
        DEF: () => {
          const first = this.LA(1);
          let name: ast.Name | null = null;
          this.OPTION({
            GATE: () => this.#is(this.LA(2), Mark.Colon),
            DEF: () => {
              name = this.SUBRULE(this.name);
              this.CONSUME(Mark.Colon);
            },
          });
          const value = this.SUBRULE(this.expr);
          this.ACTION(() => given.push(this.#node("Argument", first, { name, value })));
          this.#comma(Mark.CloseParen);
        },
      });
      this.CONSUME(Mark.CloseParen);
      return given;
    },
    { resyncEnabled: false },
  );

  readonly indices: Rule<readonly ast.Index[]> = this.RULE(
    "indices",
    () => {
      const indices: ast.Index[] = [];
      this.CONSUME(Mark.OpenBracket);
      this.AT_LEAST_ONE_SEP({ SEP: Mark.Comma, DEF: () => indices.push(this.SUBRULE(this.index)) });
      this.CONSUME(Mark.CloseBracket);
      return indices;
    },
    { resyncEnabled: false },
  );

  readonly index: Rule<ast.Index> = this.RULE(
    "index",
    () => {
      const first = this.LA(1);
      return this.OR<ast.Index>([
        { ALT: () => this.#node("IndexRest", this.CONSUME(Mark.Dots), {}) },
        {
          ALT: () => {
            this.CONSUME(Mark.Colon);
            let stop: ast.Expr | null = null;
            this.OPTION({ GATE: () => !this.#next(Mark.Comma) && !this.#next(Mark.CloseBracket), DEF: () => (stop = this.SUBRULE(this.expr)) });
            return this.#node("IndexSlice", first, { start: null, stop });
          },
        },
        {
          ALT: () => {
            const start = this.SUBRULE1(this.expr);
            const ranged = this.OPTION1(() =>
              this.OR1<() => ast.Index>([
                {
                  ALT: () => {
                    this.CONSUME1(Mark.Dots);
                    const to = this.SUBRULE2(this.expr);
                    return () => this.#node("IndexRange", first, { from: start, to });
                  },
                },
                {
                  ALT: () => {
                    this.CONSUME1(Mark.Colon);
                    let stop: ast.Expr | null = null;
                    this.OPTION2({ GATE: () => !this.#next(Mark.Comma) && !this.#next(Mark.CloseBracket), DEF: () => (stop = this.SUBRULE3(this.expr)) });
                    return () => this.#node("IndexSlice", first, { start, stop });
                  },
                },
              ]),
            );
            return this.RECORDING_PHASE ? (undefined as never) : ranged === undefined ? this.#node("IndexExpr", first, { value: start }) : ranged();
          },
        },
      ]);
    },
    { resyncEnabled: false },
  );

  readonly primary: Rule<ast.Expr> = this.RULE(
    "primary",
    () =>
      this.OR<ast.Expr>([
        { ALT: () => this.#number(this.CONSUME(NumberToken)) },
        { ALT: () => this.SUBRULE(this.string) },
        { ALT: () => this.#node("BooleanLiteral", this.CONSUME(Word.true), { value: true }) },
        { ALT: () => this.#node("BooleanLiteral", this.CONSUME(Word.false), { value: false }) },
        { ALT: () => this.#node("NoneLiteral", this.CONSUME(Word.none), {}) },
        { ALT: () => this.#reference(this.CONSUME(AnyName)) },
        { ALT: () => this.SUBRULE(this.paren) },
        { ALT: () => this.SUBRULE(this.list) },
        { ALT: () => this.SUBRULE(this.record) },
      ]),
    { resyncEnabled: false },
  );

  #number(token: IToken): ast.NumberLiteral {
    return this.#node("NumberLiteral", token, { value: Number(token.image), text: token.image });
  }

  #reference(token: IToken): ast.Reference {
    return this.#node("Reference", token, { name: token.image });
  }

  readonly paren: Rule<ast.Paren> = this.RULE(
    "paren",
    () => {
      const open = this.CONSUME(Mark.OpenParen);
      const inner = this.SUBRULE(this.expr);
      this.CONSUME(Mark.CloseParen);
      return this.#node("Paren", open, { inner });
    },
    { resyncEnabled: false },
  );

  readonly list: Rule<ast.Expr> = this.RULE(
    "list",
    () => {
      const open = this.CONSUME(Mark.OpenBracket);
      const items: ast.Expr[] = [];
      const clauses: ast.Clause[] = [];
      this.OPTION({
        GATE: () => !this.#next(Mark.CloseBracket),
        DEF: () => {
          items.push(this.SUBRULE(this.expr));
          this.OR([
            { GATE: () => this.#next(Word.for), ALT: () => this.AT_LEAST_ONE(() => clauses.push(this.SUBRULE(this.clause))) },
            {
              ALT: () => {
                this.#comma(Mark.CloseBracket);
                this.MANY({
                  GATE: () => !this.#next(Mark.CloseBracket),
                  DEF: () => {
                    items.push(this.SUBRULE1(this.expr));
                    this.OPTION1({ GATE: () => !this.#next(Mark.CloseBracket), DEF: () => this.CONSUME(Mark.Comma) });
                  },
                });
              },
            },
          ]);
        },
      });
      this.CONSUME(Mark.CloseBracket);
      if (clauses.length > 0) return this.#node("Comprehension", open, { value: items[0] as ast.Expr, clauses });
      return this.#node("ListLiteral", open, { items });
    },
    { resyncEnabled: false },
  );

  readonly clause: Rule<ast.Clause> = this.RULE(
    "clause",
    () => {
      const first = this.CONSUME(Word.for);
      const name = this.SUBRULE(this.name);
      let index: ast.Name | null = null;
      this.OPTION(() => {
        this.CONSUME(Mark.Comma);
        index = this.SUBRULE1(this.name);
      });
      this.CONSUME(Word.in);
      const over = this.SUBRULE(this.pipe);
      let condition: ast.Expr | null = null;
      this.OPTION1(() => {
        this.CONSUME(Word.if);
        condition = this.SUBRULE1(this.pipe);
      });
      return this.#node("Clause", first, { name, index, over, condition });
    },
    { resyncEnabled: false },
  );

  // ── statements ────────────────────────────────────────────────────────────

  readonly block: Rule<ast.Block> = this.RULE(
    "block",
    () => {
      const open = this.CONSUME(Mark.OpenBrace);
      const statements: ast.Statement[] = [];
      this.MANY(() => {
        const statement = this.SUBRULE(this.statement);
        this.ACTION(() => statement !== null && statements.push(statement));
      });
      this.CONSUME(Mark.CloseBrace);
      return this.#node("Block", open, { statements });
    },
    { resyncEnabled: false },
  );

  readonly statement: Rule<ast.Statement | null> = this.RULE(
    "statement",
    () =>
      this.OR<ast.Statement>([
        { ALT: () => this.SUBRULE(this.letStatement) },
        { ALT: () => this.SUBRULE(this.paramStatement) },
        { ALT: () => this.SUBRULE(this.outputStatement) },
        { ALT: () => this.SUBRULE(this.penaltyStatement) },
        { ALT: () => this.SUBRULE(this.requireStatement) },
        { ALT: () => this.SUBRULE(this.returnStatement) },
      ]),
    { recoveryValueFunc: () => null as never },
  );

  #optionalPer(): ast.Per | null {
    let per: ast.Per | null = null;
    this.OPTION7(() => {
      per = this.SUBRULE7(this.per);
    });
    return per;
  }

  #optionalType(): ast.Type | null {
    let type: ast.Type | null = null;
    this.OPTION8(() => {
      this.CONSUME8(Mark.Colon);
      type = this.SUBRULE8(this.type);
    });
    return type;
  }

  readonly letStatement: Rule<ast.Let> = this.RULE(
    "letStatement",
    () => {
      const first = this.CONSUME(Word.let);
      const names: ast.Name[] = [];
      this.AT_LEAST_ONE_SEP({ SEP: Mark.Comma, DEF: () => names.push(this.SUBRULE(this.name)) });
      const per = this.#optionalPer();
      const type = this.#optionalType();
      this.CONSUME(Mark.Assign);
      const value = this.SUBRULE(this.expr);
      return this.#node("Let", first, { doc: this.#docOf(first), names, per, type, value });
    },
    { resyncEnabled: false },
  );

  readonly paramStatement: Rule<ast.Param> = this.RULE(
    "paramStatement",
    () => {
      const first = this.CONSUME(Word.param);
      const name = this.SUBRULE(this.name);
      this.CONSUME(Mark.Colon);
      const type = this.SUBRULE(this.type);
      this.CONSUME(Mark.Assign);
      const initial = this.SUBRULE(this.expr);
      let tags: ast.RecordLiteral | null = null;
      this.OPTION(() => {
        tags = this.SUBRULE(this.record);
      });
      return this.#node("Param", first, { doc: this.#docOf(first), name, type, initial, tags });
    },
    { resyncEnabled: false },
  );

  readonly outputStatement: Rule<ast.Output> = this.RULE(
    "outputStatement",
    () => {
      const first = this.CONSUME(Word.output);
      const name = this.SUBRULE(this.name);
      const per = this.#optionalPer();
      const type = this.#optionalType();
      this.CONSUME(Mark.Assign);
      const value = this.SUBRULE(this.expr);
      return this.#node("Output", first, { doc: this.#docOf(first), name, per, type, value });
    },
    { resyncEnabled: false },
  );

  readonly penaltyStatement: Rule<ast.Penalty> = this.RULE(
    "penaltyStatement",
    () => {
      const first = this.CONSUME(Word.penalty);
      const name = this.SUBRULE(this.name);
      const per = this.#optionalPer();
      this.CONSUME(Mark.Assign);
      const value = this.SUBRULE(this.expr);
      return this.#node("Penalty", first, { doc: this.#docOf(first), name, per, value });
    },
    { resyncEnabled: false },
  );

  readonly requireStatement: Rule<ast.Require> = this.RULE(
    "requireStatement",
    () => {
      const first = this.CONSUME(Word.require);
      const condition = this.SUBRULE(this.expr);
      this.CONSUME(Mark.Comma);
      const message = this.SUBRULE(this.string);
      return this.#node("Require", first, { condition, message });
    },
    { resyncEnabled: false },
  );

  readonly returnStatement: Rule<ast.Return> = this.RULE(
    "returnStatement",
    () => {
      const first = this.CONSUME(Word.return);
      const value = this.SUBRULE(this.expr);
      return this.#node("Return", first, { value });
    },
    { resyncEnabled: false },
  );

  // ── models ────────────────────────────────────────────────────────────────

  readonly item: Rule<ast.Item | null> = this.RULE(
    "item",
    () =>
      this.OR<ast.Item>([
        { ALT: () => this.SUBRULE(this.constItem) },
        { ALT: () => this.SUBRULE(this.dimItem) },
        { ALT: () => this.SUBRULE(this.inputItem) },
        { ALT: () => this.SUBRULE(this.letStatement) },
        { ALT: () => this.SUBRULE(this.paramStatement) },
        { ALT: () => this.SUBRULE(this.bankItem) },
        { ALT: () => this.SUBRULE(this.groupItem) },
        { ALT: () => this.SUBRULE(this.taskItem) },
        { ALT: () => this.SUBRULE(this.transferItem) },
        { ALT: () => this.SUBRULE(this.flowItem) },
        { ALT: () => this.SUBRULE(this.outputStatement) },
        { ALT: () => this.SUBRULE(this.penaltyStatement) },
        { ALT: () => this.SUBRULE(this.trainItem) },
      ]),
    { recoveryValueFunc: () => null as never },
  );

  readonly constItem: Rule<ast.Const> = this.RULE(
    "constItem",
    () => {
      const first = this.CONSUME(Word.const);
      const name = this.SUBRULE(this.name);
      this.CONSUME(Mark.Assign);
      const value = this.SUBRULE(this.expr);
      return this.#node("Const", first, { doc: this.#docOf(first), name, value });
    },
    { resyncEnabled: false },
  );

  readonly dimItem: Rule<ast.DimDeclaration> = this.RULE(
    "dimItem",
    () => {
      const first = this.CONSUME(Word.dim);
      const name = this.SUBRULE(this.name);
      return this.#node("DimDeclaration", first, { doc: this.#docOf(first), name });
    },
    { resyncEnabled: false },
  );

  readonly inputItem: Rule<ast.Input> = this.RULE(
    "inputItem",
    () => {
      const first = this.CONSUME(Word.input);
      const name = this.SUBRULE(this.name);
      this.CONSUME(Mark.Colon);
      const type = this.SUBRULE(this.type);
      let defaultValue: ast.Expr | null = null;
      this.OPTION(() => {
        this.CONSUME(Mark.Assign);
        defaultValue = this.SUBRULE(this.expr);
      });
      const slices = this.OPTION1(() => this.SUBRULE(this.slices)) ?? [];
      return this.#node("Input", first, { doc: this.#docOf(first), name, type, defaultValue, slices });
    },
    { resyncEnabled: false },
  );

  readonly slices: Rule<readonly ast.Slice[]> = this.RULE(
    "slices",
    () => {
      const slices: ast.Slice[] = [];
      this.CONSUME(Mark.OpenBrace);
      this.MANY({
        GATE: () => !this.#next(Mark.CloseBrace),
        DEF: () => {
          const first = this.LA(1);
          const name = this.SUBRULE(this.name);
          this.CONSUME(Mark.Colon);
          const width = this.SUBRULE(this.expr);
          const inner = this.OPTION(() => this.SUBRULE(this.slices)) ?? [];
          this.ACTION(() => slices.push(this.#node("Slice", first, { doc: this.#docOf(first), name, width, slices: inner })));
          this.#comma(Mark.CloseBrace);
        },
      });
      this.CONSUME(Mark.CloseBrace);
      return slices;
    },
    { resyncEnabled: false },
  );

  readonly bankItem: Rule<ast.Bank> = this.RULE(
    "bankItem",
    () => {
      const first = this.OR([{ ALT: () => this.CONSUME(Word.experts) }, { ALT: () => this.CONSUME(Word.routes) }]);
      const name = this.SUBRULE(this.name);
      const per = this.#optionalPer();
      this.CONSUME(Mark.OpenBrace);
      const entries: ast.Entry[] = [];
      this.MANY(() => {
        const entry = this.SUBRULE(this.entry);
        this.ACTION(() => entry !== null && entries.push(entry));
      });
      this.CONSUME(Mark.CloseBrace);
      return this.#node("Bank", first, { doc: this.#docOf(first), role: first.image as ast.Bank["role"], name, per, entries });
    },
    { resyncEnabled: false },
  );

  readonly entry: Rule<ast.Entry | null> = this.RULE(
    "entry",
    () => {
      const first = this.LA(1);
      const name = this.SUBRULE(this.name);
      let count: ast.Expr | null = null;
      this.OPTION(() => {
        this.CONSUME(Mark.OpenBracket);
        count = this.SUBRULE(this.expr);
        this.CONSUME(Mark.CloseBracket);
      });
      const type = this.#optionalType();
      this.CONSUME(Mark.Assign);
      const value = this.SUBRULE1(this.expr);
      return this.#node("Entry", first, { doc: this.#docOf(first), name, count, type, value });
    },
    { recoveryValueFunc: () => null as never },
  );

  readonly groupItem: Rule<ast.Group> = this.RULE(
    "groupItem",
    () => {
      const first = this.CONSUME(Word.group);
      const name = this.SUBRULE(this.name);
      const settings = this.OPTION(() => this.SUBRULE(this.record)) ?? null;
      return this.#node("Group", first, { doc: this.#docOf(first), name, settings });
    },
    { resyncEnabled: false },
  );

  readonly taskItem: Rule<ast.Task> = this.RULE(
    "taskItem",
    () => {
      const first = this.CONSUME(Word.task);
      const name = this.SUBRULE(this.name);
      let group: ast.Name | null = null;
      this.OPTION(() => {
        this.CONSUME(Word.in);
        group = this.SUBRULE1(this.name);
      });
      this.CONSUME(Mark.Colon);
      const taskKind = this.SUBRULE2(this.name);
      let width: ast.Expr | null = null;
      this.OPTION1(() => {
        this.CONSUME(Mark.OpenParen);
        width = this.SUBRULE(this.expr);
        this.CONSUME(Mark.CloseParen);
      });
      const settings = this.OPTION2(() => this.SUBRULE(this.record)) ?? null;
      return this.#node("Task", first, { doc: this.#docOf(first), name, group, taskKind, width, settings });
    },
    { resyncEnabled: false },
  );

  readonly transferItem: Rule<ast.Transfer> = this.RULE(
    "transferItem",
    () => {
      const first = this.CONSUME(Word.transfer);
      const from = this.SUBRULE(this.name);
      this.CONSUME(Mark.Arrow);
      const to = this.SUBRULE1(this.name);
      this.CONSUME(Mark.Assign);
      const value = this.SUBRULE(this.expr);
      return this.#node("Transfer", first, { doc: this.#docOf(first), from, to, value });
    },
    { resyncEnabled: false },
  );

  readonly flowItem: Rule<ast.Flow> = this.RULE(
    "flowItem",
    () => {
      const first = this.CONSUME(Word.flow);
      const target = this.OR<ast.Per | ast.Name>([{ ALT: () => this.SUBRULE(this.per) }, { ALT: () => this.SUBRULE(this.name) }]);
      const body = this.SUBRULE(this.block);
      const per = target?.kind === "Per" ? target : null;
      const task = target?.kind === "Name" ? target : null;
      return this.#node("Flow", first, { doc: this.#docOf(first), per, task, body });
    },
    { resyncEnabled: false },
  );

  readonly trainItem: Rule<ast.Train> = this.RULE(
    "trainItem",
    () => {
      const first = this.CONSUME(Word.train);
      const settings = this.SUBRULE(this.record);
      return this.#node("Train", first, { doc: this.#docOf(first), settings });
    },
    { resyncEnabled: false },
  );

  // ── files ─────────────────────────────────────────────────────────────────

  readonly importStatement: Rule<ast.Import | null> = this.RULE(
    "importStatement",
    () => {
      const first = this.CONSUME(Word.import);
      const names: ast.ImportName[] = [];
      this.CONSUME(Mark.OpenBrace);
      this.MANY({
        GATE: () => !this.#next(Mark.CloseBrace),
        DEF: () => {
          const name = this.SUBRULE(this.name);
          let alias: ast.Name | null = null;
          this.OPTION(() => {
            this.CONSUME(Word.as);
            alias = this.SUBRULE1(this.name);
          });
          this.ACTION(() => names.push(this.#node("ImportName", name, { name, alias })));
          this.#comma(Mark.CloseBrace);
        },
      });
      this.CONSUME(Mark.CloseBrace);
      this.CONSUME(Word.from);
      const path = this.SUBRULE(this.string);
      return this.#node("Import", first, { names, path });
    },
    { recoveryValueFunc: () => null as never },
  );

  readonly parameter: Rule<ast.Parameter> = this.RULE(
    "parameter",
    () => {
      const name = this.SUBRULE(this.name);
      this.CONSUME(Mark.Colon);
      const type = this.SUBRULE(this.type);
      let defaultValue: ast.Expr | null = null;
      this.OPTION(() => {
        this.CONSUME(Mark.Assign);
        defaultValue = this.SUBRULE(this.expr);
      });
      return this.#node("Parameter", name, { name, type, defaultValue });
    },
    { resyncEnabled: false },
  );

  readonly definition: Rule<ast.Definition> = this.RULE(
    "definition",
    () => {
      const first = this.OR(roles.map((role) => ({ ALT: () => this.CONSUME(Word[role]) })));
      const name = this.SUBRULE(this.name);
      this.CONSUME(Mark.OpenParen);
      const parameters: ast.Parameter[] = [];
      this.MANY({
        GATE: () => !this.#next(Mark.CloseParen),
        DEF: () => {
          parameters.push(this.SUBRULE(this.parameter));
          this.#comma(Mark.CloseParen);
        },
      });
      this.CONSUME(Mark.CloseParen);
      let result: ast.Type | null = null;
      this.OPTION(() => {
        this.CONSUME(Mark.Arrow);
        result = this.SUBRULE(this.type);
      });
      const fits: ast.Name[] = [];
      this.OPTION1(() => {
        this.CONSUME(Word.for);
        this.AT_LEAST_ONE_SEP({ SEP: Mark.Bar, DEF: () => fits.push(this.SUBRULE1(this.name)) });
      });
      const body = this.SUBRULE(this.block);
      return this.#node("Definition", first, { doc: this.#docOf(first), role: first.image as ast.Role, name, parameters, result, fits, body });
    },
    { resyncEnabled: false },
  );

  readonly model: Rule<ast.Model> = this.RULE(
    "model",
    () => {
      const first = this.CONSUME(Word.model);
      const name = this.SUBRULE(this.name);
      this.CONSUME(Mark.OpenBrace);
      const items: ast.Item[] = [];
      this.MANY(() => {
        const item = this.SUBRULE(this.item);
        this.ACTION(() => item !== null && items.push(item));
      });
      this.CONSUME(Mark.CloseBrace);
      return this.#node("Model", first, { doc: this.#docOf(first), name, items });
    },
    { resyncEnabled: false },
  );

  readonly topLevel: Rule<ast.TopLevel | null> = this.RULE(
    "topLevel",
    () => this.OR<ast.TopLevel>([{ ALT: () => this.SUBRULE(this.definition) }, { ALT: () => this.SUBRULE(this.constItem) }, { ALT: () => this.SUBRULE(this.model) }]),
    { recoveryValueFunc: () => null as never },
  );

  readonly file: Rule<ast.File> = this.RULE("file", () => {
    const imports: ast.Import[] = [];
    const items: ast.TopLevel[] = [];
    this.MANY(() => {
      const statement = this.SUBRULE(this.importStatement);
      this.ACTION(() => statement !== null && imports.push(statement));
    });
    this.MANY1(() => {
      const item = this.SUBRULE(this.topLevel);
      this.ACTION(() => item !== null && items.push(item));
    });
    return { kind: "File" as const, imports, items, span: { source: this.source, start: 0, end: this.source?.text.length ?? 0 } };
  });
}

const nowhere = { source: null, start: 0, end: 0 } as unknown as Span;

/** The offset of a token; recovery inserts tokens that stand nowhere. */
function offsetOf(token: IToken): number {
  return Number.isFinite(token.startOffset) ? token.startOffset : 0;
}

const escapes: Readonly<Record<string, string>> = { n: "\n", t: "\t", '"': '"', "\\": "\\" };

/** The value of a string as written, quotes included; unknown escapes stay as they are. */
function unescape(image: string): string {
  return image.replace(/^"|"$/g, "").replace(/\\(.)/g, (whole, mark: string) => escapes[mark] ?? whole);
}

