import type { Block, Definition, File, Item, Model, Name, Node, Parameter, RecordLiteral, Slice, Type } from "../../dsl/ast.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { children } from "../../dsl/visit.ts";
import { typeNames } from "../elaborate/match-type.ts";
import type { LoadedFile } from "../project.ts";
import { finding } from "./catalogue.ts";
import { taskKinds } from "./declarations.ts";

/** A declared name and whether something has read it. */
interface Declared {
  readonly span: Span | null;
  /** Reported when never read; other names may stay unread. */
  readonly report: boolean;
  used: boolean;
}

class Names {
  readonly #parent: Names | null;
  readonly #own = new Map<string, Declared>();
  /** Names that an import asked for in vain: known, and nothing to suggest. */
  readonly #failed = new Set<string>();

  constructor(parent: Names | null) {
    this.#parent = parent;
  }

  add(name: string, span: Span | null = null, report = false): void {
    this.#own.set(name, { span, report, used: false });
  }

  addFailed(name: string): void {
    this.add(name);
    this.#failed.add(name);
  }

  has(name: string): boolean {
    return this.#own.has(name);
  }

  find(name: string): Declared | undefined {
    return this.#own.get(name) ?? this.#parent?.find(name);
  }

  all(): readonly string[] {
    const own = [...this.#own.keys()].filter((name) => !this.#failed.has(name));
    return [...own, ...(this.#parent?.all() ?? [])];
  }

  unused(): readonly (readonly [string, Declared])[] {
    return [...this.#own].filter(([name, declared]) => declared.report && !declared.used && !name.startsWith("_"));
  }
}

/**
 * Checks that every name of a file is declared where it is read, whether or not the place is ever evaluated, and that local names and imports are used.
 * Members and named slices need types and are checked when evaluated.
 */
export function resolveNames(
  loaded: LoadedFile,
  preludeNames: readonly string[],
  builtinNames: Iterable<string>,
  diagnostics: Diagnostic[],
): void {
  const { file } = loaded;
  const outer = new Names(null);
  for (const name of builtinNames) outer.add(name);
  for (const name of preludeNames) outer.add(name);
  const names = new Names(outer);
  for (const { local, span } of loaded.imported) {
    if (names.has(local))
      diagnostics.push(
        finding(
          "name/duplicate",
          span,
          { name: local },
          { notes: [{ message: "imported here first", span: names.find(local)?.span ?? null }] },
        ),
      );
    else names.add(local, span, true);
  }
  // Names whose import failed were reported; they count as declared.
  for (const statement of file.imports)
    for (const { name, alias } of statement.names) if (!names.has((alias ?? name).text)) names.addFailed((alias ?? name).text);
  const places = new Map<string, Name>();
  for (const item of file.items) {
    const before = places.get(item.name.text);
    if (before !== undefined || (names.has(item.name.text) && item.kind !== "Model")) {
      const first = before?.span ?? names.find(item.name.text)?.span ?? null;
      const notes = [{ message: `${before === undefined ? "imported" : "declared"} here first`, span: first }];
      diagnostics.push(finding("name/duplicate", item.name.span, { name: item.name.text }, { notes }));
    }
    places.set(item.name.text, item.name);
    if (item.kind !== "Model") names.add(item.name.text);
  }
  const resolver = new Resolver(diagnostics);
  for (const item of file.items) {
    if (item.kind === "Const") resolver.expr(item.value, names);
    else if (item.kind === "Definition") resolver.definition(item, names);
    else resolver.model(item, names);
  }
  reportUnusedImports(file, names, diagnostics);
}

function reportUnusedImports(file: File, names: Names, diagnostics: Diagnostic[]): void {
  for (const [name, { span }] of names.unused()) {
    const statement = file.imports.find((candidate) => candidate.names.some((part) => (part.alias ?? part.name).text === name));
    const part = statement?.names.find((candidate) => (candidate.alias ?? candidate.name).text === name);
    if (statement === undefined || part === undefined) continue;
    diagnostics.push(
      finding(
        "import/unused",
        span,
        { name },
        {
          fixes: [{ title: `remove \`${name}\``, safe: true, edits: [{ span: removal(statement.names, part, statement.span), text: "" }] }],
        },
      ),
    );
  }
}

/** What to delete so that one name leaves a comma-separated list; the whole statement when it is the only one. */
function removal(list: readonly { readonly span: Span }[], part: { readonly span: Span }, whole: Span): Span {
  const at = list.indexOf(part);
  if (list.length === 1) return { ...whole, end: whole.source.text[whole.end] === "\n" ? whole.end + 1 : whole.end };
  const next = list[at + 1];
  if (next !== undefined) return { ...part.span, end: next.span.start };
  return { ...part.span, start: (list[at - 1] as { span: Span }).span.end };
}

class Resolver {
  readonly #diagnostics: Diagnostic[];

  constructor(diagnostics: Diagnostic[]) {
    this.#diagnostics = diagnostics;
  }

  definition(definition: Definition, outer: Names): void {
    const names = new Names(outer);
    for (const variable of variablesIn(definition.parameters)) names.add(variable);
    const seen = new Map<string, Span>();
    for (const { name, type, defaultValue } of definition.parameters) {
      const before = seen.get(name.text);
      const notes = [{ message: "declared here first", span: before ?? null }];
      if (before !== undefined) this.#diagnostics.push(finding("name/duplicate", name.span, { name: name.text }, { notes }));
      seen.set(name.text, before ?? name.span);
      this.type(type, names);
      if (defaultValue !== null) this.expr(defaultValue, names);
      names.add(name.text, name.span);
    }
    if (definition.result !== null) this.type(definition.result, names);
    const [fit] = definition.fits;
    if (fit !== undefined && definition.role !== "loss")
      this.#diagnostics.push(finding("role/for", fit.span, { role: definition.role, name: definition.name.text }));
    for (const { text, span } of definition.fits) {
      if ((taskKinds as readonly string[]).includes(text)) continue;
      const near = closest(text, taskKinds);
      this.#diagnostics.push(finding("task/kind", span, { kind: text }, { help: near === null ? null : `did you mean \`${near}\`?` }));
    }
    this.block(definition.body, names);
  }

  block(block: Block, outer: Names): void {
    const names = new Names(outer);
    const penalties = new Names(null);
    for (const statement of block.statements) {
      switch (statement.kind) {
        case "Let":
          this.expr(statement.value, names);
          if (statement.type !== null) this.type(statement.type, names);
          for (const name of statement.names) this.#local(name, names);
          break;
        case "Param":
          this.type(statement.type, names);
          this.expr(statement.initial, names);
          if (statement.tags !== null) this.expr(statement.tags, names);
          this.#local(statement.name, names);
          break;
        case "Output":
          this.expr(statement.value, names);
          if (statement.type !== null) this.type(statement.type, names);
          if (names.has(statement.name.text)) this.#duplicate(statement.name, names);
          names.add(statement.name.text, statement.name.span);
          break;
        case "Penalty":
          this.expr(statement.value, names);
          if (penalties.has(statement.name.text)) this.#duplicate(statement.name, penalties);
          penalties.add(statement.name.text, statement.name.span);
          break;
        case "Return":
          this.expr(statement.value, names);
          break;
        case "Require":
          this.expr(statement.condition, names);
      }
    }
    this.#reportUnused(names);
  }

  #local(name: Name, names: Names): void {
    if (names.has(name.text)) this.#duplicate(name, names);
    names.add(name.text, name.span, true);
  }

  #duplicate(name: Name, names: Names): void {
    this.#diagnostics.push(
      finding(
        "name/duplicate",
        name.span,
        { name: name.text },
        { notes: [{ message: "declared here first", span: names.find(name.text)?.span ?? null }] },
      ),
    );
  }

  #reportUnused(names: Names): void {
    for (const [name, { span }] of names.unused()) this.#diagnostics.push(finding("name/unused", span, { name }));
  }

