import { readFile } from "node:fs/promises";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { inputReporter } from "./catalogue.ts";

/** Cells by column, as read: numbers, text, nested lists, or undefined where there is none. */
export interface RawBatch {
  /** The file, as shown to the user. */
  readonly place: string;
  readonly columns: readonly RawColumn[];
}

export type RawColumn =
  /** One cell for each row. */
  | { readonly key: string; readonly form: "rows"; readonly cells: readonly unknown[] }
  /** The whole tensor, the batch being its first axis. */
  | { readonly key: string; readonly form: "tensor"; readonly value: unknown };

export type ReadBatch =
  | { readonly batch: RawBatch; readonly diagnostics: readonly [] }
  | { readonly batch: null; readonly diagnostics: readonly Diagnostic[] };

/** Reads `.json` (an array of row objects, or an object of arrays) or `.csv` (a header line, then rows). Gzip is not read. */
export async function readBatchFile(path: string): Promise<ReadBatch> {
  let text: string;
  try {
    text = (await readFile(path, "utf8")).replace(/^\uFEFF/, "");
  } catch (error) {
    return unreadable(path, error instanceof Error ? error.message : String(error));
  }
  if (/\.json$/i.test(path)) return parseJsonBatch(path, text);
  if (/\.csv$/i.test(path)) return parseCsvBatch(path, text);
  return unreadable(path, "its name ends neither in .json nor in .csv");
}

export function parseJsonBatch(place: string, text: string): ReadBatch {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return unreadable(place, error instanceof Error ? error.message : String(error));
  }
  if (Array.isArray(value)) return rowsToBatch(place, value);
  if (!isRecord(value)) return unreadable(place, "the JSON is neither an array of row objects nor an object of arrays");
  const columns = [...flatten(value)].map(([key, column]): RawColumn => ({ key, form: "tensor", value: column }));
  return { batch: { place, columns }, diagnostics: [] };
}

/** Row objects of values by input name, as an array of JSON has them. */
export function rowsToBatch(place: string, rows: readonly unknown[]): ReadBatch {
  const columns = new Map<string, unknown[]>();
  for (const [index, row] of rows.entries()) {
    if (!isRecord(row)) return unreadable(`${place}: row ${index + 1}`, "a row is an object of values by input name");
    for (const [key, cell] of flatten(row)) {
      let cells = columns.get(key);
      if (cells === undefined) {
        cells = new Array<unknown>(rows.length).fill(undefined);
        columns.set(key, cells);
      }
      cells[index] = cell;
    }
  }
  if (rows.length === 0) return empty(place);
  return { batch: { place, columns: [...columns].map(([key, cells]) => ({ key, form: "rows", cells })) }, diagnostics: [] };
}

/** `{ features: { base: { rfm: [...] } } }` gives `features.base.rfm`. */
function* flatten(record: Readonly<Record<string, unknown>>, prefix = ""): Iterable<readonly [string, unknown]> {
  for (const [key, value] of Object.entries(record)) {
    if (isRecord(value)) yield* flatten(value, `${prefix}${key}.`);
    else yield [prefix + key, value];
  }
}

export async function parseCsvBatch(place: string, text: string): Promise<ReadBatch> {
  const { parse } = await import("csv-parse/sync");
  let records: string[][];
  try {
    records = parse(text, { relax_column_count: true, skip_empty_lines: true, trim: true });
  } catch (error) {
    return unreadable(place, error instanceof Error ? error.message : String(error));
  }
  const [header, ...rows] = records;
  if (header === undefined || rows.length === 0) return empty(place);
  const diagnostics: Diagnostic[] = [];
  const report = inputReporter(diagnostics);
  rows.forEach((row, index) => {
    if (row.length === header.length) return;
    report("input/ragged", {
      place: `${place}: row ${index + 1}`,
      problem: `${row.length} cells under a header of ${header.length} columns`,
    });
  });
  if (diagnostics.length > 0) return { batch: null, diagnostics };
  const columns = header.map(
    (key, column): RawColumn => ({
      key,
      form: "rows",
      cells: rows.map((row) => (row[column] === "" ? undefined : parseCell(row[column] as string))),
    }),
  );
  return { batch: { place, columns }, diagnostics: [] };
}

/** Text that is no number or truth value stays text, and is reported where a number is expected. */
function parseCell(text: string): unknown {
  if (text === "true" || text === "false") return text === "true";
  const value = Number(text);
  return Number.isNaN(value) ? text : value;
}

function unreadable(place: string, reason: string): ReadBatch {
  const diagnostics: Diagnostic[] = [];
  inputReporter(diagnostics)("input/unreadable", { place, reason });
  return { batch: null, diagnostics };
}

function empty(place: string): ReadBatch {
  const diagnostics: Diagnostic[] = [];
  inputReporter(diagnostics)("input/empty", { place });
  return { batch: null, diagnostics };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
