import { expect } from "vitest";
import { checkSource } from "../../compiler/driver.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";

/**
 * A title, a source, and every finding in order of place, each as `code`, `code 3:14` or `code 3:14 message`. No finding means that the source must pass
 * without one, warnings included.
 */
export type Case = readonly [title: string, source: string, ...findings: string[]];

/** The name that test sources have in messages: imports beside it do not exist. */
export const sourceName = "case.ple";

/**
 * A sound model of one task with `items` added from line 6 on, followed by `definitions`. It has `x: f32[B, 8]`, used by the flow, and a task `t`.
 */
export function model(items: string, definitions = ""): string {
  return `import { bce } from "std/losses"
model M {
  input x: f32[B, 8]
  task t: binary { loss: bce }
  flow per task { return linear(x, task.width) }
  ${items}
}
${definitions}`;
}

/** A model with one more output: the expression begins at 6:14. */
export function output(expression: string, definitions = ""): string {
  return model(`output o = ${expression}`, definitions);
}

/** A model of tasks without losses; \`items\` has tasks and flow, from line 3 on. */
export function tasks(items: string, definitions = ""): string {
  return `model M {
  input x: f32[B, 8]
  ${items}
}
${definitions}`;
}

/** Every finding as `code line:column message`; places in other files carry their name. */
export function findingsOf(source: string): readonly string[] {
  return checkSource(sourceName, source).diagnostics.map(formatFinding);
}

export function formatFinding({ code, span, message }: Diagnostic): string {
  if (span === null) return `${code} ?:? ${message}`;
  const { line, column } = span.source.position(span.start);
  const file = span.source.name === sourceName ? "" : `${span.source.name}:`;
  return `${code} ${file}${line}:${column} ${message}`;
}

/** Asserts on every finding, each to the detail that is stated: `code`, `code 3:14` or `code 3:14 message`. */
export function expectFindings(source: string, expected: readonly string[]): void {
  const found = findingsOf(source);
  const shown = found.map((finding, i) => {
    const parts = (expected[i] ?? finding).split(" ").length;
    return parts > 2 ? finding : finding.split(" ").slice(0, parts).join(" ");
  });
  expect(shown).toEqual(expected);
}
