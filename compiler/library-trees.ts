import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { File } from "../dsl/ast.ts";
import { parse } from "../dsl/parser.ts";
import { Source, type Span } from "../dsl/source.ts";

/**
 * The syntax trees of the library, kept from when plec was built: reading one takes a fifth of the time that parsing its text takes in a cold process.
 * A tree is stored as JSON, a span as its two offsets.
 */
interface StoredTree {
  /** The text that the tree is of. */
  readonly text: string;
  readonly file: unknown;
}

/** Each `.ple` file under `folder` as the name of its stored tree and the tree as JSON. */
export function storeTrees(folder: string): readonly { readonly name: string; readonly json: string }[] {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ple"));
  return names
    .sort()
    .map((name) => ({ name: storedName(name), json: storeTree(new Source(name, readFileSync(join(folder, name), "utf8"))) }));
}

/** The name of the stored tree of a library file, given by its path within the library. */
export function storedName(path: string): string {
  return `${path.replace(/[/\\]/g, ".")}.json`;
}

export function storeTree(source: Source): string {
  const { file, diagnostics } = parse(source);
  if (diagnostics.length > 0) throw new Error(`${source.name} does not parse: ${diagnostics[0]?.message}`);
  const stored: StoredTree = { text: source.text, file };
  return JSON.stringify(stored, (key, value) => (key === "span" ? [value.start, value.end] : value));
}

/** The tree of `source`; null when what is stored is the tree of another text. */
export function restoreTree(json: string, source: Source): File | null {
  const { text, file } = JSON.parse(json) as StoredTree;
  if (text !== source.text) return null;
  restoreSpans(file as Record<string, unknown>, source);
  return file as File;
}

function restoreSpans(node: Record<string, unknown>, source: Source): void {
  for (const key in node) {
    const child = node[key];
    if (child === null || typeof child !== "object") continue;
    if (key !== "span") restoreSpans(child as Record<string, unknown>, source);
    else {
      const [start, end] = child as readonly [number, number];
      node.span = { source, start, end } satisfies Span;
    }
  }
}
