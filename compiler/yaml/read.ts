import { createRequire } from "node:module";
import type * as Yaml from "yaml";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import type { Source, Span } from "../../dsl/source.ts";
import { yamlFinding } from "./catalogue.ts";

/** What a YAML text says, with its places. Aliases and merge keys (`<<`) are resolved. */
export type YamlNode = YamlMap | YamlList | YamlScalar;

export interface YamlMap {
  readonly kind: "map";
  readonly entries: readonly YamlEntry[];
  readonly span: Span;
}

export interface YamlEntry {
  readonly key: string;
  readonly keySpan: Span;
  readonly value: YamlNode;
}

export interface YamlList {
  readonly kind: "list";
  readonly items: readonly YamlNode[];
  readonly span: Span;
}

export interface YamlScalar {
  readonly kind: "scalar";
  readonly value: string | number | boolean | null;
  readonly span: Span;
}

const largestText = 4 * 2 ** 20;
const largestDepth = 100;
const mostNodes = 100_000;

/**
 * Reads a text of one YAML 1.2 document; null once a finding says why not. A text without content is null as a scalar.
 * Texts that would exhaust the memory or the stack (nesting, aliases of aliases) are findings.
 */
export function readYaml(source: Source, diagnostics: Diagnostic[]): YamlNode | null {
  const large = tooLarge(source);
  if (large !== null) {
    diagnostics.push(large);
    return null;
  }
  const yaml = loadParser();
  const document = yaml.parseDocument(source.text, { prettyErrors: false });
  // an unresolved tag is a warning of the parser: the value would be another than the one meant
  for (const { message, pos } of [...document.errors, ...document.warnings]) {
    const start = Math.min(pos[0], source.text.length);
    diagnostics.push(
      yamlFinding(
        "yaml/syntax",
        { source, start, end: Math.max(start, Math.min(pos[1], source.text.length)) },
        { message: sentence(message) },
      ),
    );
  }
  if (document.errors.length > 0 || document.warnings.length > 0) return null;
  try {
    return new Converter(yaml, source).convert(document.contents, { source, start: 0, end: 0 });
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    diagnostics.push(error.diagnostic);
    return null;
  }
}

/** A synchronous import on first use: specs without YAML never load the parser. */
function loadParser(): typeof Yaml {
  return createRequire(import.meta.url)("yaml") as typeof Yaml;
}

/** Nesting is judged before parsing, since the parser recurses: open brackets, and what stands before the first word of a line. */
function tooLarge(source: Source): Diagnostic | null {
  const { text } = source;
  if (text.length > largestText)
    return yamlFinding("yaml/too-large", { source, start: 0, end: 0 }, { what: "this file is larger than 4 MB" });
  const deepAt = (offset: number) =>
    yamlFinding(
      "yaml/too-large",
      { source, start: offset, end: offset + 1 },
      { what: `this is nested more than ${largestDepth} levels deep` },
    );
  let open = 0;
  for (let i = 0; i < text.length; i++) {
    const letter = text[i];
    if (letter === "[" || letter === "{") open += 1;
    else if (letter === "]" || letter === "}") open = Math.max(0, open - 1);
    if (open > largestDepth) return deepAt(i);
  }
  const indented = /^[ \t?:-]{400}/m.exec(text);
  return indented === null ? null : deepAt(indented.index + 399);
}

class Stop extends Error {
  readonly diagnostic: Diagnostic;

  constructor(diagnostic: Diagnostic) {
    super(diagnostic.message);
    this.diagnostic = diagnostic;
  }
}

class Converter {
  readonly #yaml: typeof Yaml;
  readonly #source: Source;
  /** The last node with each anchor so far: aliases look backwards. */
  readonly #anchors = new Map<string, Yaml.Node>();
  #nodes = 0;
  #depth = 0;

  constructor(yaml: typeof Yaml, source: Source) {
    this.#yaml = yaml;
    this.#source = source;
  }

