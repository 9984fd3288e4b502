import { type Details, type Diagnostic, defineCatalogue, makeDiagnostic, type Placeholders } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";

/** Findings of `plec import` in a configuration, beside those in YAML as such. Codes are stable. */
export const configCatalogue = defineCatalogue({
  "config/not-carried": {
    severity: "warning",
    message: "`{key}` is not carried over: {why}",
    why: "The imported spec says nothing of this key. Whatever it meant has to be added by hand, or is of no concern to an architecture.",
    help: "Check the spelling against `docs/import.md`; otherwise write what it meant into the spec.",
  },
  "config/assumed": {
    severity: "warning",
    message: "{what}",
    why: "The configuration leaves open what the spec has to say; something stands for it, and nothing is chosen silently.",
    help: "State the key in the configuration and import again, or check the line in the spec.",
  },
  "config/conflict": {
    severity: "error",
    message: "{message}",
    summary: "a configuration that contradicts itself",
    why: "Two parts of the configuration contradict each other, or one names what is not there. Either could be the one that is meant.",
    help: "Correct the configuration; nothing is written until it agrees with itself.",
  },
});

export type ConfigCode = keyof typeof configCatalogue;

/** A finding in a configuration; the compiler checks that every placeholder of the message has a value. */
export function configFinding<C extends ConfigCode>(
  code: C,
  span: Span | null,
  values: Placeholders<(typeof configCatalogue)[C]["message"]>,
  details: Details = {},
): Diagnostic {
  return makeDiagnostic(configCatalogue, code, span, values, details);
}
