import type { IToken, TokenType } from "chevrotain";
import type * as ast from "./ast.ts";
import { syntaxCatalogue } from "./catalogue.ts";
import { storedDecisions } from "./decisions.ts";
import { type Diagnostic, makeDiagnostic } from "./diagnostic.ts";
import { ExpressionParser } from "./expression-parser.ts";
import { type Comment, type Lexeme, lex } from "./lexer.ts";
import { nestingLimit, type ParserOptions } from "./recovering-parser.ts";
import { measureDepth } from "./recovery.ts";
import type { Source } from "./source.ts";
import * as t from "./tokens.ts";
import { firstDeeperThan } from "./visit.ts";

export interface ParseResult {
  /** Partial where there are errors: parts that could not be read are left out, missing expressions are references to the empty name. */
  readonly file: ast.File;
  readonly comments: readonly Comment[];
  readonly diagnostics: readonly Diagnostic[];
}

const megabytes = 4;
const treeDepthLimit = 640;
/** Blocks within blocks, which only functions in functions give. */
const blockLimit = 40;

let parser: PleParser | undefined;

/** Reads a source text. Never throws; after a mistake it goes on with the next statement, item or definition. */
export function parse(source: Source): ParseResult {
  const empty: ast.File = { kind: "File", imports: [], items: [], span: { source, start: 0, end: source.text.length } };
  if (source.text.length > megabytes * 2 ** 20) {
    const tooLarge = makeDiagnostic(syntaxCatalogue, "syntax/too-large", { source, start: 0, end: 0 }, { limit: megabytes });
    return { file: empty, comments: [], diagnostics: [tooLarge] };
  }
  const { tokens, comments, diagnostics: lexical } = lex(source);
  const deep = measureDepth(tokens, nestingLimit);
  if (deep !== null) return { file: empty, comments, diagnostics: [tooDeep(source, deep.startOffset)] };
  parser ??= new PleParser({ skipValidations: true, decisions: storedDecisions });
  const { file, diagnostics } = parser.parseFile(source, tokens, comments);
  const deepNode = file.items.map((item) => firstDeeperThan(item, treeDepthLimit)).find((node) => node !== null);
  if (deepNode !== undefined) return { file: empty, comments, diagnostics: [tooDeep(source, deepNode.span.start)] };
  return { file, comments, diagnostics: merge(lexical, diagnostics) };
}

function tooDeep(source: Source, start: number): Diagnostic {
  return makeDiagnostic(syntaxCatalogue, "syntax/too-deep", { source, start, end: start + 1 }, { limit: nestingLimit });
}

/** Both in source order; of two findings at one place the lexer's says more. */
function merge(lexical: readonly Diagnostic[], syntactic: readonly Diagnostic[]): readonly Diagnostic[] {
  if (lexical.length === 0) return syntactic;
  const start = (diagnostic: Diagnostic): number => diagnostic.span?.start ?? 0;
  // a stray character splits a name in two: what follows it is no second mistake
  const places = new Set(lexical.flatMap((found) => (found.code === "syntax/stray" ? [start(found), found.span?.end] : [start(found)])));
  const rest = syntactic.filter((diagnostic) => !places.has(start(diagnostic)));
  return [...lexical, ...rest].sort((a, b) => start(a) - start(b)).slice(0, 200);
}

const roleOf: ReadonlyMap<TokenType, ast.Role> = new Map([
  [t.ModuleToken, "module"],
  [t.ExpertToken, "expert"],
  [t.GateToken, "gate"],
  [t.TowerToken, "tower"],
  [t.LossToken, "loss"],
]);

/** The grammar of files, definitions and models; section 2 of `docs/language.md`, rule by rule. */
export class PleParser extends ExpressionParser {
  #imports: ast.Import[] = [];
  #items: ast.TopLevel[] = [];
  /** Statements of a block take no `per`; items of a model do. */
  #inBlock = 0;

  constructor(options: ParserOptions) {
    super(options);
    this.prepare(options);
  }

  parseFile(
    source: Source,
    tokens: Lexeme[],
    comments: readonly Comment[],
  ): { readonly file: ast.File; readonly diagnostics: readonly Diagnostic[] } {
    this.start(source, tokens, comments);
    this.#imports = [];
    this.#items = [];
    this.#inBlock = 0;
    const toFile = (): ast.File => ({
      kind: "File",
      imports: this.#imports,
      items: this.#documented(),
      span: { source, start: 0, end: source.text.length },
    });
    const { result, diagnostics } = this.finish(() => {
      this.file();
      return toFile();
    }, toFile);
    return { file: result, diagnostics };
  }

