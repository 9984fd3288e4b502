import { EmbeddedActionsParser, EOF, type IToken, MismatchedTokenException, NoViableAltException, type TokenType } from "chevrotain";
import type { Expr, Name, Reference } from "./ast.ts";
import { type SyntaxCode, syntaxCatalogue } from "./catalogue.ts";
import { type Details, type Diagnostic, makeDiagnostic, type Note, type Placeholders } from "./diagnostic.ts";
import { attachDocs } from "./doc-comments.ts";
import { type Comment, endOfText, type Lexeme } from "./lexer.ts";
import { type Decision, OneTokenLookahead, readDecisions, type StoredDecision, storeDecisions } from "./lookahead.ts";
import { type Container, type ContainerKind, interruptsExpression, isEntryLine, readsLikePart } from "./recovery.ts";
import type { Source, Span } from "./source.ts";
import { describe, helpFor, helpForPart, partNames, unexpectedPart } from "./syntax-help.ts";
import * as t from "./tokens.ts";

/** Levels of brackets, and of expressions within expressions. */
export const nestingLimit = 200;
const expressionLimit = 256;
const errorLimit = 100;

/** A syntax error on its way to the nearest place where parsing can go on. */
class Failure extends Error {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.diagnostic = diagnostic;
  }
}

/** Ends the parse of the whole file. */
class Abort extends Error {}

export interface ParserOptions {
  readonly skipValidations: boolean;
  /** What the analysis of the grammar would find; null to analyse it. */
  readonly decisions?: readonly StoredDecision[] | null;
}

/** What is read before the first token and after the last one. */
const outside = endOfText(0, -1);

/** Phrases, as given to `ERR_MSG` in the grammar, reach the message of the exception unchanged. */
const errorMessageProvider = {
  buildMismatchTokenMessage: (o: { expected: TokenType }): string => `\`${o.expected.LABEL ?? o.expected.name}\``,
  buildNotAllInputParsedMessage: (): string => "the end of the file",
  buildNoViableAltMessage: (o: { customUserDescription?: string }): string => o.customUserDescription ?? "something else",
  buildEarlyExitMessage: (o: { customUserDescription?: string }): string => o.customUserDescription ?? "something else",
};

/**
 * The machinery under the grammar: spans, phrases, and recovery. Chevrotain's own recovery guesses from follow sets, which soft keywords
 * blur; here every statement, item, entry and definition catches its errors and goes on where the next one starts (`recovery.ts`).
 */
export abstract class RecoveringParser extends EmbeddedActionsParser {
  /** Chevrotain's place in the tokens: the index of the last one consumed. */
  declare protected currIdx: number;
  /** By what Chevrotain decides. */
  declare protected lookAheadFuncsCache: ReadonlyMap<number, Decision>;
  declare protected selfAnalysisDone: boolean;
  #tokens: readonly Lexeme[] = [];
  #source: Source | null = null;
  #diagnostics: Diagnostic[] = [];
  #containers: Container[] = [];
  #depth = 0;
  #docs: ReadonlyMap<number, string> = new Map();

  constructor({ skipValidations }: ParserOptions) {
    const lookahead = { maxLookahead: 1, lookaheadStrategy: new OneTokenLookahead() };
    super(t.tokenTypes, { ...lookahead, recoveryEnabled: false, skipValidations, errorMessageProvider });
  }

  /**
   * A step of Chevrotain's analysis of the grammar. It makes a fast prototype of the parser before it records the grammar, which then takes each of 180
   * properties that it adds and deletes as a change of a prototype: a third of the analysis. `prepare` does it afterwards.
   */
  protected TRACE_INIT<T>(step: string, run: () => T): T | undefined {
    return step === "toFastProps" ? undefined : run();
  }

  /** Makes ready for parsing, once all rules are there. */
  protected prepare({ decisions = null }: ParserOptions): void {
    if (decisions === null) this.performSelfAnalysis();
    else {
      this.lookAheadFuncsCache = readDecisions(decisions);
      this.selfAnalysisDone = true;
    }
    // What is the prototype of something has fast properties.
    Object.create(this);
  }

  /** All that the parser decides by. */
  get decisions(): readonly StoredDecision[] {
    return storeDecisions(this.lookAheadFuncsCache);
  }

