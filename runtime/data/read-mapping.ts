import { yamlFinding } from "../../compiler/yaml/catalogue.ts";
import { describeYaml, readYaml, type YamlEntry, type YamlMap, type YamlNode } from "../../compiler/yaml/read.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import type { Source, Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { dataReporter, type ReportData } from "./catalogue.ts";
import {
  type CategoryMapping,
  type ColumnMapping,
  type Expression,
  type Mapping,
  type ScaleName,
  type SourceMapping,
  type SplitMapping,
  scaleNames,
  trainSplit,
} from "./mapping.ts";

/** Reads the YAML text of a mapping; null once a finding says what is wrong. */
export function readMapping(source: Source, diagnostics: Diagnostic[]): Mapping | null {
  const before = diagnostics.length;
  const root = readYaml(source, diagnostics);
  if (root === null) return null;
  const mapping = new MappingReader(diagnostics).mapping(root);
  return diagnostics.length > before ? null : mapping;
}

const columnKeys = [
  "column",
  "columns",
  "sql",
  "scale",
  "categories",
  "most",
  "unknown",
  "missing",
  "mask",
  "keep",
  "pad",
  "length",
  "fields",
] as const;

class MappingReader {
  readonly #diagnostics: Diagnostic[];
  readonly #report: ReportData;

  constructor(diagnostics: Diagnostic[]) {
    this.#diagnostics = diagnostics;
    this.#report = dataReporter(diagnostics);
  }

  mapping(root: YamlNode): Mapping | null {
    const map = this.#map(root, "a data mapping", "a mapping with `source`, `inputs` and `labels`");
    if (map === null) return null;
    this.#onlyKeys(map, "a data mapping", ["source", "where", "splits", "inputs", "labels"]);
    const source = this.#source(map);
    const where = this.#entry(map, "where");
    const splits = this.#entry(map, "splits");
    if (source === null) return null;
    return {
      source,
      where: where === null ? null : this.#expression(where.value, "`where`"),
      splits: splits === null ? [] : this.#entries(splits, "`splits`").flatMap((entry) => this.#split(entry) ?? []),
      inputs: this.#columns(map, "inputs"),
      labels: this.#columns(map, "labels"),
    };
  }

