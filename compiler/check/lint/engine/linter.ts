import { type Diagnostic, type Edit, makeDiagnostic, type Severity } from "../../../../dsl/diagnostic.ts";
import type { Source } from "../../../../dsl/source.ts";
import { closest } from "../../../../dsl/suggest.ts";
import type { InspectedFile } from "../../../driver.ts";
import { type Allow, type AllowedCode, allowReader, withoutAllowed } from "../../allow.ts";
import { catalogue } from "../../catalogue.ts";
import { ModelAnalysis } from "../analysis/model-analysis.ts";
import { allowCatalogue, configurableCodes, isConfigurable } from "./catalogue.ts";
import type { LintContext } from "./rule.ts";
import { lintRules } from "./table.ts";

/** What a configuration says of rules; codes that it does not name keep their own severity and thresholds. */
export interface RuleSettings {
  readonly severities: ReadonlyMap<string, Severity | "off">;
  readonly options: ReadonlyMap<string, Readonly<Record<string, number>>>;
}

export const defaultSettings: RuleSettings = { severities: new Map(), options: new Map() };

interface LintedFile {
  readonly path: string;
  readonly source: Source;
  readonly ran: (code: string) => boolean;
}

/**
 * Runs the rules over files, one after another. What the checker found comes first, and with errors there nothing else: rules read checked models.
 * Comments that allowed nothing are known once every file has been seen, since an import's findings may come with the model that uses it.
 */
export class Linter {
  /** Only these codes, besides errors; null for all. */
  readonly #only: ReadonlySet<string> | null;
  readonly #allowsOf = allowReader();
  readonly #files: LintedFile[] = [];
  /** Allowed codes that allowed something, by file and place. */
  readonly #used = new Set<string>();

  constructor(only: ReadonlySet<string> | null = null) {
    this.#only = only;
  }

  /** The findings of one file, without those that comments allow. */
  add(file: InspectedFile, settings: RuleSettings = defaultSettings): readonly Diagnostic[] {
    const { entry, files } = file.project;
    const failed = file.diagnostics.some(({ severity }) => severity === "error");
    const off = (code: string) => settings.severities.get(code) === "off";
    const ran = (code: string) => !failed && !off(code) && (this.#only === null || this.#only.has(code));
    const found = [...file.diagnostics];
    if (entry !== null && !failed) {
      const models = file.elaborated.map((model) => ({ ...model, analysis: new ModelAnalysis(model) }));
      const context: LintContext = { entry, files, models };
      for (const rule of lintRules.values()) if (ran(rule.code)) found.push(...rule.run(context, settings.options.get(rule.code) ?? {}));
    }
    const own = new Set(files.filter((candidate) => candidate === entry || !candidate.source.library).map(({ source }) => source));
    const wanted = found.filter(
      ({ code, severity, span }) => (severity === "error" || ran(code)) && (entry === null || span === null || own.has(span.source)),
    );
    const { diagnostics, used } = withoutAllowed(wanted, this.#allowsOf);
    const pathOf = new Map(files.map(({ source, path }) => [source, path]));
    for (const allowed of used) this.#used.add(placeOf(pathOf.get(allowed.span.source), allowed));
    if (entry !== null) this.#files.push({ path: entry.path, source: entry.source, ran });
    const configured = diagnostics.map((diagnostic) => withSeverity(diagnostic, settings));
    return inOrder(configured, entry?.source ?? null);
  }

  /** What is wrong with the comments of all files. */
  finish(settingsOf: (path: string) => RuleSettings = () => defaultSettings): readonly Diagnostic[] {
    return this.#files.flatMap((file) =>
      this.#allowsOf(file.source)
        .flatMap((allow) => this.#checkAllow(allow, file))
        .filter(({ code }) => file.ran(code))
        .map((diagnostic) => withSeverity(diagnostic, settingsOf(file.path))),
    );
  }

  #checkAllow(allow: Allow, { path, ran }: LintedFile): readonly Diagnostic[] {
    const { comment, codes, reason, line } = allow;
    if (codes.length === 0) {
      const message = "`plec-allow` names no rule";
      return [makeDiagnostic(allowCatalogue, "lint/unknown-allow", comment.span, { message })];
    }
    const unknown = codes.filter(({ code }) => !isConfigurable(code)).map(reportUnknown);
    if (reason === "") return [...unknown, makeDiagnostic(allowCatalogue, "lint/allow-without-reason", comment.span, {})];
    const unused = codes.filter((allowed) => isConfigurable(allowed.code) && ran(allowed.code) && !this.#used.has(placeOf(path, allowed)));
    return [
      ...unknown,
      ...unused.map((allowed) => {
        const edit = codes.length === 1 ? removeComment(allow) : removeCode(allow, allowed);
        const fixes = [{ title: "remove it", safe: true, edits: [edit] }];
        return makeDiagnostic(allowCatalogue, "lint/unused-allow", allowed.span, { line, code: allowed.code }, { fixes });
      }),
    ];
  }
}

function withSeverity(diagnostic: Diagnostic, { severities }: RuleSettings): Diagnostic {
  const severity = severities.get(diagnostic.code);
  return severity === undefined || severity === "off" ? diagnostic : { ...diagnostic, severity };
}

function placeOf(path: string | undefined, { code, span }: AllowedCode): string {
  return `${path} ${span.start} ${code}`;
}

function inOrder(diagnostics: readonly Diagnostic[], entry: Source | null): readonly Diagnostic[] {
  const rank = ({ span }: Diagnostic) => (span === null || span.source === entry ? 0 : 1);
  return [...diagnostics].sort((a, b) => rank(a) - rank(b) || (a.span?.start ?? 0) - (b.span?.start ?? 0));
}

function reportUnknown({ code, span }: AllowedCode): Diagnostic {
  if (Object.hasOwn(catalogue, code)) {
    const message = `\`${code}\` is an error of the checker, which no comment allows`;
    return makeDiagnostic(allowCatalogue, "lint/unknown-allow", span, { message });
  }
  const near = closest(code, configurableCodes);
  const fixes = near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span, text: near }] }];
  const help = near === null ? null : `did you mean \`${near}\`?`;
  return makeDiagnostic(allowCatalogue, "lint/unknown-allow", span, { message: `there is no rule \`${code}\`` }, { help, fixes });
}

/** The comment with the blanks before it, or the whole line where nothing else is on it. */
function removeComment({ comment }: Allow): Edit {
  const { source } = comment.span;
  const lineStart = source.lineStarts[source.position(comment.span.start).line - 1] ?? 0;
  const before = source.text.slice(lineStart, comment.span.start);
  const start = comment.trailing ? lineStart + before.trimEnd().length : lineStart;
  const lineEnd = source.text.indexOf("\n", comment.span.end);
  const end = comment.trailing ? comment.span.end : lineEnd < 0 ? source.text.length : lineEnd + 1;
  return { span: { source, start, end }, text: "" };
}

/** One code of several, with the comma beside it. */
function removeCode({ codes }: Allow, removed: AllowedCode): Edit {
  const at = codes.indexOf(removed);
  const next = codes[at + 1];
  const before = codes[at - 1];
  const start = next === undefined && before !== undefined ? before.span.end : removed.span.start;
  const end = next === undefined ? removed.span.end : next.span.start;
  return { span: { ...removed.span, start, end }, text: "" };
}
