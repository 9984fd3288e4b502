import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import type { Block, Definition, File } from "../dsl/ast.ts";
import { parse } from "../dsl/parser.ts";
import { Source, type Span } from "../dsl/source.ts";
import { makerOf, type NodeMaker } from "./node-makers.ts";
import { readText } from "./read-text.ts";

/** What the trees of a library are made of: a line of JSON, then the texts of the files, then codes of 32 bits, in the byte order of the build. */
interface Head {
  /** By name in messages. */
  readonly files: Readonly<Record<string, StoredFile>>;
  /** Each kind of node with its fields but for `span`, which is last: `Kind field field ...`. */
  readonly shapes: readonly string[];
  /** What is in the fields and is no node and no list. */
  readonly scalars: readonly (string | number | boolean | null)[];
  /** The bytes of all texts, which end where a code can begin. */
  readonly textBytes: number;
  /** Their number; the first one is `byteOrder`. */
  readonly codes: number;
}

interface StoredFile {
  /** The first byte of its text, and the one after the last, counted from the end of the head. */
  readonly text: readonly [start: number, end: number];
  /** The first code of the tree, without the bodies of definitions. */
  readonly tree: number;
  /** The first code of the body of each of its definitions. */
  readonly bodies: readonly number[];
}

// What a code says, in its last two bits; the rest is a number.
/** One of the scalars. */
const scalarTag = 0;
/** A list of so many, which follow. */
const listTag = 1;
/** A node of a shape. Its fields follow, then the start and the end of its span as they are. */
const nodeTag = 2;

/** What a processor of another byte order than the build's reads as another number. */
const byteOrder = 1;
const newline = 10;

/**
 * Syntax trees of the library as the build has parsed it: to read them takes a small part of the time of parsing. A tree stands for the very text that it
 * was made of, so that a file that says something else is parsed.
 */
export class StoredTrees {
  readonly #bytes: Buffer;
  readonly #head: Head;
  readonly #afterHead: number;
  readonly #codes: Int32Array;
  /** By shape. */
  readonly #makers: readonly NodeMaker[];

  private constructor(bytes: Buffer, head: Head, afterHead: number) {
    this.#bytes = bytes;
    this.#head = head;
    this.#afterHead = afterHead;
    const start = bytes.byteOffset + afterHead + head.textBytes;
    this.#codes = new Int32Array(bytes.buffer.slice(start, start + 4 * head.codes));
    this.#makers = head.shapes.map(makerOf);
  }

  /** From the bytes that `storeTrees` gives; null for any others. */
  static read(bytes: Buffer): StoredTrees | null {
    const afterHead = bytes.indexOf(newline) + 1;
    try {
      const head = JSON.parse(bytes.toString("latin1", 0, afterHead)) as Head;
      if (bytes.length !== afterHead + head.textBytes + 4 * head.codes) return null;
      const trees = new StoredTrees(bytes, head, afterHead);
      return trees.#codes[0] === byteOrder ? trees : null;
    } catch {
      return null;
    }
  }

  /** The tree of a file of the library, if there is one of its text. */
  treeOf(source: Source): File | null {
    const stored = this.#head.files[source.name];
    if (stored === undefined) return null;
    const [start, end] = stored.text;
    if (this.#bytes.toString("utf8", this.#afterHead + start, this.#afterHead + end) !== source.text) return null;
    const file = this.#nodeAt(stored.tree, source) as File;
    let definitions = 0;
    const items = file.items.map((item) =>
      item.kind === "Definition" ? this.#withBody(item, stored.bodies[definitions++] as number, source) : item,
    );
    return { ...file, items };
  }

  /** A definition whose body is read when asked for: a spec calls a part of what it imports. */
  #withBody(definition: Definition, code: number, source: Source): Definition {
    const read = () => this.#nodeAt(code, source) as Block;
    let body: Block | null = null;
    return {
      ...definition,
      get body(): Block {
        body ??= read();
        return body;
      },
    };
  }

  #nodeAt(code: number, source: Source): unknown {
    const { scalars } = this.#head;
    const codes = this.#codes;
    const makers = this.#makers;
    let at = code;
    return next();

