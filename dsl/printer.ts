import type * as ast from "./ast.ts";
import type { Diagnostic } from "./diagnostic.ts";
import {
  blankLine,
  breaks,
  choice,
  comment,
  type Doc,
  group,
  hardline,
  indent,
  line,
  renderDocument,
  softline,
  whenBroken,
} from "./document.ts";
import { type Comment, type Lexeme, lex } from "./lexer.ts";
import { parse } from "./parser.ts";
import type { Source } from "./source.ts";

/** Columns of a line, where a break is possible. */
export const lineWidth = 140;

export interface Formatted {
  /** null for a file with syntax errors. */
  readonly text: string | null;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The text of a file in the one layout of plec. Keeps every token and comment, apart from commas at the end of a list, and at most one empty line
 * between things; formatting the result changes nothing.
 */
export function formatSource(source: Source): Formatted {
  const { file, diagnostics } = parse(source);
  if (diagnostics.some(({ severity }) => severity === "error")) return { text: null, diagnostics };
  const { tokens, comments } = lex(source);
  return { text: renderDocument(new Printer(source, tokens, comments).file(file), lineWidth), diagnostics };
}

const nothing: Doc = [];

/** What a list of things is laid out like. */
interface ListStyle {
  /** Inside the brackets, while they stand on one line; null where they always do. */
  readonly edge: Doc | null;
  /** A comma after the last one where each stands on a line of its own. */
  readonly finalComma: boolean;
  readonly keepsBlankLines: boolean;
}

const argumentList: ListStyle = { edge: softline, finalComma: true, keepsBlankLines: false };
const fieldList: ListStyle = { edge: line, finalComma: true, keepsBlankLines: true };
const tightList: ListStyle = { edge: null, finalComma: false, keepsBlankLines: false };

/**
 * Walks the tree in source order and takes the tokens one by one, so that a comment always comes out between the two tokens between which it stood.
 * The tree says where lines may break, the tokens what is written.
 */
class Printer {
  readonly #source: Source;
  readonly #tokens: readonly Lexeme[];
  readonly #comments: readonly Comment[];
  #token = 0;
  #comment = 0;
  /** Where the last token or comment taken ends. */
  #end = 0;

  constructor(source: Source, tokens: readonly Lexeme[], comments: readonly Comment[]) {
    this.#source = source;
    this.#tokens = tokens;
    this.#comments = comments;
  }

  // ── tokens and comments ───────────────────────────────────────────────────

  get #next(): Lexeme {
    return this.#tokens[this.#token] as Lexeme;
  }

