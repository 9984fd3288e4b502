import { describe, expect, test } from "vitest";
import { defaultSettings, Linter, type RuleSettings } from "../../compiler/check/lint/engine/linter.ts";
import { lintRules } from "../../compiler/check/lint/engine/table.ts";
import { inspectSource } from "../../compiler/driver.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";

export const sourceName = "case.ple";

type Thresholds = Readonly<Record<string, number>>;

/** A spec that a rule has nothing to say about. */
type Valid = readonly [title: string, source: string, options?: Thresholds];
/** A spec with every finding of the rule in order, each as `line:column message` or a beginning of that. */
type Invalid = readonly [title: string, source: string, findings: readonly string[], options?: Thresholds];

/** One rule = one table of specs without findings, and one of specs with them. Every spec passes the checker. */
export function testRule(code: string, cases: { readonly valid: readonly Valid[]; readonly invalid: readonly Invalid[] }): void {
  describe(code, () => {
    test("is registered under its code", () => expect(lintRules.get(code)?.code).toBe(code));
    for (const [title, source, options] of cases.valid)
      test(`valid: ${title}`, () => expect(findingsOf(source, code, options)).toEqual([]));
    for (const [title, source, findings, options] of cases.invalid) {
      test(`invalid: ${title}`, () => {
        const found = findingsOf(source, code, options);
        expect(found.map((text, i) => text.slice(0, findings[i]?.length ?? text.length))).toEqual(findings);
      });
    }
  });
}

export function findingsOf(source: string, code: string, options: Thresholds = {}): readonly string[] {
  return lint(source, new Set([code]), { ...defaultSettings, options: new Map([[code, options]]) }).map(formatFinding);
}

/** The findings of a text by itself, those about its comments included; fails where the checker finds an error. */
export function lint(source: string, only: ReadonlySet<string> | null = null, settings?: RuleSettings): readonly Diagnostic[] {
  const file = inspectSource(sourceName, source);
  expect(file.diagnostics.filter(({ severity }) => severity === "error").map(formatFinding)).toEqual([]);
  const linter = new Linter(only);
  return [...linter.add(file, settings), ...linter.finish(() => settings ?? defaultSettings)];
}

export function formatFinding({ span, message }: Diagnostic): string {
  if (span === null) return `?:? ${message}`;
  const { line, column } = span.source.position(span.start);
  return `${span.source.name === sourceName ? "" : `${span.source.name}:`}${line}:${column} ${message}`;
}
