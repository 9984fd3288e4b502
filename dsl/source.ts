/** A source text with its name as shown to the user and a line table, built on first use. */
export class Source {
  readonly name: string;
  readonly text: string;
  /** Part of the library that comes with plec, whose text the user cannot mend. */
  readonly library: boolean;
  #lineStarts: number[] | undefined;

  constructor(name: string, text: string, options: { readonly library?: boolean } = {}) {
    this.name = name;
    this.text = text;
    this.library = options.library ?? false;
  }

  get lineStarts(): readonly number[] {
    if (this.#lineStarts === undefined) {
      const starts = [0];
      for (let i = this.text.indexOf("\n"); i >= 0; i = this.text.indexOf("\n", i + 1)) starts.push(i + 1);
      this.#lineStarts = starts;
    }
    return this.#lineStarts;
  }

  /** 1-based line and column (in UTF-16 units) of an offset. */
  position(offset: number): { readonly line: number; readonly column: number } {
    const starts = this.lineStarts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const mid = (low + high + 1) >> 1;
      if ((starts[mid] as number) <= offset) low = mid;
      else high = mid - 1;
    }
    return { line: low + 1, column: offset - (starts[low] as number) + 1 };
  }

  /** The text of a 1-based line, without its line end. */
  line(line: number): string {
    const start = this.lineStarts[line - 1] ?? this.text.length;
    const end = this.lineStarts[line] ?? this.text.length + 1;
    return this.text.slice(start, end - 1).replace(/\r$/, "");
  }
}

/** A half-open range [start, end) of offsets in one source. */
export interface Span {
  readonly source: Source;
  readonly start: number;
  readonly end: number;
}

/** The smallest span that holds both; both must be of one source. */
export function joinSpans(a: Span, b: Span): Span {
  return { source: a.source, start: Math.min(a.start, b.start), end: Math.max(a.end, b.end) };
}