    function next(): unknown {
      const code = codes[at++] as number;
      const number = code >> 2;
      switch (code & 3) {
        case scalarTag:
          return scalars[number];
        case listTag: {
          const list = new Array<unknown>(number);
          for (let i = 0; i < number; i += 1) list[i] = next();
          return list;
        }
        default:
          return (makers[number] as NodeMaker)(next, span);
      }
    }

    function span(): Span {
      return { source, start: codes[at++] as number, end: codes[at++] as number };
    }
  }
}

let trees: StoredTrees | null | undefined;

/** The tree of a file of the library, if the build has stored it. */
export function storedTree(source: Source): File | null {
  if (trees === undefined) trees = StoredTrees.read(builtTrees());
  return trees?.treeOf(source) ?? null;
}

/** Empty where this does not run from a build. */
function builtTrees(): Buffer {
  try {
    return readFileSync(join(dirname(fileURLToPath(import.meta.url)), "library.trees"));
  } catch {
    return Buffer.alloc(0);
  }
}

/** What `StoredTrees` reads, of the files of a folder, and the shapes of its nodes; files with mistakes are left out. */
export function storeTrees(library: string): { readonly bytes: Buffer; readonly shapes: readonly string[] } {
  const files: Record<string, StoredFile> = {};
  const writer = new TreeWriter();
  let texts = "";
  const paths = readdirSync(library, { recursive: true })
    .map(String)
    .filter((path) => path.endsWith(".ple"));
  for (const path of paths.sort()) {
    const name = `std/${path.split(sep).join("/")}`;
    const source = new Source(name, readText(join(library, path)), { library: true });
    const { file, diagnostics } = parse(source);
    if (diagnostics.length > 0) continue;
    const start = Buffer.byteLength(texts);
    texts += source.text;
    const items = file.items.map((item) => (item.kind === "Definition" ? { ...item, body: undefined } : item));
    const tree = writer.write({ ...file, items });
    const bodies = file.items.filter((item) => item.kind === "Definition").map(({ body }) => writer.write(body));
    files[name] = { text: [start, Buffer.byteLength(texts)], tree, bodies };
  }
  const { shapes, scalars, codes } = writer;
  const textBytes = Math.ceil(Buffer.byteLength(texts) / 4) * 4;
  const head: Head = { files, shapes, scalars, textBytes, codes: codes.length };
  const padding = Buffer.alloc(textBytes - Buffer.byteLength(texts));
  const parts = [Buffer.from(`${toAscii(JSON.stringify(head))}\n${texts}`), padding, Buffer.from(Int32Array.from(codes).buffer)];
  return { bytes: Buffer.concat(parts), shapes };
}

class TreeWriter {
  readonly codes: number[] = [byteOrder];
  readonly #shapes = new Map<string, number>();
  readonly #scalars = new Map<string | number | boolean | null, number>();

  get shapes(): readonly string[] {
    return [...this.#shapes.keys()];
  }

  get scalars(): readonly (string | number | boolean | null)[] {
    return [...this.#scalars.keys()];
  }

  /** Where the codes of a tree begin. */
  write(tree: object): number {
    const start = this.codes.length;
    this.#add(tree);
    return start;
  }

  #add(value: unknown): void {
    if (Array.isArray(value)) {
      this.#code(listTag, value.length);
      for (const item of value) this.#add(item);
    } else if (typeof value === "object" && value !== null) {
      const { kind, span, ...rest } = value as { readonly kind: string; readonly span: { readonly start: number; readonly end: number } };
      const fields = Object.entries(rest).filter(([, field]) => field !== undefined);
      this.#code(nodeTag, numberOf([kind, ...fields.map(([name]) => name)].join(" "), this.#shapes));
      for (const [, field] of fields) this.#add(field);
      this.codes.push(span.start, span.end);
    } else this.#code(scalarTag, numberOf(value as string | number | boolean | null, this.#scalars));
  }

  #code(tag: number, number: number): void {
    this.codes.push((number << 2) | tag);
  }
}

/** The number of an item; one that has none gets the next. */
function numberOf<T>(item: T, numbers: Map<T, number>): number {
  const number = numbers.get(item) ?? numbers.size;
  numbers.set(item, number);
  return number;
}

/** JSON in ASCII, which is read fastest. */
function toAscii(json: string): string {
  return json.replace(/[^\0-\x7f]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
