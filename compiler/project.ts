import { existsSync, readdirSync, realpathSync, type Stats, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { File, Import, StringLiteral } from "../dsl/ast.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { parse } from "../dsl/parser.ts";
import { Source, type Span } from "../dsl/source.ts";
import { closest } from "../dsl/suggest.ts";
import { finding } from "./check/catalogue.ts";
import { readText, UnreadableText } from "./read-text.ts";
import { storedTree } from "./stored-trees.ts";
import { expandSchemas } from "./yaml/expand-schemas.ts";

/** A parsed file with what its imports stand for. */
export interface LoadedFile {
  /** Absolute path; the given name for a text that is in no file. */
  readonly path: string;
  readonly source: Source;
  readonly file: File;
  readonly imported: readonly ImportedName[];
}

export interface ImportedName {
  /** The name in the importing file. */
  readonly local: string;
  readonly name: string;
  readonly from: LoadedFile;
  readonly span: Span;
  readonly statement: Import;
}

export interface Project {
  /** The entry file, or null when it cannot be read. */
  readonly entry: LoadedFile | null;
  readonly prelude: LoadedFile | null;
  /** Every file that was read, the entry first. */
  readonly files: readonly LoadedFile[];
  /** The feature schemas that inputs are taken from. */
  readonly schemas: readonly Source[];
  /** Absolute paths on which all of this depends: files that were read, and the files and folders that imports looked for. */
  readonly dependencies: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
}

export interface ProjectOptions {
  /** The folder that `std/` stands for. */
  readonly library: string;
  /** The text of the entry, when it is not that of its file. */
  readonly text?: string;
}

const extension = ".ple";

/** Reads a file and all that it imports. */
export function loadProject(entryPath: string, options: ProjectOptions): Project {
  const loader = new Loader(resolve(entryPath), options);
  const entry = loader.load(resolve(entryPath), entryPath, null);
  const preludePath = join(options.library, `prelude${extension}`);
  const prelude = existsSync(preludePath) ? loader.load(preludePath, null, null) : null;
  const { schemas, dependencies, diagnostics } = loader;
  return {
    entry,
    prelude,
    files: [...loader.files.values()],
    schemas: [...schemas.values()],
    dependencies: [...dependencies],
    diagnostics,
  };
}

class Loader {
  readonly files = new Map<string, LoadedFile>();
  readonly schemas = new Map<string, Source>();
  readonly dependencies = new Set<string>();
  readonly diagnostics: Diagnostic[] = [];
  readonly #options: ProjectOptions;
  readonly #entry: string;
  readonly #root: string;
  /** Where files are without links, and the files that bases of imports stand for: many imports are of the same few. */
  readonly #realPaths = new Map<string, string>();
  readonly #candidates = new Map<string, readonly string[] | null>();
  /** Files whose imports are being read, outermost first. */
  readonly #open: string[] = [];

  constructor(entry: string, options: ProjectOptions) {
    this.#entry = entry;
    this.#options = options;
    this.#root = projectRoot(dirname(entry));
  }

  /** Reads one file and its imports; `shown` is its name in messages. */
  load(path: string, shown: string | null, importedBy: Span | null): LoadedFile | null {
    const before = this.files.get(path);
    if (before !== undefined) return before;
    this.dependencies.add(path);
    const name = shown ?? this.#shownName(path);
    const given = path === this.#entry ? this.#options.text : undefined;
    const text = given ?? this.#read(path, name, importedBy);
    if (text === null) return null;
    const library = isInside(this.#options.library, path);
    const parsed = parseCached(path, new Source(name, text, { library }));
    const { source } = parsed;
    this.diagnostics.push(...parsed.diagnostics);
    const file = parsed.schemas ? expandSchemas(parsed.file, (schema) => this.#schema(schema, path), this.diagnostics) : parsed.file;
    const imported: ImportedName[] = [];
    const loaded: LoadedFile = { path, source, file, imported };
    this.files.set(path, loaded);
    this.#open.push(path);
    for (const statement of file.imports) imported.push(...this.#import(statement, loaded));
    this.#open.pop();
    return loaded;
  }

  #shownName(path: string): string {
    if (isInside(this.#options.library, path)) return `std/${relative(this.#options.library, path).split(sep).join("/")}`;
    const near = relative(process.cwd(), path);
    return near.startsWith("..") ? path : near;
  }

  #read(path: string, name: string, span: Span | null): string | null {
    try {
      return readText(path);
    } catch (error) {
      this.diagnostics.push(unreadable(span, name, error));
      return null;
    }
  }

  #import(statement: Import, importer: LoadedFile): readonly ImportedName[] {
    const files = this.#resolve(statement, importer);
    if (files === null) return [];
    const names: ImportedName[] = [];
    for (const { name, alias } of statement.names) {
      const from = files.find((candidate) => topLevelNames(candidate.file).includes(name.text));
      if (from !== undefined) {
        names.push({ local: (alias ?? name).text, name: name.text, from, span: name.span, statement });
        continue;
      }
      const known = files.flatMap((candidate) => topLevelNames(candidate.file));
      const near = closest(name.text, known);
      const help = near !== null ? `did you mean \`${near}\`?` : known.length > 0 ? `it has ${known.slice(0, 12).join(", ")}` : null;
      const fixes = near === null ? [] : [{ title: `change to \`${near}\``, safe: false, edits: [{ span: name.span, text: near }] }];
      this.diagnostics.push(finding("import/no-such-name", name.span, { path: statement.path.value, name: name.text }, { help, fixes }));
    }
    return names;
  }

  /** The files that an import path stands for; null once reported. */
  #resolve(statement: Import, importer: LoadedFile): readonly LoadedFile[] | null {
    const { value, span } = statement.path;
    const inLibrary = value.startsWith("std/");
    if (!inLibrary && !value.startsWith("./") && !value.startsWith("../")) {
      const help = `write "./${value}" for a file beside this one, or "std/${value}" for the library`;
      return this.#fail("import/not-found", span, value, isAbsolute(value) ? null : help);
    }
    const { library } = this.#options;
    const base = inLibrary ? join(library, value.slice("std/".length)) : resolve(dirname(importer.path), value);
    const home = inLibrary || importer.source.library ? library : this.#root;
    const inside = isInside(home, base);
    if (!inside) return this.#fail("import/outside", span, value, null);
    const paths = remembered(this.#candidates, base, candidateFiles);
    // Not only what was found: the import means another file once there is a nearer one.
    for (const path of [base, base + extension]) this.dependencies.add(path);
    if (paths === null) return this.#fail("import/not-found", span, value, this.#nearPath(base));
    const files: LoadedFile[] = [];
    for (const path of paths) {
      const real = this.#realPath(path);
      if (!isInside(home, real) && !isInside(this.#realPath(this.#root), real)) {
        return this.#fail("import/outside", span, value, "the file is a link to a place outside");
      }
      if (this.#open.includes(path)) {
        if (paths.length > 1) continue;
        const cycle = [...this.#open.slice(this.#open.indexOf(path)), path].map((at) => this.#shownName(at)).join(" → ");
        this.diagnostics.push(finding("import/cycle", span, { cycle }));
        return null;
      }
      const loaded = this.load(path, null, span);
      if (loaded !== null) files.push(loaded);
    }
    return files.length > 0 ? files : null;
  }

  /** The text of a feature schema beside the spec at `importer`; null once reported. */
  #schema({ value, span }: StringLiteral, importer: string): Source | null {
    const path = resolve(dirname(importer), value);
    this.dependencies.add(path);
    const before = this.schemas.get(path);
    if (before !== undefined) return before;
    if (isAbsolute(value) || !isInside(this.#root, path)) return this.#fail("import/outside", span, value, null);
    if (!existsSync(path)) return this.#fail("import/not-found", span, value, this.#nearPath(path));
    if (!isInside(this.#realPath(this.#root), this.#realPath(path)))
      return this.#fail("import/outside", span, value, "the file is a link to a place outside");
    const name = this.#shownName(path);
    const text = this.#read(path, name, span);
    if (text === null) return null;
    const source = new Source(name, text);
    this.schemas.set(path, source);
    return source;
  }

  #realPath(path: string): string {
    return remembered(this.#realPaths, path, realPath);
  }

  #fail(code: "import/not-found" | "import/outside", span: Span, path: string, help: string | null): null {
    this.diagnostics.push(finding(code, span, { path }, { help }));
    return null;
  }

  #nearPath(base: string): string | null {
    try {
      const folder = dirname(base);
      const near = closest(
        base.slice(folder.length + 1),
        readdirSync(folder).map((name) => name.replace(extension, "")),
      );
      return near === null ? null : `did you mean \`${near}\`?`;
    } catch {
      return null;
    }
  }
}

/** That a file cannot be read, at the import that names it, or else at its own start. */
export function unreadable(importedBy: Span | null, name: string, error: unknown): Diagnostic {
  const span = importedBy ?? { source: new Source(name, ""), start: 0, end: 0 };
  return finding("import/unreadable", span, { path: name, reason: readFailure(error) });
}

function readFailure(error: unknown): string {
  if (error instanceof UnreadableText) return error.message;
  const code = (error as NodeJS.ErrnoException).code;
  return { ENOENT: "there is no such file", EACCES: "permission denied", EISDIR: "it is a folder" }[code ?? ""] ?? String(code ?? error);
}

/** The file at a path with or without the extension, or every `.ple` file of a folder; null when there is none. */
function candidateFiles(base: string): readonly string[] | null {
  for (const path of [base, base + extension]) if (statIfThere(path)?.isFile()) return [path];
  if (!statIfThere(base)?.isDirectory()) return null;
  return readdirSync(base)
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => join(base, name));
}

function statIfThere(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function remembered<T>(known: Map<string, T>, key: string, find: (key: string) => T): T {
  const before = known.get(key);
  if (before !== undefined) return before;
  const found = find(key);
  known.set(key, found);
  return found;
}

function realPath(path: string): string {
  try {
    return realpathSync.native(path);
  } catch {
    return path;
  }
}

function isInside(folder: string, path: string): boolean {
  if (path.startsWith(`${folder}${sep}`)) return true;
  const way = relative(folder, path);
  return way === "" || (!way.startsWith("..") && !isAbsolute(way));
}

/** The nearest folder upwards that marks a project, or the folder itself. */
function projectRoot(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (["package.json", "plec.config.yaml", ".git"].some((name) => existsSync(join(at, name)))) return at;
    if (dirname(at) === at) return folder;
  }
}

export function topLevelNames(file: File): readonly string[] {
  return file.items.filter((item) => item.kind !== "Model").map((item) => item.name.text);
}

interface Parsed {
  readonly source: Source;
  readonly file: File;
  readonly diagnostics: readonly Diagnostic[];
  /** Whether an input is taken from a feature schema. */
  readonly schemas: boolean;
}

/** By path. */
const parsedFiles = new Map<string, Parsed>();

/** A file is read once for each process, and again only when its text or its name in messages has changed. */
function parseCached(path: string, source: Source): Parsed {
  const before = parsedFiles.get(path);
  if (before?.source.text === source.text && before.source.name === source.name) return before;
  const tree = source.library ? storedTree(source) : null;
  const { file, diagnostics } = tree === null ? parse(source) : { file: tree, diagnostics: [] };
  const inputs = file.items.flatMap((item) => (item.kind === "Model" ? item.items.filter((inner) => inner.kind === "Input") : []));
  const parsed = { source, file, diagnostics, schemas: inputs.some(({ schema }) => schema !== null) };
  parsedFiles.set(path, parsed);
  return parsed;
}
