import { existsSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";
import { type Details, type Diagnostic, makeDiagnostic, type Severity } from "../../../../dsl/diagnostic.ts";
import { Source, type Span } from "../../../../dsl/source.ts";
import { closest } from "../../../../dsl/suggest.ts";
import { readText } from "../../../read-text.ts";
import { yamlFinding } from "../../../yaml/catalogue.ts";
import { describeYaml, readYaml, type YamlEntry, type YamlNode } from "../../../yaml/read.ts";
import { fullCode } from "../../allow.ts";
import { catalogue } from "../../catalogue.ts";
import { configCatalogue, configurableCodes, isConfigurable } from "./catalogue.ts";
import { matchesGlob } from "./globs.ts";
import { defaultSettings, type RuleSettings } from "./linter.ts";
import { lintRules } from "./table.ts";

/** The `lint` section of a `plec.config.yaml`. */
export interface LintConfig extends RuleSettings {
  /** Whether a file is to be linted. */
  readonly includes: (path: string) => boolean;
  /** With errors nothing should be linted: what was meant is not known. */
  readonly diagnostics: readonly Diagnostic[];
}

export const configName = "plec.config.yaml";

export const defaultConfig: LintConfig = { ...defaultSettings, includes: () => true, diagnostics: [] };

/** The configuration for a file: the nearest one in its folder and those above, up to the root of the repository; null for none. */
export function findConfig(file: string): string | null {
  for (let folder = dirname(resolve(file)); ; folder = dirname(folder)) {
    const path = join(folder, configName);
    if (existsSync(path)) return path;
    if (existsSync(join(folder, ".git")) || dirname(folder) === folder) return null;
  }
}

/** Reads a configuration; patterns in it are relative to its folder. */
export function readConfig(path: string): LintConfig {
  const source = new Source(path, readText(path));
  const reader = new ConfigReader(source, dirname(resolve(path)));
  return reader.read();
}

const severities = ["error", "warning", "info", "off"] as const;

class ConfigReader {
  readonly #source: Source;
  readonly #folder: string;
  readonly #diagnostics: Diagnostic[] = [];
  readonly #severities = new Map<string, Severity | "off">();
  readonly #options = new Map<string, Readonly<Record<string, number>>>();

  constructor(source: Source, folder: string) {
    this.#source = source;
    this.#folder = folder;
  }

  read(): LintConfig {
    const root = readYaml(this.#source, this.#diagnostics);
    let include: readonly string[] = ["**"];
    let exclude: readonly string[] = [];
    for (const section of this.#map(root, "the configuration", ["lint"])) {
      for (const { key, value } of this.#map(section.value, "`lint`", ["rules", "include", "exclude"])) {
        if (key === "rules") for (const rule of this.#map(value, "`rules`", null)) this.#rule(rule);
        else if (key === "include") include = this.#patterns(value, "`include`");
        else if (key === "exclude") exclude = this.#patterns(value, "`exclude`");
      }
    }
    const includes = (path: string): boolean => {
      const name = relative(this.#folder, resolve(path)).split(sep).join("/");
      return include.some((pattern) => matchesGlob(name, pattern)) && !exclude.some((pattern) => matchesGlob(name, pattern));
    };
    return { severities: this.#severities, options: this.#options, includes, diagnostics: this.#diagnostics };
  }

  /** The entries of a mapping whose keys are known; an empty value has none. */
  #map(node: YamlNode | null, what: string, known: readonly string[] | null): readonly YamlEntry[] {
    if (node === null || (node.kind === "scalar" && node.value === null)) return [];
    if (node.kind !== "map") return this.#fail(node, what, "a mapping");
    return node.entries.filter(({ key, keySpan }) => {
      if (known === null || known.includes(key)) return true;
      this.#diagnostics.push(yamlFinding("yaml/unknown-key", keySpan, { what, key }, suggestion(key, known, keySpan)));
      return false;
    });
  }

  #fail(node: YamlNode, what: string, expected: string): readonly never[] {
    this.#diagnostics.push(yamlFinding("yaml/type", node.span, { what, expected, found: describeYaml(node) }));
    return [];
  }

  #patterns(node: YamlNode, what: string): readonly string[] {
    const items = node.kind === "list" ? node.items : [node];
    return items.flatMap((item) =>
      item.kind === "scalar" && typeof item.value === "string" ? item.value : this.#fail(item, `a pattern of ${what}`, "text"),
    );
  }

  /** `group-of-one: off`, or a mapping with a severity and thresholds. */
  #rule({ key, keySpan, value }: YamlEntry): void {
    const code = fullCode(key);
    if (!isConfigurable(code)) {
      this.#diagnostics.push(
        Object.hasOwn(catalogue, code)
          ? makeDiagnostic(configCatalogue, "config/fixed-severity", keySpan, { code })
          : makeDiagnostic(configCatalogue, "config/unknown-rule", keySpan, { rule: key }, suggestion(code, configurableCodes, keySpan)),
      );
      return;
    }
    if (value.kind !== "map") {
      this.#severity(code, value);
      return;
    }
    const options = lintRules.get(code)?.options ?? {};
    const given: Record<string, number> = {};
    for (const entry of this.#map(value, `\`${code}\``, ["severity", ...Object.keys(options)])) {
      const option = options[entry.key];
      if (option === undefined) this.#severity(code, entry.value);
      else if (entry.value.kind === "scalar" && typeof entry.value.value === "number" && entry.value.value >= option.least)
        given[entry.key] = entry.value.value;
      else this.#wrong(entry.value, `\`${entry.key}\``, `a number from ${option.least} up`);
    }
    this.#options.set(code, given);
  }

  #severity(code: string, node: YamlNode): void {
    const severity = severities.find((candidate) => node.kind === "scalar" && node.value === candidate);
    if (severity === undefined) this.#wrong(node, `the severity of \`${code}\``, severities.join(", "), severities);
    else this.#severities.set(code, severity);
  }

  #wrong(node: YamlNode, what: string, expected: string, known: readonly string[] = []): void {
    const found = describeYaml(node);
    const details = node.kind === "scalar" && typeof node.value === "string" ? suggestion(node.value, known, node.span) : {};
    this.#diagnostics.push(makeDiagnostic(configCatalogue, "config/value", node.span, { what, expected, found }, details));
  }
}

function suggestion(found: string, known: readonly string[], span: Span): Details {
  const near = closest(found, known);
  if (near === null) return known.length > 0 && known.length <= 6 ? { help: `it takes ${known.join(", ")}` } : {};
  return { help: `did you mean \`${near}\`?`, fixes: [{ title: `change to \`${near}\``, safe: false, edits: [{ span, text: near }] }] };
}
