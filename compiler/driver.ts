import { createHash } from "node:crypto";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import type { Source } from "../dsl/source.ts";
import { withoutAllowed } from "./check/allow.ts";
import { resolveNames } from "./check/resolve-names.ts";
import { builtinScope, builtins } from "./elaborate/builtins/table.ts";
import { keyOf, newBudget } from "./elaborate/context.ts";
import { FileScopes } from "./elaborate/file-scope.ts";
import { checkDefinition } from "./elaborate/generic.ts";
import { type ElaboratedModel, elaborateModel } from "./elaborate/model.ts";
import { lazily } from "./lazily.ts";
import { libraryFolder } from "./library-folder.ts";
import type { CheckedModel } from "./model.ts";
import { loadProject, type Project, topLevelNames } from "./project.ts";

export { libraryFolder } from "./library-folder.ts";

/** What checking a file gives. Models are there only when nothing that they use has an error. */
export interface CheckedFile {
  readonly path: string;
  /** Its text as it was read; null when it could not be. */
  readonly source: Source | null;
  /** Absolute paths on which the result depends, files that imports looked for and did not find among them. */
  readonly dependencies: readonly string[];
  /** Errors first read: by file (the entry first), then by place. */
  readonly diagnostics: readonly Diagnostic[];
  readonly models: readonly CheckedModel[];
}

/** A checked file with all that checking it has read and made, and with the findings that comments allow: what lints look at. */
export interface InspectedFile extends CheckedFile {
  readonly project: Project;
  readonly elaborated: readonly ElaboratedModel[];
}

/** Checks a `.ple` file and all that it imports, and builds the graphs of its models. */
export function checkFile(path: string): CheckedFile {
  return withoutAllowedFindings(inspectFile(path));
}

export function inspectFile(path: string): InspectedFile {
  return check(path, loadProject(path, { library: libraryFolder() }));
}

/** The same for a text; `name` is its name in messages, and relative imports start from there. */
export function checkSource(name: string, text: string): CheckedFile {
  return withoutAllowedFindings(inspectSource(name, text));
}

export function inspectSource(name: string, text: string): InspectedFile {
  return check(name, loadProject(name, { library: libraryFolder(), text }));
}

function withoutAllowedFindings({ project: _, elaborated: __, ...file }: InspectedFile): CheckedFile {
  return { ...file, diagnostics: withoutAllowed(file.diagnostics).diagnostics };
}

// The pipeline: read → parse → resolve names → evaluate into a graph.
function check(path: string, project: Project): InspectedFile {
  const diagnostics = [...project.diagnostics];
  const elaborated: ElaboratedModel[] = [];
  const { entry, dependencies } = project;
  // A name whose import failed is unknown without a further finding; a broken text would bring findings that follow from the break alone.
  const source = entry?.source ?? null;
  if (entry === null || diagnostics.some(({ code }) => code.startsWith("syntax/")))
    return { path, source, dependencies, diagnostics: inOrder(diagnostics, project), models: [], elaborated: [], project };
  const preludeNames = project.prelude === null ? [] : topLevelNames(project.prelude.file);
  // The library's names are resolved where it is checked itself.
  const resolved = project.files.filter((file) => file === entry || !file.source.library);
  for (const file of resolved) resolveNames(file, file === project.prelude ? [] : preludeNames, builtins.keys(), diagnostics);
  const scopes = new FileScopes(builtinScope, project.prelude);
  const hash = lazily(() => hashSources(project));
  const budget = newBudget();
  const { items } = entry.file;
  for (const item of items) if (item.kind === "Definition") checkDefinition(item, scopes.of(entry), budget, diagnostics);
  for (const item of items) {
    if (item.kind !== "Model") continue;
    const model = elaborateModel(item, scopes.of(entry), hash, budget, diagnostics);
    if (model !== null) elaborated.push(model);
  }
  const sound = hasErrors(diagnostics) ? [] : elaborated;
  return {
    path,
    source,
    dependencies,
    diagnostics: inOrder(distinct(diagnostics), project),
    models: sound.map(({ checked }) => checked),
    elaborated: sound,
    project,
  };
}

/** Without what was found again: a definition's fault shows in its own check and in each model that calls it. */
function distinct(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  const first = new Map<string, Diagnostic>();
  for (const diagnostic of diagnostics) if (!first.has(keyOf(diagnostic))) first.set(keyOf(diagnostic), diagnostic);
  return [...first.values()];
}

function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some((diagnostic) => diagnostic.severity === "error");
}

function inOrder(diagnostics: readonly Diagnostic[], project: Project): readonly Diagnostic[] {
  const rank = new Map(project.files.map((file, i) => [file.source, i]));
  const rankOf = ({ span }: Diagnostic) => (span === null ? -1 : (rank.get(span.source) ?? project.files.length));
  return [...diagnostics].sort((a, b) => rankOf(a) - rankOf(b) || (a.span?.start ?? 0) - (b.span?.start ?? 0));
}

function hashSources(project: Project): string {
  const hash = createHash("sha256");
  const sources = [...project.files.map(({ source }) => source), ...project.schemas];
  // By their texts: the same sources are the same model wherever they lie.
  for (const { text } of sources.sort((a, b) => (a.text < b.text ? -1 : 1))) hash.update(`${text.length}\n${text}`);
  return hash.digest("hex");
}