  model(model: Model, outer: Names): void {
    const names = new Names(outer);
    for (const name of ["B", "all", "tasks", "task", "group"]) names.add(name);
    const flowOutputs: string[] = [];
    for (const item of model.items) {
      if (item.kind === "Let") for (const name of item.names) names.add(name.text, name.span, true);
      else if (item.kind === "Const" || item.kind === "DimDeclaration" || item.kind === "Param")
        names.add(item.name.text, item.name.span, true);
      else if (item.kind === "Input" || item.kind === "Bank") names.add(item.name.text, item.name.span);
      else if (item.kind === "Flow")
        flowOutputs.push(...item.body.statements.flatMap((statement) => (statement.kind === "Output" ? [statement.name.text] : [])));
    }
    const tasks = model.items.flatMap((item) => (item.kind === "Task" ? [item.name.text] : []));
    for (const item of model.items) this.#item(item, names, tasks, flowOutputs);
    this.#reportUnused(names);
  }

  #item(item: Item, names: Names, tasks: readonly string[], flowOutputs: readonly string[]): void {
    const inner = new Names(names);
    switch (item.kind) {
      case "Const":
        this.expr(item.value, names);
        return;
      case "Input":
        if (item.type !== null) this.type(item.type, names);
        if (item.defaultValue !== null) this.expr(item.defaultValue, names);
        this.#slices(item.slices, names);
        return;
      case "Let":
      case "Output":
      case "Penalty":
        if (item.kind !== "Let") for (const name of tasks) inner.add(name);
        if (item.kind === "Penalty") for (const name of item.per === null ? ["epoch"] : ["epoch", "label"]) inner.add(name);
        if (item.kind !== "Let" && item.per !== null) for (const name of [...flowOutputs, "logit", "prediction"]) inner.add(name);
        if (item.kind !== "Penalty" && item.type !== null) this.type(item.type, inner);
        this.expr(item.value, inner);
        return;
      case "Param":
        this.type(item.type, names);
        this.expr(item.initial, names);
        if (item.tags !== null) this.expr(item.tags, names);
        return;
      case "Bank":
        for (const entry of item.entries) {
          if (entry.count !== null) this.expr(entry.count, inner);
          if (entry.type !== null) this.type(entry.type, inner);
          this.expr(entry.value, inner);
        }
        return;
      case "Group":
        this.#record(item.settings, names, ["route"]);
        return;
      case "Task":
        if (item.width !== null) this.expr(item.width, names);
        this.#record(item.settings, names, ["route", "prefer"]);
        return;
      case "Transfer":
        this.expr(item.value, names);
        return;
      case "Flow":
        for (const name of item.task === null ? ["transfers"] : [...tasks, "transfers"]) inner.add(name);
        this.block(item.body, inner);
        return;
      case "DimDeclaration":
      case "Train":
        return;
    }
  }

  #slices(slices: readonly Slice[], names: Names): void {
    for (const slice of slices) {
      this.expr(slice.width, names);
      this.#slices(slice.slices, names);
    }
  }

  /** Values of settings; those in `apart` name entries of banks, and are checked when the model is. */
  #record(record: RecordLiteral | null, names: Names, apart: readonly string[] = []): void {
    for (const field of record?.fields ?? []) if (!apart.includes(field.name.text)) this.expr(field.value, names);
  }

  type(type: Type, names: Names): void {
    if (type.kind === "ListType") {
      this.type(type.element, names);
      return;
    }
    if (type.kind === "NamedType") {
      if (typeNames.includes(type.name.text)) return;
      const near = closest(type.name.text, typeNames);
      const help = near === null ? `types are ${typeNames.join(", ")}, and tensors such as f32[B, 64]` : `did you mean \`${near}\`?`;
      this.#diagnostics.push(finding("name/unknown", type.name.span, { name: type.name.text }, { help }));
    }
    if (type.kind !== "TensorType") return;
    for (const dim of type.dims) if (dim.kind === "DimExpr") this.expr(dim.value, names);
    if (type.of !== null) this.expr(type.of, names);
  }

  expr(node: Node, names: Names): void {
    switch (node.kind) {
      case "Reference": {
        const declared = names.find(node.name);
        if (declared === undefined) this.#unknown(node.name, node.span, names);
        else declared.used = true;
        return;
      }
      case "Lambda": {
        const inner = new Names(names);
        for (const name of node.parameters) inner.add(name.text);
        if (node.body.kind === "Block") this.block(node.body, inner);
        else this.expr(node.body, inner);
        return;
      }
      case "Comprehension": {
        let inner = names;
        for (const clause of node.clauses) {
          this.expr(clause.over, inner);
          inner = new Names(inner);
          inner.add(clause.name.text);
          if (clause.index !== null) inner.add(clause.index.text);
          if (clause.condition !== null) this.expr(clause.condition, inner);
        }
        this.expr(node.value, inner);
        return;
      }
      case "RecordLiteral": {
        const seen = new Names(null);
        for (const { name } of node.fields) {
          if (seen.has(name.text)) this.#duplicate(name, seen);
          seen.add(name.text, name.span);
        }
        for (const field of node.fields) this.expr(field.value, names);
        return;
      }
      case "IndexRange":
        return;
      default:
        for (const child of children(node)) this.expr(child, names);
    }
  }

  #unknown(name: string, span: Span, names: Names): void {
    const near = closest(name, names.all());
    const fixes = near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span, text: near }] }];
    this.#diagnostics.push(finding("name/unknown", span, { name }, { help: near === null ? null : `did you mean \`${near}\`?`, fixes }));
  }
}

/** Names that the dims of parameter types bind. */
function variablesIn(parameters: readonly Parameter[]): readonly string[] {
  const visit = (type: Type): readonly string[] => {
    if (type.kind === "ListType") return visit(type.element);
    if (type.kind !== "TensorType") return [];
    const dims = type.dims.flatMap((dim) => (dim.kind === "DimExpr" && dim.value.kind === "Reference" ? [dim.value.name] : []));
    return type.of?.kind === "Reference" ? [...dims, type.of.name] : dims;
  };
  return parameters.flatMap((parameter) => visit(parameter.type));
}