  protected start(source: Source, tokens: Lexeme[], comments: readonly Comment[]): void {
    this.#source = source;
    this.#diagnostics = [];
    this.#containers = [{ kind: "file", depth: 0 }];
    this.#depth = 0;
    this.#docs = attachDocs(tokens, comments);
    this.#tokens = tokens;
    this.input = tokens;
  }

  /** Runs the parse to its end or to the first error after which going on is pointless. */
  protected finish<T>(parse: () => T, partial: () => T): { readonly result: T; readonly diagnostics: readonly Diagnostic[] } {
    let result: T;
    try {
      result = parse();
    } catch (error) {
      if (error instanceof RangeError) this.#diagnostics.push(this.#outOfStack());
      else if (!(error instanceof Abort)) throw error;
      result = partial();
    }
    const diagnostics = this.#diagnostics;
    this.#tokens = [];
    this.input = [];
    this.#source = null;
    this.#docs = new Map();
    return { result, diagnostics };
  }

  // ── tokens and spans ──────────────────────────────────────────────────────

  protected peek(offset = 1): Lexeme {
    return this.#tokens[this.currIdx + offset] ?? outside;
  }

  protected nextIs(type: TokenType, offset = 1): boolean {
    return this.peek(offset).tokenType === type;
  }

  protected nextIsName(offset = 1): boolean {
    return t.isName(this.peek(offset).tokenType);
  }

  /** Consumes the next token, but for the last one. */
  protected advance(): Lexeme {
    if (this.currIdx < this.#tokens.length - 1) this.currIdx += 1;
    return this.peek(0);
  }

  protected accept(type: TokenType): Lexeme | null {
    return this.nextIs(type) ? this.advance() : null;
  }

  protected take(type: TokenType, expected: string): Lexeme {
    if (this.RECORDING_PHASE) return this.peek();
    return this.nextIs(type) ? this.advance() : this.failExpecting(expected);
  }

  protected name(expected: string): Name {
    return this.nextIsName() ? this.nameOf(this.advance()) : this.failExpecting(expected);
  }

  protected get source(): Source {
    return this.#source as Source;
  }

  protected spanOf(token: IToken): Span {
    return { source: this.#source as Source, start: token.startOffset, end: (token as Lexeme).end };
  }

  /** From a token to the last one consumed. */
  protected spanFrom(start: IToken): Span {
    return { source: this.#source as Source, start: start.startOffset, end: Math.max(start.startOffset, this.peek(0).end) };
  }

  protected nameOf(token: IToken): Name {
    return { kind: "Name", text: token.image, span: this.spanOf(token) };
  }

  /** Stands for an expression that is not there: a reference to the empty name, after the last token. */
  protected missing(): Reference {
    const end = this.peek(0).end;
    return { kind: "Reference", name: "", span: { source: this.source, start: end, end } };
  }

  protected docAt(token: IToken): string | null {
    return this.docAtOffset(token.startOffset);
  }

  protected docAtOffset(offset: number): string | null {
    return this.#docs.get(offset) ?? null;
  }

  // ── errors ────────────────────────────────────────────────────────────────

  protected report<C extends SyntaxCode>(
    code: C,
    span: Span,
    values: Placeholders<(typeof syntaxCatalogue)[C]["message"]>,
    details: Details = {},
  ): void {
    if (this.RECORDING_PHASE) return;
    this.#add(makeDiagnostic(syntaxCatalogue, code, span, values, details));
  }

  #add(diagnostic: Diagnostic): void {
    if (this.#diagnostics.length >= errorLimit) {
      this.#diagnostics.push(makeDiagnostic(syntaxCatalogue, "syntax/too-many", diagnostic.span, { limit: errorLimit }));
      throw new Abort();
    }
    this.#diagnostics.push(diagnostic);
  }

  protected unexpected(expected: string, token: Lexeme, details: Details = {}): Diagnostic {
    const help = details.help ?? helpFor(token, this.peek(0), (offset) => this.peek(offset));
    const span = token.tokenType === EOF ? this.#endOfText() : this.spanOf(token);
    return makeDiagnostic(syntaxCatalogue, "syntax/unexpected", span, { expected, found: describe(token) }, { ...details, help });
  }

  /** The end of the file as a place to point at: right after its last token. */
  #endOfText(): Span {
    const end = this.peek(0).end;
    return { source: this.source, start: end, end };
  }

  /** The limits keep the stack from overflowing, unless the caller has used most of it. */
  #outOfStack(): Diagnostic {
    return makeDiagnostic(syntaxCatalogue, "syntax/too-deep", this.spanOf(this.peek()), { limit: nestingLimit });
  }

