import { existsSync, readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import type { File, Import } from "../dsl/ast.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { parse } from "../dsl/parser.ts";
import { Source, type Span } from "../dsl/source.ts";
import { closest } from "../dsl/suggest.ts";
import { finding } from "./check/catalogue.ts";

/** A parsed file with what its imports stand for. */
export interface LoadedFile {
  /** Absolute path; the given name for a text that is in no file. */
  readonly path: string;
  readonly source: Source;
  readonly file: File;
  /** Part of the library that comes with plec. */
  readonly library: boolean;
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
const largestFile = 4 * 1024 * 1024;

/** Reads a file and all that it imports. */
export function loadProject(entryPath: string, options: ProjectOptions): Project {
  const loader = new Loader(resolve(entryPath), options);
  const entry = loader.load(resolve(entryPath), entryPath, null);
  const preludePath = join(options.library, `prelude${extension}`);
  const prelude = existsSync(preludePath) ? loader.load(preludePath, null, null) : null;
  return { entry, prelude, files: [...loader.files.values()], dependencies: [...loader.dependencies], diagnostics: loader.diagnostics };
}

class Loader {
  readonly files = new Map<string, LoadedFile>();
  readonly dependencies = new Set<string>();
  readonly diagnostics: Diagnostic[] = [];
  readonly #library: string;
  readonly #entry: string;
  readonly #text: string | undefined;
  readonly #root: string;
  /** Files whose imports are being read, outermost first. */
  readonly #open: string[] = [];

  constructor(entry: string, options: ProjectOptions) {
    this.#entry = entry;
    this.#text = options.text;
    this.#library = options.library;
    this.#root = projectRoot(dirname(entry));
  }

  /** Reads one file and its imports; `shown` is its name in messages. */
  load(path: string, shown: string | null, importedBy: Span | null): LoadedFile | null {
    const before = this.files.get(path);
    if (before !== undefined) return before;
    this.dependencies.add(path);
    const name = shown ?? this.#shownName(path);
    const text = path === this.#entry && this.#text !== undefined ? this.#text : this.#read(path, name, importedBy);
    if (text === null) return null;
    const { source, file, diagnostics } = parseCached(name, text);
    this.diagnostics.push(...diagnostics);
    const imported: ImportedName[] = [];
    const loaded: LoadedFile = { path, source, file, library: isInside(this.#library, path), imported };
    this.files.set(path, loaded);
    this.#open.push(path);
    for (const statement of file.imports) imported.push(...this.#import(statement, loaded));
    this.#open.pop();
    return loaded;
  }

  #shownName(path: string): string {
    if (isInside(this.#library, path)) return `std/${relative(this.#library, path).split(sep).join("/")}`;
    const near = relative(process.cwd(), path);
    return near.startsWith("..") ? path : near;
  }

  #read(path: string, name: string, span: Span | null): string | null {
    try {
      if (statSync(path).size > largestFile) {
        this.diagnostics.push(finding("import/unreadable", span, { path: name, reason: "it is larger than 4 MB" }));
        return null;
      }
      return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
    } catch (error) {
      this.diagnostics.push(finding("import/unreadable", span, { path: name, reason: readFailure(error) }));
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
    const base = inLibrary ? join(this.#library, value.slice("std/".length)) : resolve(dirname(importer.path), value);
    const inside = isInside(inLibrary || importer.library ? this.#library : this.#root, base);
    if (!inside) return this.#fail("import/outside", span, value, null);
    const paths = candidateFiles(base);
    // Not only what was found: the import means another file once there is a nearer one.
    for (const path of [base, base + extension]) this.dependencies.add(path);
    if (paths === null) return this.#fail("import/not-found", span, value, this.#nearPath(base));
    const files: LoadedFile[] = [];
    for (const path of paths) {
      if (
        !isInside(importer.library || inLibrary ? this.#library : this.#root, realPath(path)) &&
        !isInside(realPath(this.#root), realPath(path))
      ) {
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

function readFailure(error: unknown): string {
  if (error instanceof TypeError) return "it is not UTF-8 text";
  const code = (error as NodeJS.ErrnoException).code;
  return { ENOENT: "there is no such file", EACCES: "permission denied", EISDIR: "it is a folder" }[code ?? ""] ?? String(code ?? error);
}

/** The file at a path with or without the extension, or every `.ple` file of a folder; null when there is none. */
function candidateFiles(base: string): readonly string[] | null {
  for (const path of [base, base + extension]) if (existsSync(path) && statSync(path).isFile()) return [path];
  if (!existsSync(base) || !statSync(base).isDirectory()) return null;
  return readdirSync(base)
    .filter((name) => name.endsWith(extension))
    .sort()
    .map((name) => join(base, name));
}

function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

function isInside(folder: string, path: string): boolean {
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
  readonly text: string;
  readonly source: Source;
  readonly file: File;
  readonly diagnostics: readonly Diagnostic[];
}

const parsedFiles = new Map<string, Parsed>();

/** Library files are parsed once for each process, and any file again only when its text has changed. */
function parseCached(name: string, text: string): Parsed {
  const before = parsedFiles.get(name);
  if (before?.text === text) return before;
  const source = new Source(name, text);
  const { file, diagnostics } = parse(source);
  const parsed = { text, source, file, diagnostics };
  parsedFiles.set(name, parsed);
  return parsed;
}
