import type { Diagnostic, Note } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { yamlFinding } from "../yaml/catalogue.ts";
import { describeYaml, type YamlEntry, type YamlMap, type YamlNode } from "../yaml/read.ts";
import { configFinding } from "./catalogue.ts";

/** A text of the configuration with its place. */
export interface Word {
  readonly text: string;
  readonly span: Span;
}

/** Collects what is to be said about a configuration, and knows which of its keys were read. */
export class Report {
  readonly diagnostics: Diagnostic[] = [];
  readonly #sections: Section[] = [];

  section(path: string, map: YamlMap, span: Span): Section {
    const section = new Section(this, path, map, span);
    this.#sections.push(section);
    return section;
  }

  expected(node: YamlNode, what: string, expected: string): null {
    this.diagnostics.push(yamlFinding("yaml/type", node.span, { what, expected, found: describeYaml(node) }));
    return null;
  }

  notCarried(span: Span, key: string, why: string, help: string | null = null): null {
    this.diagnostics.push(configFinding("config/not-carried", span, { key, why }, { help }));
    return null;
  }

  assumed(span: Span, what: string): void {
    this.diagnostics.push(configFinding("config/assumed", span, { what }));
  }

  conflict(span: Span, message: string, help: string | null = null, notes: readonly Note[] = []): null {
    this.diagnostics.push(configFinding("config/conflict", span, { message }, { help, notes }));
    return null;
  }

  /** Says of each key that nothing has read that it is not carried over: a key cannot be dropped silently. */
  finish(): readonly Diagnostic[] {
    for (const section of this.#sections) section.reportUnread();
    return this.diagnostics.toSorted((a, b) => (a.span?.start ?? 0) - (b.span?.start ?? 0));
  }
}

/** A mapping of the configuration, whose keys are read by kind. Every reader gives null for a key that is not there, and for one of a wrong kind, which it reports. */
export class Section {
  readonly path: string;
  /** Of the key that names the section. */
  readonly span: Span;
  readonly #map: YamlMap;
  readonly #report: Report;
  readonly #read = new Set<string>();
  readonly #sections = new Map<string, Section>();

  constructor(report: Report, path: string, map: YamlMap, span: Span) {
    this.#report = report;
    this.path = path;
    this.#map = map;
    this.span = span;
  }

  has(key: string): boolean {
    return this.#map.entries.some((entry) => entry.key === key);
  }

  /** The entry of a key, which counts as read. */
  entry(key: string): YamlEntry | null {
    this.#read.add(key);
    return this.#map.entries.find((entry) => entry.key === key) ?? null;
  }

  /** Every entry, all of which count as read. */
  entries(): readonly YamlEntry[] {
    for (const { key } of this.#map.entries) this.#read.add(key);
    return this.#map.entries;
  }

  number(key: string): number | null {
    return this.#scalar(key, "a number", (value) => (typeof value === "number" && Number.isFinite(value) ? value : null));
  }

  /** A whole number from 1 up, unless another least one is given. */
  whole(key: string, least = 1): number | null {
    return this.#scalar(key, `a whole number from ${least} up`, (value) =>
      typeof value === "number" && Number.isSafeInteger(value) && value >= least ? value : null,
    );
  }

  flag(key: string): boolean | null {
    return this.#scalar(key, "true or false", (value) => (typeof value === "boolean" ? value : null));
  }

  /** `enabled`, which is true where it is not given. Of a section that is switched off nothing else is read, which is said once. */
  enabled(): boolean {
    if (this.flag("enabled") ?? true) return true;
    this.entries();
    this.#report.notCarried(this.span, this.path, "it is switched off");
    return false;
  }

  text(key: string): string | null {
    return this.#scalar(key, "text", (value) => (typeof value === "string" ? value : null));
  }

  /** One of several words, whatever their case. */
  choice<T extends string>(key: string, words: readonly T[]): T | null {
    return this.#scalar(key, words.map((word) => `\`${word}\``).join(" or "), (value) =>
      typeof value === "string" ? (words.find((word) => word === value.toLowerCase()) ?? null) : null,
    );
  }

  wholes(key: string): readonly number[] | null {
    const items = this.#list(key, "a list of whole numbers");
    return items === null
      ? null
      : this.#each(key, items, "a whole number from 1 up", (value) =>
          Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : null,
        );
  }

  words(key: string): readonly Word[] | null {
    const items = this.#list(key, "a list of names");
    if (items === null) return null;
    return this.#each(key, items, "text", (value, span) => (typeof value === "string" ? { text: value, span } : null));
  }

  section(key: string): Section | null {
    const entry = this.entry(key);
    if (entry === null) return null;
    if (entry.value.kind === "map") {
      const section = this.#sections.get(key) ?? this.#report.section(this.#full(key), entry.value, entry.keySpan);
      this.#sections.set(key, section);
      return section;
    }
    return this.#report.expected(entry.value, `\`${this.#full(key)}\``, "a mapping");
  }

  /** A list of mappings. */
  sections(key: string): readonly Section[] | null {
    const items = this.#list(key, "a list of mappings");
    if (items === null) return null;
    return items.flatMap((item, i) => {
      const path = `${this.#full(key)}[${i}]`;
      if (item.kind === "map") return [this.#report.section(path, item, item.entries[0]?.keySpan ?? item.span)];
      this.#report.expected(item, `\`${path}\``, "a mapping");
      return [];
    });
  }

  /** The place of a key, or of the section where it is not there. */
  spanOf(key: string): Span {
    return this.#map.entries.find((entry) => entry.key === key)?.keySpan ?? this.span;
  }

  /** Says that a key which must be there is not. */
  missing(key: string): null {
    this.#read.add(key);
    this.#report.diagnostics.push(
      yamlFinding("yaml/missing-key", this.span, { what: this.path === "" ? "the configuration" : `\`${this.path}\``, key }),
    );
    return null;
  }

  reportUnread(): void {
    for (const { key, keySpan } of this.#map.entries) {
      if (this.#read.has(key)) continue;
      const near = closest(key, this.#read);
      const help = near !== null && !this.has(near) ? `did you mean \`${near}\`?` : null;
      this.#report.notCarried(keySpan, this.#full(key), "plec knows no such key here", help);
    }
  }

  #full(key: string): string {
    return this.path === "" ? key : `${this.path}.${key}`;
  }

  #scalar<T>(key: string, expected: string, parse: (value: unknown) => T | null): T | null {
    const entry = this.entry(key);
    if (entry === null) return null;
    const value = entry.value.kind === "scalar" ? parse(entry.value.value) : null;
    return value ?? this.#report.expected(entry.value, `\`${this.#full(key)}\``, expected);
  }

  #list(key: string, expected: string): readonly YamlNode[] | null {
    const entry = this.entry(key);
    if (entry === null) return null;
    return entry.value.kind === "list" ? entry.value.items : this.#report.expected(entry.value, `\`${this.#full(key)}\``, expected);
  }

  #each<T>(key: string, items: readonly YamlNode[], expected: string, parse: (value: unknown, span: Span) => T | null): readonly T[] {
    return items.flatMap((item) => {
      const value = item.kind === "scalar" ? parse(item.value, item.span) : null;
      if (value === null) this.#report.expected(item, `an item of \`${this.#full(key)}\``, expected);
      return value === null ? [] : [value];
    });
  }
}