  #source(map: YamlMap): SourceMapping | null {
    const entry = this.#entry(map, "source");
    if (entry === null) {
      this.#diagnostics.push(
        yamlFinding(
          "yaml/missing-key",
          this.#firstLine(map.span),
          { what: "a data mapping", key: "source" },
          { help: "`source: data.parquet`" },
        ),
      );
      return null;
    }
    const { value } = entry;
    if (value.kind === "map") {
      this.#onlyKeys(value, "`source`", ["query"]);
      const query = this.#entry(value, "query");
      const expression =
        query === null ? this.#expected(value, "`source`", "a file or `query: SELECT ...`") : this.#expression(query.value, "`query`");
      return expression === null ? null : { kind: "query", sql: expression.sql, span: expression.span };
    }
    const patterns = this.#texts(value, "`source`");
    return patterns.length === 0 ? null : { kind: "files", patterns, span: value.span };
  }

  #split({ key, keySpan, value }: YamlEntry): SplitMapping | null {
    if (key === trainSplit || !/^[A-Za-z_]\w*$/.test(key)) {
      const message = key === trainSplit ? "`train` is the name of the rows that no split holds out" : `"${key}" cannot name a split`;
      this.#report("data/setting", keySpan, { message }, { help: "name what is held out, such as `test`" });
      return null;
    }
    if (value.kind !== "map") {
      const expression = this.#expression(value, `split \`${key}\``);
      return expression === null ? null : { name: key, rule: { kind: "sql", sql: expression.sql }, span: expression.span };
    }
    this.#onlyKeys(value, `split \`${key}\``, ["every"]);
    const every = this.#entry(value, "every");
    if (every === null) return this.#expected(value, `split \`${key}\``, "SQL or `{ every: 5 }`");
    const n = this.#whole(every.value, "`every`", 2);
    return n === null ? null : { name: key, rule: { kind: "every", n }, span: value.span };
  }

  #columns(map: YamlMap, key: "inputs" | "labels"): readonly ColumnMapping[] {
    const entry = this.#entry(map, key);
    return entry === null ? [] : this.#entries(entry, `\`${key}\``).flatMap((item) => this.#column(item, key) ?? []);
  }

  #column({ key, keySpan, value }: YamlEntry, section: "inputs" | "labels"): ColumnMapping | null {
    const plain = { ...nothingSet, target: key, span: keySpan };
    if (value.kind === "scalar" && value.value === null) return { ...plain, from: { kind: "column", name: key, span: keySpan } };
    if (value.kind === "list") return { ...plain, from: { kind: "columns", names: this.#texts(value, `\`${key}\``), span: value.span } };
    if (value.kind === "scalar") {
      const text = this.#text(value, `\`${key}\``);
      if (text === null) return null;
      return {
        ...plain,
        from: section === "labels" ? { kind: "sql", sql: text, span: value.span } : { kind: "column", name: text, span: value.span },
      };
    }
    this.#onlyKeys(value, `\`${key}\``, columnKeys);
    const from = this.#from(value, key, keySpan);
    if (from === null) return null;
    const setting = <T>(name: (typeof columnKeys)[number], read: (node: YamlNode, what: string) => T | null): T | null => {
      const entry = this.#entry(value, name);
      return entry === null ? null : read(entry.value, `\`${name}\` of \`${key}\``);
    };
    return {
      target: key,
      from,
      scale: setting("scale", (node, what) => this.#scale(node, what)) ?? [],
      categories: this.#categories(value, key),
      unknown: setting("unknown", (node, what) => this.#whole(node, what, 0)),
      missing: setting("missing", (node, what) => this.#missing(node, what)),
      mask: setting("mask", (node, what) => this.#text(node, what)),
      keep: setting("keep", (node, what) => this.#oneOf(node, what, ["first", "last"] as const)),
      pad: setting("pad", (node, what) => this.#oneOf(node, what, ["start", "end"] as const)),
      length: setting("length", (node, what) => this.#whole(node, what, 1)),
      fields: setting("fields", (node, what) => this.#texts(node, what)),
      span: keySpan,
    };
  }

  #from(map: YamlMap, key: string, keySpan: Span): ColumnMapping["from"] | null {
    const given = (["column", "columns", "sql"] as const).flatMap((name) => this.#entry(map, name) ?? []);
    const [first, second] = given;
    if (first === undefined) return { kind: "column", name: key, span: keySpan };
    if (second !== undefined) {
      const note = { message: `\`${first.key}\` stands here`, span: first.keySpan };
      this.#report(
        "data/setting",
        second.keySpan,
        { message: `\`${key}\` takes one of \`column\`, \`columns\` and \`sql\`` },
        { notes: [note] },
      );
      return null;
    }
    const what = `\`${first.key}\` of \`${key}\``;
    const { span } = first.value;
    if (first.key === "columns") return { kind: "columns", names: this.#texts(first.value, what), span };
    const text = this.#text(first.value, what);
    if (text === null) return null;
    return first.key === "sql" ? { kind: "sql", sql: text, span } : { kind: "column", name: text, span };
  }

  #categories(map: YamlMap, key: string): CategoryMapping | null {
    const entry = this.#entry(map, "categories");
    const most = this.#entry(map, "most");
    const limit = most === null ? null : this.#whole(most.value, `\`most\` of \`${key}\``, 1);
    const isLearnt = entry === null || (entry.value.kind === "scalar" && entry.value.value === "learn");
    if (most !== null && !isLearnt) this.#setting(most.keySpan, "`most` goes with `categories: learn`");
    if (entry === null) return most === null ? null : { kind: "learn", most: limit };
    if (entry.value.kind === "list") return { kind: "list", values: this.#texts(entry.value, `\`categories\` of \`${key}\``, true) };
    const kind = this.#oneOf(entry.value, `\`categories\` of \`${key}\``, ["learn", "hash", "ids"] as const, ", or a list");
    if (kind === null) return null;
    return kind === "learn" ? { kind, most: limit } : { kind };
  }

  #scale(node: YamlNode, what: string): readonly ScaleName[] | null {
    const items = node.kind === "list" ? node.items : [node];
    const steps = items.map((item) => this.#oneOf(item, what, scaleNames));
    if (!steps.every((step) => step !== null)) return null;
    const standard = steps.indexOf("standard");
    if (new Set(steps).size === steps.length && (standard < 0 || standard === steps.length - 1)) return steps;
    this.#setting(node.span, `${what} takes each step once, \`standard\` last`);
    return null;
  }

  #missing(node: YamlNode, what: string): number | string | null {
    if (node.kind === "scalar" && (typeof node.value === "number" || typeof node.value === "string")) return node.value;
    return this.#expected(node, what, "a number, a text or `mean`");
  }

  // ── values ────────────────────────────────────────────────────────────────

  #entry(map: YamlMap, key: string): YamlEntry | null {
    return map.entries.find((entry) => entry.key === key) ?? null;
  }

  #entries({ key, value }: YamlEntry, what: string): readonly YamlEntry[] {
    if (value.kind === "scalar" && value.value === null) return [];
    return this.#map(value, what, key === "splits" ? "a mapping from names to SQL" : "a mapping from names to columns")?.entries ?? [];
  }

  #map(node: YamlNode, what: string, expected: string): YamlMap | null {
    return node.kind === "map" ? node : this.#expected(node, what, expected);
  }

  #expression(node: YamlNode, what: string): Expression | null {
    const text = this.#text(node, what);
    return text === null ? null : { sql: text, span: node.span };
  }

  #text(node: YamlNode, what: string): string | null {
    if (node.kind === "scalar" && typeof node.value === "string" && node.value.trim() !== "") return node.value.trim();
    return this.#expected(node, what, "text");
  }

  /** A list of texts, or the one text. Where numbers stand for themselves, as categories do, they are taken as they are written. */
  #texts(node: YamlNode, what: string, numbers = false): readonly string[] {
    if (node.kind === "map" || (node.kind === "list" && node.items.length === 0))
      return this.#expected(node, what, "text or a list of texts") ?? [];
    const items = node.kind === "list" ? node.items : [node];
    const texts = items.flatMap((item) => {
      if (numbers && item.kind === "scalar" && (typeof item.value === "number" || typeof item.value === "boolean"))
        return String(item.value);
      return this.#text(item, what) ?? [];
    });
    const twice = texts.find((text, i) => texts.indexOf(text) !== i);
    if (twice !== undefined) this.#setting(node.span, `${what} has \`${twice}\` twice`);
    return texts;
  }

  #whole(node: YamlNode, what: string, least: number): number | null {
    if (node.kind === "scalar" && typeof node.value === "number" && Number.isSafeInteger(node.value) && node.value >= least)
      return node.value;
    return this.#expected(node, what, `a whole number from ${least} up`);
  }

  #oneOf<T extends string>(node: YamlNode, what: string, words: readonly T[], others = ""): T | null {
    const found = node.kind === "scalar" ? words.find((word) => word === node.value) : undefined;
    return found ?? this.#expected(node, what, `${words.map((word) => `\`${word}\``).join(", ")}${others}`);
  }

  #onlyKeys(map: YamlMap, what: string, keys: readonly string[]): void {
    for (const { key, keySpan } of map.entries) {
      if (keys.includes(key)) continue;
      const near = closest(key, keys);
      const help = near === null ? `its keys are ${keys.join(", ")}` : `did you mean \`${near}\`?`;
      this.#diagnostics.push(yamlFinding("yaml/unknown-key", keySpan, { what, key }, { help }));
    }
  }

  #expected(node: YamlNode, what: string, expected: string): null {
    this.#diagnostics.push(yamlFinding("yaml/type", this.#firstLine(node.span), { what, expected, found: describeYaml(node) }));
    return null;
  }

  #setting(span: Span, message: string): void {
    this.#report("data/setting", span, { message });
  }

  #firstLine(span: Span): Span {
    const end = span.source.text.indexOf("\n", span.start);
    return end < 0 || end > span.end ? span : { ...span, end };
  }
}

const nothingSet = {
  scale: [],
  categories: null,
  unknown: null,
  missing: null,
  mask: null,
  keep: null,
  pad: null,
  length: null,
  fields: null,
} as const;
