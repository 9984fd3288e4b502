import type { Name, Slice } from "../../dsl/ast.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { isReservedWord, keywords } from "../../dsl/tokens.ts";
import { finding } from "../check/catalogue.ts";
import { yamlFinding } from "./catalogue.ts";
import { describeYaml, type YamlEntry, type YamlMap, type YamlNode } from "./read.ts";

const dtypes = ["f32", "i32", "bool"] as const;

/** The columns of one input, as slices whose places are in the YAML text. */
export interface FeatureSchema {
  readonly dtype: (typeof dtypes)[number];
  /** null where the schema leaves it at f32. */
  readonly dtypeSpan: Span | null;
  readonly width: number;
  readonly widthSpan: Span;
  readonly slices: readonly Slice[];
  readonly doc: string | null;
  readonly span: Span;
}

interface Columns {
  readonly width: number;
  readonly widthSpan: Span;
  readonly slices: readonly Slice[];
}

/**
 * Reads the columns of `input` in a feature schema: a mapping of input names to `{ dtype, width, doc, groups | features }`, where a group is
 * `{ name, doc, width | features | groups }` and a feature a name or `{ name, doc }`. Null once a finding says what is wrong.
 */
export function readFeatureSchema(root: YamlNode, input: Name, path: string, diagnostics: Diagnostic[]): FeatureSchema | null {
  const before = diagnostics.length;
  const schema = new SchemaReader(diagnostics).input(root, input, path);
  return diagnostics.length > before ? null : schema;
}

class SchemaReader {
  readonly #diagnostics: Diagnostic[];

  constructor(diagnostics: Diagnostic[]) {
    this.#diagnostics = diagnostics;
  }

  input(root: YamlNode, input: Name, path: string): FeatureSchema | null {
    const file = this.#map(root, "a feature schema", "a mapping from names of inputs to their columns");
    if (file === null) return null;
    const entry = file.entries.find(({ key }) => key === input.text);
    if (entry === undefined) {
      const known = file.entries.map(({ key }) => key);
      const near = closest(input.text, known);
      const help = near !== null ? `did you mean \`${near}\`?` : `it has ${known.slice(0, 12).join(", ")}`;
      this.#diagnostics.push(yamlFinding("schema/no-input", input.span, { path, input: input.text }, { help }));
      return null;
    }
    const map = this.#map(entry.value, `\`${input.text}\``, "a mapping with `groups` or `features`");
    if (map === null) return null;
    this.#onlyKeys(map, input.text, ["dtype", "width", "doc", "groups", "features"]);
    const dtype = this.#text(map, "dtype", `the dtype of \`${input.text}\``);
    const found = dtypes.find((candidate) => candidate === (dtype?.value ?? "f32"));
    if (found === undefined && dtype !== null)
      this.#expected(dtype, `the dtype of \`${input.text}\``, dtypes.map((name) => `\`${name}\``).join(", "));
    const columns = this.#columns(map, input.text, entry.keySpan);
    const doc = this.#doc(map, input.text);
    if (columns === null || found === undefined) return null;
    return { dtype: found, dtypeSpan: dtype?.span ?? null, ...columns, doc, span: entry.keySpan };
  }

