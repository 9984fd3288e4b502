import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Block, Definition, File } from "../dsl/ast.ts";
import { parse } from "../dsl/parser.ts";
import { Source } from "../dsl/source.ts";
import { readText } from "./read-text.ts";

/** What the trees of a library are made of: one line of JSON each. */
interface Index {
  /** The line of each file, by its name in messages. */
  readonly files: Readonly<Record<string, number>>;
  readonly lines: number;
}

/** Followed by a line for the body of each of its definitions. */
interface StoredFile {
  readonly text: string;
  readonly file: File;
}

/**
 * Syntax trees of the library as the build has parsed it: to read them takes less than half of the time of parsing. A tree stands for the very text that
 * it was made of, so that a file that says something else is parsed.
 */
export class StoredTrees {
  readonly #index: Index;
  readonly #lines: readonly string[];

  private constructor(index: Index, lines: readonly string[]) {
    this.#index = index;
    this.#lines = lines;
  }

  /** From the text that `storeTrees` gives; null for any other. */
  static read(text: string): StoredTrees | null {
    const lines = text.split("\n");
    try {
      const index = JSON.parse(lines[0] as string) as Index;
      return index.lines === lines.length ? new StoredTrees(index, lines) : null;
    } catch {
      return null;
    }
  }

  /** The tree of a file of the library, if there is one of its text. */
  treeOf(source: Source): File | null {
    let line = this.#index.files[source.name];
    if (line === undefined) return null;
    const { text, file } = JSON.parse(this.#lines[line] as string) as StoredFile;
    if (text !== source.text) return null;
    setSource(file, source);
    const items: File["items"][number][] = [];
    for (const item of file.items) {
      if (item.kind === "Definition") line += 1;
      items.push(item.kind === "Definition" ? withBody(item, this.#lines[line] as string, source) : item);
    }
    return { ...file, items };
  }
}

/** A definition whose body is read when asked for: a spec calls a part of what it imports. */
function withBody(definition: Definition, line: string, source: Source): Definition {
  let read: Block | null = null;
  return {
    ...definition,
    get body(): Block {
      if (read === null) {
        read = JSON.parse(line) as Block;
        setSource(read, source);
      }
      return read;
    },
  };
}

/** Puts the source into all spans of a tree, which all of a file's have in common. */
function setSource(tree: object, source: Source): void {
  const fields = tree as Record<string, unknown>;
  for (const name in fields) {
    const value = fields[name];
    if (name === "span") (value as { source: Source }).source = source;
    else if (typeof value === "object" && value !== null) setSource(value, source);
  }
}

let trees: StoredTrees | null | undefined;

/** The tree of a file of the library, if the build has stored it. */
export function storedTree(source: Source): File | null {
  if (trees === undefined) trees = StoredTrees.read(builtTrees());
  return trees?.treeOf(source) ?? null;
}

/** Empty where this does not run from a build. */
function builtTrees(): string {
  try {
    return readFileSync(join(dirname(fileURLToPath(import.meta.url)), "library.trees"), "latin1");
  } catch {
    return "";
  }
}

/** What `StoredTrees` reads, of the files of a folder; those with mistakes are left out. */
export function storeTrees(library: string): string {
  const files: Record<string, number> = {};
  const lines: string[] = [];
  const paths = readdirSync(library, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith(".ple"));
  for (const path of paths.sort()) {
    const name = `std/${path.split(sep).join("/")}`;
    const source = new Source(name, readText(join(library, path)), { library: true });
    const { file, diagnostics } = parse(source);
    if (diagnostics.length > 0) continue;
    files[name] = lines.length + 1;
    const definitions = file.items.filter((item) => item.kind === "Definition");
    const items = file.items.map((item) => (item.kind === "Definition" ? { ...item, body: undefined } : item));
    lines.push(toLine({ text: source.text, file: { ...file, items } }), ...definitions.map(({ body }) => toLine(body)));
  }
  return [JSON.stringify({ files, lines: lines.length + 1 }), ...lines].join("\n");
}

/** Without sources, and in ASCII, which is read fastest. */
function toLine(value: unknown): string {
  const line = JSON.stringify(value, (name, part) => (name === "source" ? 0 : part));
  return line.replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
