import type { DiagnosticDefinition } from "../../../../dsl/diagnostic.ts";
import { defineCatalogue } from "../../../../dsl/diagnostic.ts";
import { catalogue } from "../../catalogue.ts";
import { lintRules } from "./table.ts";

/** Findings about `plec-allow` comments. They cannot be allowed themselves. */
export const allowCatalogue = defineCatalogue({
  "lint/unused-allow": {
    severity: "warning",
    message: "nothing on line {line} has to be allowed `{code}`",
    why: "A comment that allows nothing is left over from a finding that is gone, or stands at the wrong line; the next real finding there would be silenced without anybody having looked at it.",
    help: "Remove it; `plec lint --fix` does.",
  },
  "lint/unknown-allow": {
    severity: "warning",
    message: "{message}",
    summary: "a `plec-allow` comment that names no rule that there is",
    why: "A comment that names no known rule allows nothing.",
    help: "Check the spelling; `plec lint --list-rules` lists the rules.",
  },
  "lint/allow-without-reason": {
    severity: "warning",
    message: "`plec-allow` says no reason, so it allows nothing",
    why: "Whoever reads the line next has to know why the finding is wrong here; without that nobody can tell when the comment may go.",
    help: "Write it after a colon: `// plec-allow group-of-one: churn gets company next quarter`.",
  },
});

/** Findings in `plec.config.yaml`, beside those of YAML itself. */
export const configCatalogue = defineCatalogue({
  "config/unknown-rule": {
    severity: "error",
    message: "there is no rule `{rule}`",
    why: "A misspelt rule would be configured for nothing.",
    help: "Check the spelling; `plec lint --list-rules` lists the rules.",
  },
  "config/fixed-severity": {
    severity: "error",
    message: "`{code}` is an error of the checker and stays one",
    why: "What the checker calls an error leaves no model that could be compiled.",
    help: "Repair the spec.",
  },
  "config/value": {
    severity: "error",
    message: "{what} must be {expected}, not {found}",
    why: "Severities are error, warning, info and off; thresholds are numbers.",
    help: "Write a value of the stated kind.",
  },
});

/** Everything that `plec lint` can say beyond the checker, by code. */
export const lintDefinitions: ReadonlyMap<string, DiagnosticDefinition> = new Map<string, DiagnosticDefinition>([
  ...[...lintRules].map(([code, { severity, message, why, help }]) => [code, { severity, message, why, help }] as const),
  ...Object.entries(allowCatalogue),
]);

/** Codes whose severity a configuration may set, and which comments may allow: every rule, and the warnings of the checker. */
export function isConfigurable(code: string): boolean {
  return lintDefinitions.has(code) || warnings.has(code);
}

const warnings: ReadonlySet<string> = new Set(
  Object.entries<DiagnosticDefinition>(catalogue).flatMap(([code, { severity }]) => (severity === "error" ? [] : [code])),
);

export const configurableCodes: readonly string[] = [...lintDefinitions.keys(), ...warnings];