  /** What `width`, `groups` and `features` of a mapping add up to. */
  #columns(map: YamlMap, path: string, span: Span): Columns | null {
    const [width, groups, features] = ["width", "groups", "features"].map((key) => map.entries.find((entry) => entry.key === key));
    if (groups !== undefined && features !== undefined) {
      const note = { message: "`groups` stands here", span: groups.keySpan };
      const message = `\`${path}\` has \`groups\` and \`features\`, and takes one of them`;
      this.#diagnostics.push(yamlFinding("schema/width", features.keySpan, { message }, { notes: [note] }));
      return null;
    }
    if (width === undefined && groups === undefined && features === undefined) {
      this.#diagnostics.push(yamlFinding("yaml/missing-key", span, { what: `\`${path}\``, key: "width`, `features` or `groups" }));
      return null;
    }
    const stated = width === undefined ? null : this.#width(width, path);
    const slices = groups !== undefined ? this.#groups(groups, path) : features !== undefined ? this.#features(features, path) : [];
    if (stated === "wrong" || slices === null) return null;
    const widths = slices.map((slice) => (slice.width.kind === "NumberLiteral" ? slice.width.value : 0));
    const sum = widths.reduce((total, part) => total + part, 0);
    if (stated === null || width === undefined) return { width: sum, widthSpan: (groups ?? features)?.keySpan ?? span, slices };
    if (slices.length > 0 && sum !== stated) return this.#unequal(path, stated, widths, sum, width.value.span, features !== undefined);
    return { width: stated, widthSpan: width.value.span, slices };
  }

  #unequal(path: string, stated: number, widths: readonly number[], sum: number, span: Span, ofFeatures: boolean): null {
    const what = ofFeatures ? `has ${sum} features` : `has groups that add up to ${sum}`;
    const difference = Math.abs(stated - sum);
    const columns = `${difference} ${difference === 1 ? "column" : "columns"} ${stated > sum ? "without a name" : "too many"}`;
    const help = ofFeatures ? columns : `${widths.join(" + ")} = ${sum}: ${columns}`;
    this.#diagnostics.push(yamlFinding("schema/width", span, { message: `\`${path}\` is ${stated} wide and ${what}` }, { help }));
    return null;
  }

  #groups({ value }: YamlEntry, path: string): readonly Slice[] | null {
    if (value.kind !== "list" || value.items.length === 0) return this.#expected(value, `\`groups\` of \`${path}\``, "a list of groups");
    const slices = value.items.map((item) => this.#group(item, path));
    this.#distinct(slices.flatMap((slice) => (slice === null ? [] : [slice.name])));
    return slices.every((slice) => slice !== null) ? slices : null;
  }

  #group(node: YamlNode, path: string): Slice | null {
    const map = this.#map(node, `a group of \`${path}\``, "a mapping with `name` and `width`, `features` or `groups`");
    if (map === null) return null;
    this.#onlyKeys(map, `a group of ${path}`, ["name", "width", "doc", "groups", "features"]);
    const given = map.entries.find(({ key }) => key === "name");
    if (given === undefined) {
      this.#diagnostics.push(yamlFinding("yaml/missing-key", firstLine(map.span), { what: `a group of \`${path}\``, key: "name" }));
      return null;
    }
    const name = this.#name(given.value, "a group");
    if (name === null) return null;
    const inner = `${path}.${name.text}`;
    const columns = this.#columns(map, inner, name.span);
    const doc = this.#doc(map, inner);
    return columns === null ? null : makeSlice(name, columns.width, columns.widthSpan, columns.slices, doc, false);
  }

  #features({ value }: YamlEntry, path: string): readonly Slice[] | null {
    if (value.kind !== "list" || value.items.length === 0) return this.#expected(value, `\`features\` of \`${path}\``, "a list of names");
    const slices = value.items.map((item) => this.#feature(item, path));
    this.#distinct(slices.flatMap((slice) => (slice === null ? [] : [slice.name])));
    return slices.every((slice) => slice !== null) ? slices : null;
  }

  #feature(node: YamlNode, path: string): Slice | null {
    if (node.kind !== "map") {
      const name = this.#name(node, "a feature");
      return name === null ? null : makeSlice(name, 1, name.span, [], null, true);
    }
    this.#onlyKeys(node, `a feature of ${path}`, ["name", "doc"]);
    const given = node.entries.find(({ key }) => key === "name");
    if (given === undefined) {
      this.#diagnostics.push(yamlFinding("yaml/missing-key", firstLine(node.span), { what: `a feature of \`${path}\``, key: "name" }));
      return null;
    }
    const name = this.#name(given.value, "a feature");
    return name === null ? null : makeSlice(name, 1, name.span, [], this.#doc(node, `${path}.${name.text}`), true);
  }

  // ── values ────────────────────────────────────────────────────────────────

  #width({ value }: YamlEntry, path: string): number | "wrong" {
    if (value.kind === "scalar" && typeof value.value === "number" && Number.isSafeInteger(value.value) && value.value > 0)
      return value.value;
    this.#expected(value, `the width of \`${path}\``, "a whole number from 1 up");
    return "wrong";
  }

  #name(node: YamlNode, what: string): Name | null {
    if (node.kind !== "scalar" || typeof node.value !== "string") return this.#expected(node, `the name of ${what}`, "text");
    const text = node.value;
    if (/^[A-Za-z_]\w*$/.test(text) && !isReserved(text)) return { kind: "Name", text, span: node.span };
    const cleaned = text.replace(/\W+/g, "_").replace(/^(?=\d)/, "_");
    const help = isReserved(text) ? `\`${text}\` is a word of the language` : /^_+$|^$/.test(cleaned) ? null : `for example \`${cleaned}\``;
    this.#diagnostics.push(yamlFinding("schema/name", node.span, { name: text, what }, { help }));
    return null;
  }

  #text(map: YamlMap, key: string, what: string): { readonly kind: "scalar"; readonly value: string; readonly span: Span } | null {
    const entry = map.entries.find((candidate) => candidate.key === key);
    if (entry === undefined) return null;
    const { value } = entry;
    if (value.kind === "scalar" && typeof value.value === "string") return { kind: "scalar", value: value.value, span: value.span };
    return this.#expected(value, what, "text");
  }

  #doc(map: YamlMap, path: string): string | null {
    return this.#text(map, "doc", `the doc of \`${path}\``)?.value.trim() ?? null;
  }

  #map(node: YamlNode, what: string, expected: string): YamlMap | null {
    return node.kind === "map" ? node : this.#expected(node, what, expected);
  }

  #expected(node: YamlNode, what: string, expected: string): null {
    const span = node.kind === "scalar" ? node.span : firstLine(node.span);
    this.#diagnostics.push(yamlFinding("yaml/type", span, { what, expected, found: describeYaml(node) }));
    return null;
  }

  #onlyKeys(map: YamlMap, what: string, known: readonly string[]): void {
    for (const { key, keySpan } of map.entries) {
      if (known.includes(key)) continue;
      const near = closest(key, known);
      const help = near === null ? `it takes ${known.join(", ")}` : `did you mean \`${near}\`?`;
      this.#diagnostics.push(yamlFinding("yaml/unknown-key", keySpan, { what: what.includes(" ") ? what : `\`${what}\``, key }, { help }));
    }
  }

  #distinct(names: readonly Name[]): void {
    const seen = new Map<string, Name>();
    for (const name of names) {
      const before = seen.get(name.text);
      if (before === undefined) seen.set(name.text, name);
      else
        this.#diagnostics.push(
          finding("name/duplicate", name.span, { name: name.text }, { notes: [{ message: "listed here first", span: before.span }] }),
        );
    }
  }
}

function makeSlice(name: Name, width: number, span: Span, slices: readonly Slice[], doc: string | null, column: boolean): Slice {
  return {
    kind: "Slice",
    doc,
    name,
    width: { kind: "NumberLiteral", value: width, text: String(width), span },
    slices,
    column,
    span: name.span,
  };
}

function isReserved(text: string): boolean {
  const token = keywords.get(text);
  return token !== undefined && isReservedWord(token);
}

/** Of a mapping or list the first line, which is where one looks. */
function firstLine(span: Span): Span {
  const stop = span.source.text.indexOf("\n", span.start);
  return stop < 0 || stop > span.end ? span : { ...span, end: stop };
}