  /** The items, a doc comment before the imports being that of the file's model. */
  #documented(): readonly ast.TopLevel[] {
    const [first] = this.#imports;
    const head = first === undefined ? null : this.docAtOffset(first.span.start);
    const models = this.#items.filter((item) => item.kind === "Model");
    if (head === null || models.length !== 1) return this.#items;
    return this.#items.map((item) => (item.kind === "Model" && item.doc === null ? { ...item, doc: head } : item));
  }

  // ── files and definitions ─────────────────────────────────────────────────

  private file = this.RULE("file", () => {
    do this.MANY(() => this.attempt(() => this.SUBRULE(this.topLevel), nothing));
    while (this.skipJunk());
  });

  private topLevel = this.RULE("topLevel", () => {
    this.OR({
      ERR_MSG: "a definition, a constant or a model",
      DEF: [
        {
          ALT: () => {
            const node = this.SUBRULE(this.import);
            this.ACTION(() => {
              this.#imports.push(node);
              if (this.#items.length > 0) this.report("syntax/late-import", node.span, {});
            });
          },
        },
        { ALT: () => this.#items.push(this.SUBRULE(this.const)) },
        { ALT: () => this.#items.push(this.SUBRULE(this.definition)) },
        { ALT: () => this.#items.push(this.SUBRULE(this.model)) },
      ],
    });
  });

  private import = this.RULE("import", (): ast.Import => {
    const start = this.CONSUME(t.ImportToken);
    const open = this.CONSUME(t.LCurly, { ERR_MSG: "`{` and the names to import" }) as Lexeme;
    const names = this.list(t.RCurly, () => this.importName());
    this.expectClosing(t.RCurly, open, "`,` or `}` after an imported name");
    this.CONSUME(t.RCurly);
    this.CONSUME(t.From, { ERR_MSG: "`from` and the path of a file" });
    const path = this.string("the path of a file as a string");
    return { kind: "Import", names, path, span: this.spanFrom(start) };
  });

  private importName(): ast.ImportName {
    const start = this.peek();
    const name = this.name("a name to import");
    const alias = this.accept(t.As) === null ? null : this.name("a name after `as`");
    return { kind: "ImportName", name, alias, span: this.spanFrom(start) };
  }

  private const = this.RULE("const", (): ast.Const => {
    const start = this.CONSUME(t.ConstToken);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `const`" }));
    this.CONSUME(t.Equals, { ERR_MSG: "`=` after the name of a constant" });
    const value = this.value(() => this.SUBRULE(this.expr));
    return { kind: "Const", doc: this.docAt(start), name, value, span: this.spanFrom(start) };
  });

  private definition = this.RULE("definition", (): ast.Definition => {
    const start = this.SUBRULE(this.role);
    const role = roleOf.get(start.tokenType) ?? "module";
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "the name of the definition" }));
    const open = this.CONSUME(t.LParen, { ERR_MSG: "`(` and the parameters" }) as Lexeme;
    const parameters = this.list(t.RParen, () => this.parameter());
    this.expectClosing(t.RParen, open, "`,` or `)` after a parameter");
    this.CONSUME(t.RParen);
    let result: ast.Type | null = null;
    this.OPTION(() => {
      this.CONSUME(t.Arrow);
      result = this.SUBRULE(this.type);
    });
    const fits: ast.Name[] = [];
    this.OPTION2(() => {
      this.CONSUME(t.For);
      fits.push(this.nameOf(this.CONSUME2(t.Name, { ERR_MSG: "a task kind after `for`" })));
      this.MANY(() => {
        this.CONSUME(t.Bar);
        fits.push(this.nameOf(this.CONSUME3(t.Name, { ERR_MSG: "a task kind after `|`" })));
      });
    });
    const body = this.SUBRULE(this.block, { ARGS: [`the body of \`${name.text}\``] });
    return { kind: "Definition", doc: this.docAt(start), role, name, parameters, result, fits, body, span: this.spanFrom(start) };
  });

  private role = this.RULE(
    "role",
    (): IToken =>
      this.OR([
        { ALT: () => this.CONSUME(t.ModuleToken) },
        { ALT: () => this.CONSUME(t.ExpertToken) },
        { ALT: () => this.CONSUME(t.GateToken) },
        { ALT: () => this.CONSUME(t.TowerToken) },
        { ALT: () => this.CONSUME(t.LossToken) },
      ]),
  );

  private parameter(): ast.Parameter {
    const start = this.peek();
    const name = this.name("the name of a parameter");
    this.take(t.Colon, "`:` and the type of the parameter");
    const type = this.typeExpression();
    const defaultValue = this.accept(t.Equals) === null ? null : this.expression();
    return { kind: "Parameter", name, type, defaultValue, span: this.spanFrom(start) };
  }

  // ── statements ────────────────────────────────────────────────────────────

  protected override block = this.RULE("block", (owner?: string): ast.Block => {
    const start = this.LA(1);
    const statements: ast.Statement[] = [];
    if (this.#inBlock >= blockLimit) this.tooDeep(start, blockLimit);
    this.#inBlock += 1;
    try {
      this.container("block", owner ?? "a block", () => {
        this.MANY({
          GATE: () => this.inside(),
          DEF: () => {
            const statement = this.attempt(() => this.SUBRULE(this.statement), nothing);
            if (statement !== null) statements.push(statement);
          },
        });
      });
    } finally {
      this.#inBlock -= 1;
    }
    return { kind: "Block", statements, span: this.spanFrom(start) };
  });

  private statement = this.RULE(
    "statement",
    (): ast.Statement =>
      this.OR({
        ERR_MSG: "a statement",
        DEF: [
          { ALT: (): ast.Statement => this.SUBRULE(this.let) },
          { ALT: () => this.SUBRULE(this.param) },
          { ALT: () => this.SUBRULE(this.output) },
          { ALT: () => this.SUBRULE(this.penalty) },
          { ALT: () => this.SUBRULE(this.require) },
          { ALT: () => this.SUBRULE(this.return) },
        ],
      }),
  );

  private let = this.RULE("let", (): ast.Let => {
    const start = this.CONSUME(t.LetToken);
    const names = [this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `let`" }))];
    this.MANY(() => {
      this.CONSUME(t.Comma);
      names.push(this.nameOf(this.CONSUME2(t.Name, { ERR_MSG: "another name after `,`" })));
    });
    const per = this.modelPer("a `let` in a definition or a flow", () => this.OPTION(() => this.SUBRULE(this.per)));
    const type =
      this.OPTION2(() =>
        this.claim(
          () => this.CONSUME(t.Colon),
          () => this.SUBRULE(this.type),
        ),
      ) ?? null;
    this.CONSUME(t.Equals, { ERR_MSG: "`=` after the name of a `let`" });
    const value = this.value(() => this.SUBRULE(this.expr));
    return { kind: "Let", doc: this.docAt(start), names, per, type, value, span: this.spanFrom(start) };
  });

  private param = this.RULE("param", (): ast.Param => {
    const start = this.CONSUME(t.ParamToken);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `param`" }));
    this.CONSUME(t.Colon, { ERR_MSG: "`:` and the type of the parameter" });
    const type = this.SUBRULE(this.type);
    this.CONSUME(t.Equals, { ERR_MSG: "`=` and an initialiser" });
    const initial = this.value(() => this.SUBRULE(this.expr));
    const tags = this.OPTION(() => this.SUBRULE(this.record)) ?? null;
    return { kind: "Param", doc: this.docAt(start), name, type, initial, tags, span: this.spanFrom(start) };
  });

  private output = this.RULE("output", (): ast.Output => {
    const start = this.CONSUME(t.OutputToken);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `output`" }));
    const per = this.modelPer("an `output` of a definition or a flow", () => this.OPTION(() => this.SUBRULE(this.per)));
    const type =
      this.OPTION2(() =>
        this.claim(
          () => this.CONSUME(t.Colon),
          () => this.SUBRULE(this.type),
        ),
      ) ?? null;
    this.CONSUME(t.Equals, { ERR_MSG: "`=` after the name of an `output`" });
    const value = this.value(() => this.SUBRULE(this.expr));
    return { kind: "Output", doc: this.docAt(start), name, per, type, value, span: this.spanFrom(start) };
  });

  private penalty = this.RULE("penalty", (): ast.Penalty => {
    const start = this.CONSUME(t.PenaltyToken);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `penalty`" }));
    const per = this.modelPer("a `penalty` of a definition or a flow", () => this.OPTION(() => this.SUBRULE(this.per)));
    this.CONSUME(t.Equals, { ERR_MSG: "`=` after the name of a `penalty`" });
    const value = this.value(() => this.SUBRULE(this.expr));
    return { kind: "Penalty", doc: this.docAt(start), name, per, value, span: this.spanFrom(start) };
  });

  private require = this.RULE("require", (): ast.Require => {
    const start = this.CONSUME(t.RequireToken);
    const condition = this.SUBRULE(this.expr);
    this.CONSUME(t.Comma, { ERR_MSG: "`,` and a message after the condition of a `require`" });
    const message = this.string("the message of the `require` as a string");
    return { kind: "Require", condition, message, span: this.spanFrom(start) };
  });

  private return = this.RULE("return", (): ast.Return => {
    const start = this.CONSUME(t.ReturnToken);
    const value = this.value(() => this.SUBRULE(this.expr));
    return { kind: "Return", value, span: this.spanFrom(start) };
  });

  // ── models ────────────────────────────────────────────────────────────────

  private model = this.RULE("model", (): ast.Model => {
    const start = this.CONSUME(t.ModelToken);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `model`" }));
    const items: ast.Item[] = [];
    this.container("model", `the model \`${name.text}\``, () => {
      this.MANY({
        GATE: () => this.inside(),
        DEF: () => {
          const item = this.attempt(() => this.SUBRULE(this.item), nothing);
          if (item !== null) items.push(item);
        },
      });
    });
    return { kind: "Model", doc: this.docAt(start), name, items, span: this.spanFrom(start) };
  });

  private item = this.RULE(
    "item",
    (): ast.Item =>
      this.OR({
        ERR_MSG: "an item of the model",
        DEF: [
          { ALT: (): ast.Item => this.SUBRULE(this.const) },
          { ALT: () => this.SUBRULE(this.dimDeclaration) },
          { ALT: () => this.SUBRULE(this.inputItem) },
          { ALT: () => this.SUBRULE(this.let) },
          { ALT: () => this.SUBRULE(this.param) },
          { ALT: () => this.SUBRULE(this.bank) },
          { ALT: () => this.SUBRULE(this.group) },
          { ALT: () => this.SUBRULE(this.task) },
          { ALT: () => this.SUBRULE(this.transfer) },
          { ALT: () => this.SUBRULE(this.flow) },
          { ALT: () => this.SUBRULE(this.output) },
          { ALT: () => this.SUBRULE(this.penalty) },
          { ALT: () => this.SUBRULE(this.train) },
        ],
      }),
  );

  private dimDeclaration = this.RULE("dimDeclaration", (): ast.DimDeclaration => {
    const start = this.CONSUME(t.DimToken);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `dim`" }));
    return { kind: "DimDeclaration", doc: this.docAt(start), name, span: this.spanFrom(start) };
  });

  private inputItem = this.RULE("inputItem", (): ast.Input => {
    const start = this.CONSUME(t.InputToken);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `input`" }));
    let type: ast.Type | null = null;
    let defaultValue: ast.Expr | null = null;
    if (this.RECORDING_PHASE || this.LA(1).tokenType !== t.From) {
      this.CONSUME(t.Colon, { ERR_MSG: "`:` and the type of the input, or `from` and a feature schema" });
      type = this.SUBRULE(this.type);
      this.OPTION(() => {
        this.CONSUME(t.Equals);
        defaultValue = this.value(() => this.SUBRULE(this.expr));
      });
    }
    const schema = this.OPTION2(() => this.SUBRULE(this.schema)) ?? null;
    const slices = this.OPTION3({ GATE: () => schema === null, DEF: () => this.SUBRULE(this.slices) }) ?? [];
    return { kind: "Input", doc: this.docAt(start), name, type, defaultValue, slices, schema, span: this.spanFrom(start) };
  });

  private schema = this.RULE("schema", (): ast.StringLiteral => {
    this.CONSUME(t.From);
    return this.string("the path of a feature schema as a string");
  });

  private bank = this.RULE("bank", (): ast.Bank => {
    const start = this.OR([{ ALT: () => this.CONSUME(t.ExpertsToken) }, { ALT: () => this.CONSUME(t.RoutesToken) }]);
    const role = start.tokenType === t.RoutesToken ? "routes" : "experts";
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: `a name after \`${start.image}\`` }));
    const per = this.OPTION(() => this.SUBRULE(this.per)) ?? null;
    const entries: ast.Entry[] = [];
    this.container("bank", `the bank \`${name.text}\``, () => {
      this.MANY({
        GATE: () => this.inside(),
        DEF: () => {
          const entry = this.attempt(() => this.SUBRULE(this.entry), nothing);
          if (entry !== null) entries.push(entry);
        },
      });
    });
    return { kind: "Bank", doc: this.docAt(start), role, name, per, entries, span: this.spanFrom(start) };
  });

  private entry = this.RULE("entry", (): ast.Entry => {
    const start = this.CONSUME(t.Name, { ERR_MSG: "the name of an entry" });
    let count: ast.Expr | null = null;
    this.OPTION(() => {
      this.CONSUME(t.LSquare);
      count = this.SUBRULE(this.expr);
      this.CONSUME(t.RSquare, { ERR_MSG: "`]` after the number of instances" });
    });
    const type =
      this.OPTION2(() =>
        this.claim(
          () => this.CONSUME(t.Colon),
          () => this.SUBRULE(this.type),
        ),
      ) ?? null;
    this.CONSUME(t.Equals, { ERR_MSG: "`=` after the name of an entry" });
    const value = this.value(() => this.SUBRULE2(this.expr));
    return { kind: "Entry", doc: this.docAt(start), name: this.nameOf(start), count, type, value, span: this.spanFrom(start) };
  });

  private group = this.RULE("group", (): ast.Group => {
    const start = this.CONSUME(t.GroupToken);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `group`" }));
    const settings = this.OPTION(() => this.SUBRULE(this.record)) ?? null;
    return { kind: "Group", doc: this.docAt(start), name, settings, span: this.spanFrom(start) };
  });

  private task = this.RULE("task", (): ast.Task => {
    const start = this.CONSUME(t.TaskToken);
    const name = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "a name after `task`" }));
    let group: ast.Name | null = null;
    this.OPTION(() => {
      this.CONSUME(t.In);
      group = this.nameOf(this.CONSUME2(t.Name, { ERR_MSG: "the name of a group after `in`" }));
    });
    this.CONSUME(t.Colon, { ERR_MSG: "`:` and the kind of the task" });
    const taskKind = this.nameOf(this.CONSUME3(t.Name, { ERR_MSG: "the kind of the task" }));
    let width: ast.Expr | null = null;
    this.OPTION2(() => {
      const open = this.CONSUME(t.LParen) as Lexeme;
      width = this.SUBRULE(this.expr);
      this.expectClosing(t.RParen, open, "`)` after the width of the task");
      this.CONSUME(t.RParen);
    });
    const settings = this.OPTION3(() => this.SUBRULE(this.record)) ?? null;
    return { kind: "Task", doc: this.docAt(start), name, group, taskKind, width, settings, span: this.spanFrom(start) };
  });

  private transfer = this.RULE("transfer", (): ast.Transfer => {
    const start = this.CONSUME(t.TransferToken);
    const from = this.nameOf(this.CONSUME(t.Name, { ERR_MSG: "the task from which the transfer goes" }));
    this.CONSUME(t.Arrow, { ERR_MSG: "`->` between the tasks of a transfer" });
    const to = this.nameOf(this.CONSUME2(t.Name, { ERR_MSG: "the task to which the transfer goes" }));
    this.CONSUME(t.Equals, { ERR_MSG: "`=` and the module of the transfer" });
    const value = this.value(() => this.SUBRULE(this.expr));
    return { kind: "Transfer", doc: this.docAt(start), from, to, value, span: this.spanFrom(start) };
  });

  private flow = this.RULE("flow", (): ast.Flow => {
    const start = this.CONSUME(t.FlowToken);
    let per: ast.Per | null = null;
    let task: ast.Name | null = null;
    this.OR({
      ERR_MSG: "`per task`, or the name of a task",
      DEF: [
        {
          ALT: () => {
            per = this.SUBRULE(this.per);
          },
        },
        {
          ALT: () => {
            task = this.nameOf(this.CONSUME(t.Name));
          },
        },
      ],
    });
    const body = this.SUBRULE(this.block, { ARGS: ["the flow"] });
    return { kind: "Flow", doc: this.docAt(start), per, task, body, span: this.spanFrom(start) };
  });

  private train = this.RULE("train", (): ast.Train => {
    const start = this.CONSUME(t.TrainToken);
    const settings = this.SUBRULE(this.record);
    return { kind: "Train", doc: this.docAt(start), settings, span: this.spanFrom(start) };
  });

  // ── shared shapes ─────────────────────────────────────────────────────────

  private claim(colon: () => IToken, type: () => ast.Type): ast.Type {
    colon();
    return type();
  }

  /** `per` of a declaration, which only models have. */
  private modelPer(what: string, parse: () => ast.Per | undefined): ast.Per | null {
    const per = parse();
    if (per === undefined) return null;
    if (this.RECORDING_PHASE || this.#inBlock === 0) return per;
    this.report("syntax/per-place", per.span, { what });
    return null;
  }
}

const nothing = (): null => null;