  protected fail(diagnostic: Diagnostic): never {
    throw new Failure(diagnostic);
  }

  protected failExpecting(expected: string): never {
    this.fail(this.unexpected(expected, this.peek()));
  }

  protected tooDeep(token: IToken, limit = nestingLimit): never {
    this.#add(makeDiagnostic(syntaxCatalogue, "syntax/too-deep", this.spanOf(token), { limit }));
    throw new Abort();
  }

  protected enter(): void {
    if (this.#depth >= expressionLimit) this.tooDeep(this.peek());
    this.#depth += 1;
  }

  protected leave(): void {
    this.#depth -= 1;
  }

  // ── recovery ──────────────────────────────────────────────────────────────

  /** Parses a part of the current container; after an error, goes on at the next part and gives `otherwise`. */
  protected attempt<T>(parse: () => T, otherwise: () => T): T {
    if (this.RECORDING_PHASE) return parse();
    const depth = this.#depth;
    const containers = this.#containers.length;
    const start = this.peek().index;
    try {
      return parse();
    } catch (error) {
      this.#depth = depth;
      this.#containers.length = containers;
      this.#add(this.#toDiagnostic(error));
      if (this.peek().index === start && !this.#atPart()) this.advance();
      this.resync();
      return otherwise();
    }
  }

  #toDiagnostic(error: unknown): Diagnostic {
    if (error instanceof Failure) return error.diagnostic;
    if (error instanceof MismatchedTokenException || error instanceof NoViableAltException) {
      return this.unexpected(error.message, error.token as Lexeme);
    }
    throw error;
  }

  /** Skips to the next part of the current container, or to its end. */
  protected resync(): void {
    while (!this.nextIs(EOF) && !this.#atPart()) this.advance();
  }

  #atPart(): boolean {
    const container = this.#containers[this.#containers.length - 1] as Container;
    const token = this.peek();
    if (token.depth < container.depth) return true;
    return token.depth === container.depth && readsLikePart(container.kind, this.#tokens, token.index);
  }

  /** Fails where the next part starts although an expression is due: `let a = b +` before `output c = ...`, whose words may be names as well. */
  protected refuseNextPart(next: Lexeme): void {
    if (this.RECORDING_PHASE) return;
    const container = this.#containers[this.#containers.length - 1] as Container;
    if (next.depth === container.depth && interruptsExpression(container.kind, this.#tokens, next.index)) {
      this.fail(this.unexpected("an expression", next));
    }
  }

  /** Parses `{ parts }`; whatever is no part is reported and skipped. */
  protected container(kind: ContainerKind, owner: string, parts: () => void): void {
    const open = this.CONSUME(t.LCurly, { ERR_MSG: `\`{\` to open ${owner}` }) as Lexeme;
    this.ACTION(() => this.#containers.push({ kind, depth: open.depth + 1 }));
    do parts();
    while (this.skipJunk());
    this.ACTION(() => {
      this.#containers.pop();
      // reported, not thrown: what was parsed of the container is kept
      if (this.nextIs(t.RCurly) && this.peek().depth === open.depth) return;
      this.#add(this.unexpected(`\`}\` to close ${owner}`, this.peek(), { notes: [this.#opened(open)] }));
    });
    this.OPTION9({ GATE: () => this.peek().depth === open.depth, DEF: () => this.CONSUME(t.RCurly) });
  }

  /** Whether the next token is still inside the container that is being parsed. */
  protected inside(): boolean {
    const container = this.#containers[this.#containers.length - 1] as Container;
    return this.peek().depth >= container.depth;
  }

  /** Reports what cannot be a part here and skips it; false at the end of the container. */
  protected skipJunk(): boolean {
    if (this.RECORDING_PHASE || this.nextIs(EOF) || !this.inside()) return false;
    const { kind } = this.#containers[this.#containers.length - 1] as Container;
    const misplaced = unexpectedPart(kind, this.peek(), this.#tokens);
    if (misplaced !== null) {
      this.report("syntax/misplaced", this.spanOf(this.peek()), misplaced);
    } else {
      const expected = partNames[kind];
      this.#add(this.unexpected(expected, this.peek(), { help: helpForPart(kind, this.peek(), this.peek(2)) }));
    }
    this.advance();
    this.resync();
    return true;
  }

  #opened(open: Lexeme): Note {
    return { message: "opened here", span: this.spanOf(open) };
  }

  /** The closing bracket; without it, shows where the bracket was opened. */
  protected close(type: TokenType, open: Lexeme, expected: string): void {
    this.expectClosing(type, open, expected);
    this.advance();
  }

  protected expectClosing(type: TokenType, open: Lexeme, expected: string): void {
    if (this.RECORDING_PHASE || this.nextIs(type)) return;
    const sameLine = this.source.position(open.startOffset).line === this.source.position(this.peek().startOffset).line;
    this.fail(this.unexpected(expected, this.peek(), { notes: sameLine ? [] : [this.#opened(open)] }));
  }

  /** Elements separated by commas, with an optional comma at the end, up to the closing bracket. */
  protected list<T>(closing: TokenType, element: () => T): T[] {
    const nodes: T[] = [];
    while (!this.RECORDING_PHASE && !this.nextIs(closing)) {
      nodes.push(element());
      if (!this.another(this.accept(t.Comma) !== null, closing)) break;
    }
    return nodes;
  }

  /** After an element of a comma-separated list: whether another one follows. A comma left out is reported and taken as there. */
  protected another(hadComma: boolean, closing: TokenType): boolean {
    if (this.RECORDING_PHASE || hadComma) return true;
    const next = this.peek();
    if (next.tokenType === closing || !this.startsElement(next, closing)) return false;
    const at = this.peek(0).end;
    const span = { source: this.source, start: at, end: at };
    const fixes = [{ title: "Insert `,`", edits: [{ span, text: "," }], safe: true }];
    this.report("syntax/missing-comma", this.spanOf(next), { found: describe(next) }, { fixes });
    return true;
  }

  /** A token that starts an element of a list and that cannot as well belong to what follows an unclosed list. */
  protected startsElement(token: Lexeme, closing: TokenType): boolean {
    if (token.depth < 1 || this.#atPart()) return false;
    // `import { a from "b"` and `id[B of 20`
    if (token.tokenType === t.From || token.tokenType === t.OfToken) return false;
    if (isEntryLine(this.#tokens, token.index)) return false;
    // elsewhere than in a list, a brace more likely opens the body after an unclosed parenthesis
    if (token.tokenType === t.LCurly) return closing === t.RSquare;
    return this.nextIsName() || [t.NumberToken, t.StringToken, t.True, t.False, t.None].includes(token.tokenType);
  }

  /** The `:` of a field or a named argument; `=` is reported, and read as meant. */
  protected colon(what: string, name: Name, expected: string): void {
    if (this.nextIs(t.Equals)) {
      const span = this.spanOf(this.advance());
      const blank = this.source.text.slice(name.span.end, span.start).trim() === "";
      const edits = [{ span: blank ? { ...span, start: name.span.end } : span, text: ":" }];
      const fixes = [{ title: "Replace `=` by `:`", edits, safe: true }];
      this.report("syntax/equals-for-colon", span, { what, name: name.text }, { fixes });
    } else {
      this.take(t.Colon, expected);
    }
  }

  /** The value at the end of a statement, with what people write after it by mistake. */
  protected value(parse: () => Expr): Expr {
    const value = this.attempt(parse, () => this.missing());
    this.ACTION(() => {
      if (this.nextIs(t.Colon)) this.report("syntax/claim-after-value", this.spanOf(this.peek()), {});
      else if (this.nextIs(t.Question)) this.report("syntax/conditional", this.spanOf(this.peek()), {});
      else if (this.nextIs(t.PerToken)) this.report("syntax/per-place", this.spanOf(this.peek()), { what: "a value that is no call" });
      else return;
      this.advance();
      this.resync();
    });
    return value;
  }
}