  /** The next token, after the comments that no rule has placed. */
  #take(): Doc {
    const comments = this.#takeComments();
    const { image, end } = this.#next;
    this.#token += 1;
    this.#end = end;
    return comments === nothing ? image : [comments, image];
  }

  /** The comments before the next token. */
  #takeComments(): Doc {
    const docs: Doc[] = [];
    for (
      let next = this.#comments[this.#comment];
      next !== undefined && next.span.start < this.#next.startOffset;
      next = this.#comments[this.#comment]
    ) {
      docs.push(comment(next.text, { own: this.#lineEnds(next.span.start) > 0, blank: this.#lineEnds(next.span.start) > 1 }));
      this.#comment += 1;
      this.#end = next.span.end;
    }
    return docs.length === 0 ? nothing : docs;
  }

  /** How many lines end between the last token or comment and an offset; two or more leave an empty line. */
  #lineEnds(offset: number): number {
    const between = this.#source.text.slice(this.#end, offset);
    // the start of a file is the start of a line
    return between.split(/\r\n|[\r\n]/).length - 1 + (this.#end === 0 ? 1 : 0);
  }

  /** Whether a `///` stands around the next token, which is a comma. */
  #docAround(): boolean {
    const following = this.#tokens[this.#token + 1]?.startOffset ?? 0;
    for (let i = this.#comment; (this.#comments[i]?.span.start ?? Number.POSITIVE_INFINITY) < following; i += 1) {
      if (this.#comments[i]?.text.startsWith("///")) return true;
    }
    return false;
  }

  /** The comma after an item, and the comments about it: those in front of a comma move behind it. */
  #comma(last: boolean, style: ListStyle): { readonly comma: Doc; readonly comments: Doc } {
    const written = this.#next.image === ",";
    // a `///` would document the next item if it moved, or if one in front of the comma took its line
    const before = written && this.#docAround() ? this.#takeComments() : nothing;
    if (written) {
      this.#token += 1;
      this.#end = Math.max(this.#end, this.#tokens[this.#token - 1]?.end ?? 0);
    }
    const comma = last ? (style.finalComma ? whenBroken(",") : nothing) : ",";
    return { comma: before === nothing ? comma : [before, comma], comments: this.#takeComments() };
  }

  /** A line end before the next token, or an empty line if there was one. */
  #separator(): Doc {
    return this.#lineEnds(this.#next.startOffset) > 1 ? blankLine : hardline;
  }

  // ── shared shapes ─────────────────────────────────────────────────────────

  /** Items between brackets: on one line, or each on its own. */
  #list<T>(items: readonly T[], print: (item: T) => Doc, style: ListStyle): Doc {
    const open = this.#take();
    if (items.length === 0) return this.#emptyList(open);
    const edge = style.edge ?? nothing;
    const between = style.edge === null ? " " : line;
    const parts: Doc[] = [this.#takeComments(), edge];
    items.forEach((item, i) => {
      if (i > 0) parts.push(style.keepsBlankLines && this.#lineEnds(this.#next.startOffset) > 1 ? softBlank : between);
      const doc = print(item);
      const { comma, comments } = this.#comma(i === items.length - 1, style);
      parts.push(doc, comma, comments);
    });
    return group([open, indent(parts), edge, this.#take()]);
  }

  #emptyList(open: Doc): Doc {
    const comments = this.#takeComments();
    return comments === nothing ? [open, this.#take()] : [open, indent(comments), hardline, this.#take()];
  }

  /** Parts between braces, each on a line of its own. */
  #body<T>(parts: readonly T[], print: (part: T) => Doc): Doc {
    const open = this.#take();
    if (parts.length === 0) return this.#emptyList(open);
    const inner: Doc[] = [this.#takeComments()];
    for (const part of parts) inner.push(this.#separator(), print(part), this.#takeComments());
    return [open, indent(inner), hardline, this.#take()];
  }

  /** Tokens up to a node, with a space between them. */
  #words(count: number): Doc {
    const docs: Doc[] = [];
    for (let i = 0; i < count; i += 1) docs.push(i > 0 ? " " : "", this.#take());
    return docs;
  }

  #equals(value: ast.Expr): Doc {
    return [" ", this.#take(), " ", this.#expr(value)];
  }

  #claim(type: ast.Type | null): Doc {
    return type === null ? nothing : [this.#take(), " ", this.#type(type)];
  }

  #per(per: ast.Per | null): Doc {
    return per === null ? nothing : [" ", this.#words(2)];
  }

  // ── files ─────────────────────────────────────────────────────────────────

  file(file: ast.File): Doc {
    const docs: Doc[] = [this.#takeComments()];
    for (const statement of file.imports) docs.push(this.#separator(), this.#import(statement), this.#takeComments());
    for (const item of file.items) docs.push(this.#separator(), this.#topLevel(item), this.#takeComments());
    return docs;
  }

  #import(statement: ast.Import): Doc {
    const keyword = this.#take();
    const names = this.#list(statement.names, ({ alias }) => this.#words(alias === null ? 1 : 3), fieldList);
    return [keyword, " ", names, " ", this.#words(2)];
  }

  #topLevel(item: ast.TopLevel): Doc {
    if (item.kind === "Const") return [this.#words(2), this.#equals(item.value)];
    if (item.kind === "Model") return [this.#words(2), " ", this.#body(item.items, (inner) => this.#item(inner))];
    const head = this.#words(2);
    const parameters = this.#list(item.parameters, (parameter) => this.#parameter(parameter), argumentList);
    const result = item.result === null ? nothing : [" ", this.#take(), " ", this.#type(item.result)];
    const fits = item.fits.length === 0 ? nothing : [" ", this.#words(2 * item.fits.length)];
    return [head, parameters, result, fits, " ", this.#block(item.body)];
  }

  #parameter({ type, defaultValue }: ast.Parameter): Doc {
    const head = [this.#take(), this.#claim(type)];
    return defaultValue === null ? head : [head, this.#equals(defaultValue)];
  }

  // ── statements and items ──────────────────────────────────────────────────

  #block(block: ast.Block): Doc {
    return this.#body(block.statements, (statement) => this.#statement(statement));
  }

  #statement(statement: ast.Statement): Doc {
    switch (statement.kind) {
      case "Let":
        return this.#let(statement);
      case "Param": {
        const head = [this.#words(2), this.#claim(statement.type), this.#equals(statement.initial)];
        return statement.tags === null ? head : [head, " ", this.#expr(statement.tags)];
      }
      case "Output":
        return [this.#words(2), this.#per(statement.per), this.#claim(statement.type), this.#equals(statement.value)];
      case "Penalty":
        return [this.#words(2), this.#per(statement.per), this.#equals(statement.value)];
      case "Require":
        return [this.#take(), " ", this.#expr(statement.condition), this.#take(), " ", this.#take()];
      case "Return":
        return [this.#take(), " ", this.#expr(statement.value)];
    }
  }

  #let({ names, per, type, value }: ast.Let): Doc {
    const head: Doc[] = [this.#take(), " ", this.#take()];
    for (let i = 1; i < names.length; i += 1) head.push(this.#take(), " ", this.#take());
    return [head, this.#per(per), this.#claim(type), this.#equals(value)];
  }

  #item(item: ast.Item): Doc {
    switch (item.kind) {
      case "Const":
        return [this.#words(2), this.#equals(item.value)];
      case "DimDeclaration":
        return this.#words(2);
      case "Input": {
        const head = [this.#words(2), this.#claim(item.type), item.defaultValue === null ? nothing : this.#equals(item.defaultValue)];
        if (item.schema !== null) return [head, " ", this.#words(2)];
        return this.#next.image === "{" ? [head, " ", this.#slices(item.slices)] : head;
      }
      case "Bank":
        return [this.#words(2), this.#per(item.per), " ", this.#body(item.entries, (entry) => this.#entry(entry))];
      case "Group":
        return [this.#words(2), this.#settings(item.settings)];
      case "Task": {
        const head = [this.#words(item.group === null ? 2 : 4), this.#take(), " ", this.#take()];
        const width = item.width === null ? nothing : [this.#take(), this.#expr(item.width), this.#take()];
        return [head, width, this.#settings(item.settings)];
      }
      case "Transfer":
        return [this.#words(4), this.#equals(item.value)];
      case "Flow":
        return [this.#take(), item.per === null ? [" ", this.#take()] : this.#per(item.per), " ", this.#block(item.body)];
      case "Train":
        return [this.#take(), this.#settings(item.settings)];
      default:
        return this.#statement(item);
    }
  }

  #settings(settings: ast.RecordLiteral | null): Doc {
    return settings === null ? nothing : [" ", this.#expr(settings)];
  }

  #slices(slices: readonly ast.Slice[]): Doc {
    return this.#list(
      slices,
      (slice) => {
        const head = [this.#words(1), this.#take(), " ", this.#expr(slice.width)];
        return this.#next.image === "{" ? [head, " ", this.#slices(slice.slices)] : head;
      },
      fieldList,
    );
  }

  #entry({ count, type, value }: ast.Entry): Doc {
    const name = this.#take();
    const counted = count === null ? nothing : [this.#take(), this.#expr(count), this.#take()];
    return [name, counted, this.#claim(type), this.#equals(value)];
  }

  // ── types ─────────────────────────────────────────────────────────────────

  #type(type: ast.Type): Doc {
    const base = this.#baseType(type);
    return type.optional ? [base, this.#take()] : base;
  }

  #baseType(type: ast.Type): Doc {
    switch (type.kind) {
      case "NamedType":
        return this.#take();
      case "ListType":
        return [this.#take(), this.#type(type.element), this.#take()];
      case "TensorType": {
        const shape = [
          this.#take(),
          this.#list(type.dims, (dim) => (dim.kind === "DimExpr" ? this.#expr(dim.value) : this.#take()), tightList),
        ];
        return type.of === null ? shape : [shape, " ", this.#take(), " ", this.#expr(type.of)];
      }
      case "EnumType":
        return this.#words(2 * type.values.length - 1);
    }
  }

  // ── expressions ───────────────────────────────────────────────────────────

  #expr(expr: ast.Expr): Doc {
    switch (expr.kind) {
      case "NumberLiteral":
      case "StringLiteral":
      case "BooleanLiteral":
      case "NoneLiteral":
      case "Reference":
        return this.#take();
      case "ListLiteral":
        return this.#list(expr.items, (item) => this.#expr(item), argumentList);
      case "Comprehension":
        return this.#comprehension(expr);
      case "RecordLiteral":
        return this.#list(expr.fields, ({ value }) => [this.#take(), this.#take(), " ", this.#expr(value)], fieldList);
      case "Member":
        return [this.#expr(expr.object), this.#take(), this.#take()];
      case "Call":
        return this.#call(expr);
      case "Subscript":
        return [this.#expr(expr.object), this.#list(expr.indices, (index) => this.#index(index), tightList)];
      case "Unary":
        return [this.#take(), expr.op === "not" ? " " : nothing, this.#expr(expr.operand)];
      case "Binary":
        return this.#binary(expr);
      case "Pipe":
        return this.#pipe(expr);
      case "Conditional":
        return this.#conditional(expr);
      case "Lambda":
        return this.#lambda(expr);
      case "Paren": {
        const inner = [this.#take(), indent([softline, this.#expr(expr.inner), this.#takeComments()])];
        return group([inner, softline, this.#take()]);
      }
    }
  }

  #comprehension({ value, clauses }: ast.Comprehension): Doc {
    const open = this.#take();
    const parts: Doc[] = [this.#takeComments(), softline, this.#expr(value)];
    for (const { index, over, condition } of clauses) {
      parts.push(this.#takeComments(), line, this.#words(2));
      if (index !== null) parts.push(this.#take(), " ", this.#take());
      parts.push(" ", this.#take(), " ", this.#expr(over));
      if (condition !== null) parts.push(this.#takeComments(), line, this.#take(), " ", this.#expr(condition));
    }
    return group([open, indent([parts, this.#takeComments()]), softline, this.#take()]);
  }

  #call({ callee, arguments: given, per, parenthesised }: ast.Call): Doc {
    const head = this.#expr(callee);
    return parenthesised ? [head, this.#arguments(given), this.#per(per)] : [head, this.#per(per)];
  }

  #argument({ name, value }: ast.Argument): Doc {
    return name === null ? this.#expr(value) : [this.#take(), this.#take(), " ", this.#expr(value)];
  }

  #arguments(given: readonly ast.Argument[]): Doc {
    const brackets = given.filter(({ value }) => hasBrackets(value));
    const [hugged] = given.length === 1 ? brackets : brackets.filter(({ value }) => value.kind === "Lambda");
    if (hugged === undefined || brackets.filter(({ value }) => value.kind === "Lambda").length > 1) {
      return this.#list(given, (argument) => this.#argument(argument), argumentList);
    }
    return this.#huggingArguments(given, hugged);
  }

  /** `f(x, (h) => {` and a body: one argument may take several lines without the others being broken. */
  #huggingArguments(given: readonly ast.Argument[], hugged: ast.Argument): Doc {
    const open = this.#take();
    const leading = this.#takeComments();
    const parts: { readonly doc: Doc; readonly comma: Doc; readonly comments: Doc }[] = [];
    given.forEach((argument, i) => {
      const doc = this.#argument(argument);
      parts.push({ doc, ...this.#comma(i === given.length - 1, argumentList) });
    });
    const close = this.#take();
    const spread = group([
      open,
      indent([leading, softline, parts.map(({ doc, comma, comments }, i) => [i > 0 ? line : nothing, doc, comma, comments])]),
      softline,
      close,
    ]);
    const plain =
      !breaks(leading) &&
      !breaks(close) &&
      parts.every(({ doc, comma, comments }, i) => !breaks(comments) && !breaks(comma) && (given[i] === hugged || !breaks(doc)));
    if (!plain) return spread;
    const tight = [open, parts.map(({ doc }, i) => (i > 0 ? [", ", doc] : doc)), close];
    return given.length === 1 ? tight : breaks(tight) ? choice(tight, spread) : spread;
  }

  #index(index: ast.Index): Doc {
    switch (index.kind) {
      case "IndexRest":
        return this.#take();
      case "IndexRange":
        return [this.#expr(index.from), " ", this.#take(), " ", this.#expr(index.to)];
      case "IndexSlice": {
        const { start, stop } = index;
        // as in `0:8`, but `0 : n - 1`
        const space = (start === null || isShort(start)) && (stop === null || isShort(stop)) ? nothing : " ";
        const from = start === null ? nothing : [this.#expr(start), space];
        const colon = this.#take();
        return [from, colon, stop === null ? nothing : [space, this.#expr(stop)]];
      }
      case "IndexExpr":
        return this.#expr(index.value);
    }
  }

  /** A chain of operators of one level: the lines of a long one start with the operators. */
  #binary(expr: ast.Binary): Doc {
    const operands: ast.Expr[] = [];
    let first: ast.Expr = expr;
    while (first.kind === "Binary" && levelOf(first.op) === levelOf(expr.op)) {
      operands.push(first.right);
      first = first.left;
    }
    const head = this.#expr(first);
    const rest = operands.reverse().map((operand) => [this.#takeComments(), line, this.#take(), " ", this.#expr(operand)]);
    return group([head, indent(rest)]);
  }

  #pipe({ left, stages }: ast.Pipe): Doc {
    const head = this.#expr(left);
    const rest = stages.map((stage) => [this.#takeComments(), line, this.#take(), " ", this.#expr(stage)]);
    return group([head, indent(rest)]);
  }

  /** On one line, or `if ... then ...` and each `else` on a line of its own. */
  #conditional(expr: ast.Conditional): Doc {
    const head = this.#arm(expr);
    const rest: Doc[] = [];
    let otherwise: ast.Expr = expr.otherwise;
    for (; otherwise.kind === "Conditional"; otherwise = otherwise.otherwise) {
      rest.push(this.#takeComments(), line, this.#take(), " ", this.#arm(otherwise));
    }
    rest.push(this.#takeComments(), line, this.#take(), " ", this.#expr(otherwise));
    return group([head, indent(rest)]);
  }

  #arm({ condition, then }: ast.Conditional): Doc {
    return [this.#take(), " ", this.#expr(condition), " ", this.#take(), " ", this.#expr(then)];
  }

  #lambda({ parameters, body }: ast.Lambda): Doc {
    const head = [this.#list(parameters, () => this.#take(), tightList), " ", this.#take(), " "];
    return [head, body.kind === "Block" ? this.#block(body) : this.#expr(body)];
  }
}

/** An empty line in a list that is broken anyway; in one that fits it is a space. */
const softBlank: Doc = { kind: "line", flat: " ", blank: true };

/** What can stand after `f(` and break inside its own brackets. */
function hasBrackets({ kind, ...expr }: ast.Expr): boolean {
  if (kind === "Lambda") return "body" in expr && expr.body.kind === "Block";
  return kind === "ListLiteral" || kind === "Comprehension" || kind === "RecordLiteral";
}

function isShort(expr: ast.Expr): boolean {
  if (expr.kind === "Unary") return isShort(expr.operand);
  return expr.kind === "NumberLiteral" || expr.kind === "Reference" || expr.kind === "Member";
}

const levels: readonly (readonly ast.BinaryOp[])[] = [["or"], ["and"], ["+", "-", "++"], ["*", "/", "@"]];

/** Operators of one level read from left to right; the others do not chain. */
function levelOf(op: ast.BinaryOp): number | ast.BinaryOp {
  const level = levels.findIndex((ops) => ops.includes(op));
  return level < 0 ? op : level;
}
