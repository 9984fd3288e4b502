import { dirname } from "node:path";
import { fullCode } from "../compiler/check/allow.ts";
import { configurableCodes, isConfigurable, lintDefinitions } from "../compiler/check/lint/engine/catalogue.ts";
import { defaultConfig, findConfig, type LintConfig, readConfig } from "../compiler/check/lint/engine/config.ts";
import { Linter } from "../compiler/check/lint/engine/linter.ts";
import { lintRules } from "../compiler/check/lint/engine/table.ts";
import { inspectFile } from "../compiler/driver.ts";
import { type Diagnostic, generalMessage } from "../dsl/diagnostic.ts";
import { closest } from "../dsl/suggest.ts";
import { type FoundFile, fixFiles, isSafe } from "./fix-files.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { type ReportOptions, reportFindings, uniqueFindings } from "./report.ts";
import { expandPaths, reading } from "./spec-files.ts";
import { formatTable, plural } from "./table.ts";

interface LintOptions extends ReportOptions {
  readonly fix?: boolean;
  readonly unsafe?: boolean;
  readonly rule?: readonly string[];
  readonly listRules?: boolean;
  readonly config?: string;
}

export async function lint(paths: readonly string[], options: LintOptions, io: Io): Promise<number> {
  if (options.listRules === true) return listRules(options, io);
  if (options.unsafe === true && options.fix !== true) throw new CommandError("--unsafe goes with --fix");
  const only = options.rule === undefined || options.rule.length === 0 ? null : new Set(options.rule.map(knownCode));
  const configs = new Configs(options.config);
  const named = expandPaths(paths.length === 0 ? ["."] : paths);
  const files = named.filter((file) => configs.of(file).includes(file));
  if (configs.diagnostics.length > 0) return reportFindings(files, configs.diagnostics, 0, options, io);

  const find = () => lintFiles(files, only, configs);
  const fixed = options.fix === true ? await fixFiles(find, options.unsafe === true ? () => true : isSafe) : 0;
  const diagnostics = uniqueFindings(find().flatMap((found) => found.diagnostics));
  if (files.length < named.length) io.stderr.write(`plec: ${plural(named.length - files.length, "file")} left out by the configuration\n`);
  return reportFindings(files, diagnostics, fixed, options, io);
}

function lintFiles(files: readonly string[], only: ReadonlySet<string> | null, configs: Configs): readonly FoundFile[] {
  const linter = new Linter(only);
  const found = files.map((file) => {
    const inspected = reading(file, () => inspectFile(file));
    return { file, source: inspected.source, diagnostics: linter.add(inspected, configs.of(file)) };
  });
  const comments = linter.finish((path) => configs.of(path));
  return found.map(({ file, source, diagnostics }) => ({
    file,
    source,
    diagnostics: [...diagnostics, ...comments.filter(({ span }) => span?.source === source)],
  }));
}

/** The configuration of each file, each read once. */
class Configs {
  readonly #given: string | undefined;
  readonly #byFolder = new Map<string, LintConfig>();
  readonly #byPath = new Map<string, LintConfig>();

  constructor(given: string | undefined) {
    this.#given = given;
  }

  of(file: string): LintConfig {
    const folder = dirname(file);
    const before = this.#byFolder.get(folder);
    if (before !== undefined) return before;
    const path = this.#given ?? findConfig(file);
    const config = path === null ? defaultConfig : this.#read(path);
    this.#byFolder.set(folder, config);
    return config;
  }

  get diagnostics(): readonly Diagnostic[] {
    return [...this.#byPath.values()].flatMap((config) => config.diagnostics);
  }

  #read(path: string): LintConfig {
    const before = this.#byPath.get(path);
    if (before !== undefined) return before;
    const config = reading(path, () => readConfig(path));
    this.#byPath.set(path, config);
    return config;
  }
}

function knownCode(text: string): string {
  const code = fullCode(text);
  if (isConfigurable(code)) return code;
  const near = closest(code, configurableCodes);
  throw new CommandError(`there is no rule ${text}${near === null ? "; --list-rules lists them" : `; did you mean ${near}?`}`);
}

function listRules(options: LintOptions, io: Io): number {
  const rules = [...lintDefinitions].map(([code, definition]) => ({
    code,
    severity: definition.severity,
    message: generalMessage(definition),
    options: Object.fromEntries(Object.entries(lintRules.get(code)?.options ?? {}).map(([name, option]) => [name, option.default])),
  }));
  if (options.json === true) io.stdout.write(`${JSON.stringify(rules, null, 2)}\n`);
  else {
    const rows = rules.map((rule) => {
      const thresholds = Object.entries(rule.options).map(([name, value]) => `${name}: ${value}`);
      return [rule.code, rule.severity, thresholds.join(", "), rule.message];
    });
    io.stdout.write(`${formatTable(rows).join("\n")}\n`);
  }
  return exitCodes.clean;
}
