import { readYaml, type YamlNode } from "../../compiler/yaml/read.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { renderDiagnostic } from "../../dsl/render.ts";
import { Source } from "../../dsl/source.ts";

export interface ReadText {
  readonly root: YamlNode | null;
  readonly diagnostics: readonly Diagnostic[];
}

export function readText(text: string): ReadText {
  const diagnostics: Diagnostic[] = [];
  return { root: readYaml(new Source("test.yaml", text), diagnostics), diagnostics };
}

/** The tree as plain data, as `JSON.parse` would give it. */
export function plain(node: YamlNode | null): unknown {
  if (node === null) return "nothing was read";
  if (node.kind === "scalar") return node.value;
  if (node.kind === "list") return node.items.map(plain);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
}

/** `code line:column marked text: message`, one line for each finding. */
export function brief(diagnostics: readonly Diagnostic[]): readonly string[] {
  return diagnostics.map(({ code, span, message }) => {
    if (span === null) return `${code}: ${message}`;
    const { line, column } = span.source.position(span.start);
    return `${code} ${line}:${column} ${JSON.stringify(span.source.text.slice(span.start, span.end))}: ${message}`;
  });
}

export const rendered = (diagnostics: readonly Diagnostic[]): string =>
  diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, { colour: false })).join("\n");
