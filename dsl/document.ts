/**
 * Layout as data, after Wadler's "A prettier printer": what may break into lines, and how deep it is then indented. A group stands on one line if it fits;
 * else its own lines break, and each group within it decides for itself.
 */
export type Doc = string | readonly Doc[] | Line | Indent | Group | WhenBroken | Choice | CommentDoc;

interface Line {
  readonly kind: "line";
  /** What stands in its place while the group is on one line; null breaks every group around it. */
  readonly flat: string | null;
  /** An empty line before the next one. */
  readonly blank: boolean;
}

interface Indent {
  readonly kind: "indent";
  readonly content: Doc;
  readonly breaks: boolean;
}

interface Group {
  readonly kind: "group";
  readonly content: Doc;
  readonly breaks: boolean;
}

interface WhenBroken {
  readonly kind: "when-broken";
  readonly text: string;
}

/** Two layouts of several lines each: the first one if its first line fits. */
interface Choice {
  readonly kind: "choice";
  readonly preferred: Doc;
  readonly otherwise: Doc;
}

/** A `//` comment: nothing can follow it on its line, and its width does not count. */
interface CommentDoc {
  readonly kind: "comment";
  readonly text: string;
  /** Stands on a line of its own, not behind what precedes it. */
  readonly own: boolean;
  readonly blank: boolean;
}

export const line: Doc = { kind: "line", flat: " ", blank: false };
export const softline: Doc = { kind: "line", flat: "", blank: false };
export const hardline: Doc = { kind: "line", flat: null, blank: false };
export const blankLine: Doc = { kind: "line", flat: null, blank: true };

export function indent(content: Doc): Doc {
  return { kind: "indent", content, breaks: breaks(content) };
}

export function group(content: Doc): Doc {
  return { kind: "group", content, breaks: breaks(content) };
}

export function whenBroken(text: string): Doc {
  return { kind: "when-broken", text };
}

export function choice(preferred: Doc, otherwise: Doc): Doc {
  return { kind: "choice", preferred, otherwise };
}

export function comment(text: string, place: { readonly own: boolean; readonly blank: boolean }): Doc {
  return { kind: "comment", text, ...place };
}

/** Whether a document can never stand on one line. */
export function breaks(doc: Doc): boolean {
  if (typeof doc === "string") return false;
  if (isList(doc)) return doc.some(breaks);
  switch (doc.kind) {
    case "line":
      return doc.flat === null;
    case "comment":
    case "choice":
      return true;
    case "when-broken":
      return false;
    default:
      return doc.breaks;
  }
}

function isList(doc: Doc): doc is readonly Doc[] {
  return Array.isArray(doc);
}

interface Command {
  readonly indent: number;
  readonly flat: boolean;
  readonly doc: Doc;
}

/** Lays a document out in lines of at most `width` columns where its breaks allow; ends with a line end. */
export function renderDocument(doc: Doc, width: number): string {
  const page = new Page();
  const stack: Command[] = [{ indent: 0, flat: false, doc }];
  for (let next = stack.pop(); next !== undefined; next = stack.pop()) {
    const { indent, flat, doc } = next;
    if (typeof doc === "string") page.write(doc, indent);
    else if (isList(doc)) for (let i = doc.length - 1; i >= 0; i -= 1) stack.push({ indent, flat, doc: doc[i] as Doc });
    else if (doc.kind === "indent") stack.push({ indent: indent + 2, flat, doc: doc.content });
    else if (doc.kind === "group")
      stack.push({ indent, flat: flat || (!doc.breaks && fits(doc.content, width - page.column(indent), stack)), doc: doc.content });
    else if (doc.kind === "choice")
      stack.push({ indent, flat, doc: fits(doc.preferred, width - page.column(indent), []) ? doc.preferred : doc.otherwise });
    else if (doc.kind === "when-broken") page.write(flat ? "" : doc.text, indent);
    else if (doc.kind === "comment") page.comment(doc, indent);
    else if (flat && doc.flat !== null) page.write(doc.flat, indent);
    else page.breakLine(doc.blank);
  }
  return page.finish();
}

/** Whether a document on one line, with what follows it up to the next possible line end, fits into the columns that are left. */
function fits(doc: Doc, columns: number, rest: readonly Command[]): boolean {
  let left = columns;
  let restIndex = rest.length;
  const stack: Command[] = [{ indent: 0, flat: true, doc }];
  while (left >= 0) {
    const next = stack.pop() ?? rest[--restIndex];
    if (next === undefined) return true;
    const { flat, doc } = next;
    if (typeof doc === "string") left -= doc.length;
    else if (isList(doc)) for (let i = doc.length - 1; i >= 0; i -= 1) stack.push({ ...next, doc: doc[i] as Doc });
    else if (doc.kind === "indent") stack.push({ ...next, doc: doc.content });
    else if (doc.kind === "group") stack.push({ ...next, flat: flat && !doc.breaks, doc: doc.content });
    else if (doc.kind === "choice") stack.push({ ...next, doc: doc.preferred });
    else if (doc.kind === "when-broken") left -= flat ? 0 : doc.text.length;
    else if (doc.kind === "comment") return true;
    else if (!flat || doc.flat === null) return true;
    else left -= doc.flat.length;
  }
  return false;
}

/** Lines written so far and the one being written. */
class Page {
  readonly #lines: string[] = [];
  #current = "";
  /** The line ends in a comment, so that nothing more may stand on it. */
  #closed = false;
  /** Right after an opening bracket, where empty lines are dropped. */
  #opened = true;

  column(indent: number): number {
    return this.#current === "" || this.#closed ? indent : this.#current.length;
  }

  write(text: string, indent: number): void {
    if (this.#closed) this.breakLine(false);
    const visible = this.#current === "" ? text.trimStart() : text;
    if (visible === "") return;
    this.#current = (this.#current === "" ? " ".repeat(indent) : this.#current) + visible;
    this.#opened = /[([{]\s*$/.test(visible);
  }

  comment({ text, own, blank }: CommentDoc, indent: number): void {
    if (own || this.#closed) this.breakLine(blank);
    this.#current = this.#current === "" ? " ".repeat(indent) + text : `${this.#current.trimEnd()} ${text}`;
    this.#closed = true;
    this.#opened = false;
  }

  breakLine(blank: boolean): void {
    this.#closed = false;
    if (this.#current !== "") {
      this.#lines.push(this.#current.trimEnd());
      this.#current = "";
    }
    if (blank && !this.#opened && this.#lines.at(-1) !== "") this.#lines.push("");
  }

  finish(): string {
    this.breakLine(false);
    return this.#lines.length === 0 ? "" : `${this.#lines.join("\n")}\n`;
  }
}
