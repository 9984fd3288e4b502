import { isAbsolute, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { type Diagnostic, type DiagnosticDefinition, type Fix, generalMessage, type Severity } from "../dsl/diagnostic.ts";
import type { Span } from "../dsl/source.ts";
import { allCodes } from "./codes.ts";
import { plecVersion } from "./version.ts";

/**
 * Findings as a SARIF log. Paths are relative to the working folder where they lie in it; columns count UTF-16 units, from 1.
 *
 * @see OASIS, Static Analysis Results Interchange Format 2.1.0
 */
export async function toSarif(diagnostics: readonly Diagnostic[]): Promise<object> {
  const codes = allCodes();
  const rules = [...new Set(diagnostics.map((diagnostic) => diagnostic.code))].sort();
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "plec", version: plecVersion(), rules: rules.map((code) => toRule(code, codes.get(code))) } },
        columnKind: "utf16CodeUnits",
        results: diagnostics.map((diagnostic) => toResult(diagnostic, rules.indexOf(diagnostic.code))),
      },
    ],
  };
}

function toRule(id: string, definition: DiagnosticDefinition | undefined): object {
  if (definition === undefined) return { id };
  return {
    id,
    shortDescription: { text: generalMessage(definition) },
    fullDescription: { text: definition.why },
    help: { text: definition.help },
    defaultConfiguration: { level: levelOf(definition.severity) },
  };
}

function levelOf(severity: Severity): "error" | "warning" | "note" {
  return severity === "info" ? "note" : severity;
}

function toResult({ code, severity, message, span, notes, help, fixes }: Diagnostic, ruleIndex: number): object {
  const related = notes.filter((note) => note.span !== null);
  return {
    ruleId: code,
    ruleIndex,
    level: levelOf(severity),
    message: { text: help === null ? message : `${message}\nhelp: ${help}` },
    locations: span === null ? [] : [{ physicalLocation: toLocation(span) }],
    relatedLocations: related.map((note, id) => ({ id, physicalLocation: toLocation(note.span as Span), message: { text: note.message } })),
    ...(fixes.length === 0 ? {} : { fixes: fixes.map(toFix) }),
  };
}

function toLocation(span: Span): object {
  return { artifactLocation: { uri: toUri(span.source.name) }, region: toRegion(span) };
}

function toRegion({ source, start, end }: Span): object {
  const from = source.position(start);
  const to = source.position(end);
  return {
    startLine: from.line,
    startColumn: from.column,
    endLine: to.line,
    endColumn: to.column,
    charOffset: start,
    charLength: end - start,
  };
}

function toFix({ title, edits }: Fix): object {
  const files = [...new Set(edits.map((edit) => edit.span.source.name))];
  return {
    description: { text: title },
    artifactChanges: files.map((file) => ({
      artifactLocation: { uri: toUri(file) },
      replacements: edits
        .filter((edit) => edit.span.source.name === file)
        .map((edit) => ({ deletedRegion: toRegion(edit.span), insertedContent: { text: edit.text } })),
    })),
  };
}

function toUri(path: string): string {
  const local = isAbsolute(path) ? relative(process.cwd(), path) : path;
  if (isAbsolute(local) || local.startsWith("..")) return pathToFileURL(path).href;
  return local.split(/[\\/]/).map(encodeURIComponent).join("/");
}
