/** What a page shows, in order. Plain data, which `page/` draws. */
export interface Page {
  readonly title: string;
  /** What was run: `batch` and `512`. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly sections: readonly Section[];
}

export interface Section {
  readonly title: string;
  readonly text: string | null;
  readonly figures: readonly Figure[];
}

export type Figure = LineFigure | HeatFigure | TableFigure;

/** Lines over a common axis. */
export interface LineFigure {
  readonly kind: "lines";
  readonly title: string;
  /** Names of the axes. */
  readonly xName: string;
  readonly yName: string | null;
  readonly x: readonly number[];
  readonly lines: readonly Line[];
  readonly marks: readonly Mark[];
  /** A y axis from and to here, whatever the values are. */
  readonly range: readonly [low: number, high: number] | null;
  /** Draws y = x, for comparison. */
  readonly diagonal: boolean;
}

export interface Line {
  readonly name: string;
  /** One for each x; null where there is none. */
  readonly values: readonly (number | null)[];
}

/** Something that happened at an x: a phase began, the gates froze. */
export interface Mark {
  readonly x: number;
  readonly name: string;
}

/** A matrix in colours from `low` (one hue) over 0 to `high` (another). */
export interface HeatFigure {
  readonly kind: "heat";
  readonly title: string;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly values: readonly (readonly (number | null)[])[];
  readonly low: number;
  readonly high: number;
}

export interface TableFigure {
  readonly kind: "table";
  readonly title: string | null;
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export type Point = readonly [x: number, y: number | null];

/** Values over xs of its own. */
export interface Column {
  readonly name: string;
  readonly points: readonly Point[];
}

/** Columns over the union of their xs. */
export function alignLines(columns: readonly Column[]): Pick<LineFigure, "x" | "lines"> {
  const x = [...new Set(columns.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => a - b);
  const lines = columns.map(({ name, points }) => {
    const byX = new Map(points);
    return { name, values: x.map((at) => byX.get(at) ?? null) };
  });
  return { x, lines };
}

/** At most `most` points: means of neighbours, so that a long run stays a small page. */
export function thinned(
  points: readonly (readonly [x: number, y: number | null])[],
  most = 600,
): readonly (readonly [number, number | null])[] {
  if (points.length <= most) return points;
  const size = Math.ceil(points.length / most);
  return Array.from({ length: Math.ceil(points.length / size) }, (_, i) => {
    const part = points.slice(i * size, (i + 1) * size);
    const values = part.flatMap(([, y]) => (y === null || !Number.isFinite(y) ? [] : [y]));
    const mean = values.length === 0 ? null : values.reduce((sum, y) => sum + y, 0) / values.length;
    return [part.at(-1)?.[0] ?? 0, mean] as const;
  });
}