  /** `place` stands for a value that is not written, as in `key:`. */
  convert(node: unknown, place: Span): YamlNode {
    const span = this.#spanOf(node) ?? place;
    this.#nodes += 1;
    if (this.#nodes > mostNodes)
      throw new Stop(yamlFinding("yaml/too-large", span, { what: `this file unfolds to more than ${mostNodes} values` }));
    if (this.#depth > largestDepth)
      throw new Stop(yamlFinding("yaml/too-large", span, { what: `this is nested more than ${largestDepth} levels deep` }));
    this.#depth += 1;
    try {
      return this.#node(node, span);
    } finally {
      this.#depth -= 1;
    }
  }

  #node(node: unknown, span: Span): YamlNode {
    const { isAlias, isMap, isScalar, isSeq } = this.#yaml;
    if (isAlias(node)) {
      const target = this.#anchors.get(node.source);
      if (target === undefined)
        throw new Stop(yamlFinding("yaml/syntax", span, { message: `there is no anchor \`&${node.source}\` before this` }));
      return this.convert(target, span);
    }
    if (this.#yaml.isNode(node) && "anchor" in node && typeof node.anchor === "string") this.#anchors.set(node.anchor, node);
    if (isMap(node)) return { kind: "map", entries: this.#entries(node, span), span };
    if (isSeq(node)) return { kind: "list", items: node.items.map((item) => this.convert(item, span)), span };
    if (!isScalar(node)) return { kind: "scalar", value: null, span };
    const { value } = node;
    if (typeof value === "string" || typeof value === "number" || typeof value === "boolean" || value === null)
      return { kind: "scalar", value, span };
    throw new Stop(yamlFinding("yaml/syntax", span, { message: "this is no text, number, boolean or null" }));
  }

  #entries(map: Yaml.YAMLMap, span: Span): readonly YamlEntry[] {
    const entries = new Map<string, YamlEntry>();
    const merged: YamlEntry[] = [];
    for (const pair of map.items) {
      const keySpan = this.#spanOf(pair.key) ?? span;
      const key = this.convert(pair.key, keySpan);
      if (key.kind !== "scalar" || key.value === null)
        throw new Stop(yamlFinding("yaml/type", keySpan, { what: "a key", expected: "text", found: describeYaml(key) }));
      const value = this.convert(pair.value, keySpan);
      if (key.value === "<<" && this.#yaml.isScalar(pair.key) && pair.key.type === "PLAIN") merged.push(...this.#merge(value));
      else entries.set(String(key.value), { key: String(key.value), keySpan, value });
    }
    for (const entry of merged) if (!entries.has(entry.key)) entries.set(entry.key, entry);
    return [...entries.values()];
  }

  /** The entries that `<<: *defaults` or `<<: [*a, *b]` adds, those of earlier maps first. */
  #merge(value: YamlNode): readonly YamlEntry[] {
    if (value.kind === "map") return value.entries;
    if (value.kind === "list" && value.items.every((item) => item.kind === "map")) return value.items.flatMap((item) => this.#merge(item));
    throw new Stop(yamlFinding("yaml/type", value.span, { what: "what `<<` merges", expected: "a mapping", found: describeYaml(value) }));
  }

  #spanOf(node: unknown): Span | null {
    const range = this.#yaml.isNode(node) ? node.range : null;
    if (range === null || range === undefined) return null;
    // the range of a block collection ends behind its last line
    const text = this.#source.text.slice(range[0], range[1]);
    return { source: this.#source, start: range[0], end: range[0] + text.trimEnd().length };
  }
}

/** A value as messages name it: `the text "x"`, `12`, `a list`. */
export function describeYaml(node: YamlNode): string {
  if (node.kind === "map") return "a mapping";
  if (node.kind === "list") return "a list";
  if (node.value === null) return "nothing";
  if (typeof node.value !== "string") return String(node.value);
  const text = node.value.length > 40 ? `${node.value.slice(0, 40)}…` : node.value;
  return `the text ${JSON.stringify(text)}`;
}

const sentence = (message: string): string => `${message.charAt(0).toLowerCase()}${message.slice(1)}`;
