import { existsSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import { dataReporter, type ReportData } from "./catalogue.ts";
import { csvAsText, csvHeader, gzipProblem, isGzip } from "./csv-file.ts";
import { type Database, quoteText, SqlError } from "./duckdb.ts";
import { type Mapping, type SourceMapping, trainSplit } from "./mapping.ts";

/** Files up to this many bytes are read into DuckDB once; larger ones are read anew for each pass. */
const largestCached = 64 * 2 ** 20;

/** Names that the table has beside the columns of the source. */
export const rowColumn = "plec_row";
export const splitColumn = "plec_split";

/** The rows of a mapping: a table or view of DuckDB with the columns of the source, `plec_row` (from 1) and `plec_split` (0 is training). */
export interface DataTable {
  readonly name: string;
  /** As shown to the user. */
  readonly place: string;
  /** Types by name. */
  readonly columns: ReadonlyMap<string, string>;
  /** `train`, then the others in order. */
  readonly splits: readonly string[];
  /** Files in the order in which their rows count; empty for a query. */
  readonly files: readonly string[];
  readonly reader: string;
}

/** Opens the source of a mapping; null once a finding says what is wrong. `files` take the place of the mapping's own source. */
export async function openTable(
  database: Database,
  mapping: Mapping,
  options: { readonly folder: string; readonly files?: readonly string[] | undefined; readonly keepBytes?: number | undefined },
  diagnostics: Diagnostic[],
): Promise<DataTable | null> {
  const report = dataReporter(diagnostics);
  const source: SourceMapping = options.files === undefined ? mapping.source : { kind: "files", patterns: options.files, span: null };
  const read = source.kind === "query" ? openQuery(source, report) : await openFiles(database, source, options.folder, report);
  if (read === null) return null;
  try {
    const columns = await describe(database, `SELECT * FROM ${read.reader}`);
    const own = columns.has("row") ? "" : `${rowColumn} AS "row", `;
    await database.run(
      `CREATE VIEW plec_numbered AS SELECT ${own}* FROM (SELECT row_number() OVER () AS ${rowColumn}, * FROM ${read.reader})`,
    );
    const expressions = [mapping.where, ...mapping.splits.map(({ rule, span }) => (rule.kind === "sql" ? { sql: rule.sql, span } : null))];
    for (const expression of expressions) {
      if (expression === null) continue;
      const problem = await sqlProblem(database, `SELECT CAST((${expression.sql}) AS BOOLEAN) FROM plec_numbered`);
      if (problem !== null) report("data/sql", expression.span, { reason: problem.reason }, { help: suggest(problem, columns) });
    }
    if (diagnostics.some(({ severity }) => severity === "error")) return null;
    const cases = mapping.splits.map(({ rule }, i) => {
      const condition = rule.kind === "every" ? `${rowColumn} % ${rule.n} = 0` : `(${rule.sql})`;
      return `WHEN ${condition} THEN ${i + 1}`;
    });
    const split = cases.length === 0 ? "0" : `CASE ${cases.join(" ")} ELSE 0 END`;
    const where = mapping.where === null ? "" : ` WHERE (${mapping.where.sql})`;
    const form = read.bytes <= (options.keepBytes ?? largestCached) ? "TABLE" : "VIEW";
    await database.run(`CREATE ${form} plec_rows AS SELECT *, CAST(${split} AS INTEGER) AS ${splitColumn} FROM plec_numbered${where}`);
    const splits = [trainSplit, ...mapping.splits.map(({ name }) => name)];
    return { name: "plec_rows", place: read.place, columns, splits, files: read.files, reader: read.reader };
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    const cause = /sniffing/.test(error.message) ? await brokenLine(database, read.files) : null;
    reportSqlError(cause ?? error, read.place, source.kind === "query" ? source.span : null, report);
    return null;
  }
}

/** What is wrong with the first line that has not the columns of the header; DuckDB says only that it could not guess the types of the columns. */
async function brokenLine(database: Database, files: readonly string[]): Promise<SqlError | null> {
  for (const file of files) {
    try {
      await database.rows(csvAsText(file));
    } catch (error) {
      if (error instanceof SqlError) return error;
      throw error;
    }
  }
  return null;
}

interface OpenSource {
  /** What stands after FROM. */
  readonly reader: string;
  readonly place: string;
  readonly files: readonly string[];
  readonly bytes: number;
}

function openQuery({ sql, span }: Extract<SourceMapping, { kind: "query" }>, report: ReportData): OpenSource {
  if (!/\border\s+by\b/i.test(sql)) report("data/unordered", span, {});
  // a query is run once, so that its rows keep their order while it is read in several passes
  return { reader: `(${sql.replace(/;\s*$/, "")})`, place: "the query", files: [], bytes: 0 };
}

async function openFiles(
  database: Database,
  { patterns, span }: Extract<SourceMapping, { kind: "files" }>,
  folder: string,
  report: ReportData,
): Promise<OpenSource | null> {
  const files: string[] = [];
  for (const pattern of patterns) {
    const path = isAbsolute(pattern) ? pattern : join(folder, pattern);
    const found = existsSync(path)
      ? [path]
      : (await database.rows(`SELECT file FROM glob(${quoteText(path)}) ORDER BY file`)).map(({ file }) => String(file));
    if (found.length === 0) report("data/unreadable", span, { place: pattern, reason: "there is no such file" });
    files.push(...found);
  }
  if (files.length === 0) return null;
  const readers = new Set(files.map(readerOf));
  const [reader] = readers;
  const place = files.length === 1 ? (patterns[0] ?? "") : `${patterns.join(", ")}`;
  if (readers.size > 1 || reader === undefined || reader === null) {
    const reason = readers.size > 1 ? "files of several formats" : "its extension is none that plec reads";
    report("data/unreadable", span, { place, reason });
    return null;
  }
  const sizes = files.map((file) => statSync(file).size);
  const empty = files.filter((_, i) => sizes[i] === 0);
  for (const file of empty) report("data/unreadable", span, { place: files.length === 1 ? place : file, reason: "the file is empty" });
  if (empty.length > 0) return null;
  for (const file of files.filter(isGzip)) {
    const problem = await gzipProblem(file);
    if (problem === null) continue;
    report("data/unreadable", span, { place: files.length === 1 ? place : file, reason: problem });
    return null;
  }
  const settings = files.length === 1 ? [] : ["union_by_name = true"];
  if (reader === "read_csv") {
    const delimiters = new Set(files.map((file) => csvHeader(file).delimiter));
    const [delimiter = ","] = delimiters;
    if (delimiters.size > 1) {
      report("data/unreadable", span, { place, reason: "the header lines have different delimiters" });
      return null;
    }
    // what DuckDB would guess from the rows, skipping lines that do not fit
    settings.push("header = true", "skip = 0", `delim = ${quoteText(delimiter)}`, `quote = '"'`, `escape = '"'`);
  }
  return {
    reader: `${reader}([${files.map(quoteText).join(", ")}]${settings.map((setting) => `, ${setting}`).join("")})`,
    place,
    files,
    bytes: sizes.reduce((total, size) => total + size, 0),
  };
}

function readerOf(file: string): string | null {
  if (/\.[ct]sv(\.gz)?$/i.test(file)) return "read_csv";
  if (/\.parquet$/i.test(file)) return "read_parquet";
  return /\.(json|jsonl|ndjson)(\.gz)?$/i.test(file) ? "read_json" : null;
}

/** Columns of a statement, without running it. */
export async function describe(database: Database, statement: string): Promise<ReadonlyMap<string, string>> {
  const rows = await database.rows(`DESCRIBE ${statement}`);
  return new Map(rows.map((row) => [String(row.column_name), String(row.column_type)]));
}

export interface SqlProblem {
  readonly reason: string;
  /** The column that is not there, when that is the problem. */
  readonly column: string | null;
}

/** What is wrong with a statement; null when it can run. */
export async function sqlProblem(database: Database, statement: string): Promise<SqlProblem | null> {
  try {
    await describe(database, statement);
    return null;
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    const reason = firstLine(error.message);
    return { reason, column: /Referenced column "([^"]*)" not found/.exec(error.message)?.[1] ?? null };
  }
}

export function suggest({ column }: SqlProblem, columns: ReadonlyMap<string, string>): string | null {
  return column === null ? null : suggestColumn(column, columns);
}

export function suggestColumn(column: string, columns: ReadonlyMap<string, string>): string {
  const names = [...columns.keys()];
  const near = closest(column, names);
  if (near !== null) return `did you mean \`${near}\`?`;
  const shown = names.slice(0, 12).join(", ");
  return `its columns are ${shown}${names.length > 12 ? `, and ${names.length - 12} more` : ""}`;
}

function firstLine(message: string): string {
  return (message.split("\n")[0] ?? "").replace(/^([A-Z]\w+ )+Error: /, "");
}

/** A failure while reading: DuckDB says the line and the column of a CSV file itself. */
export function reportSqlError(error: SqlError, place: string, span: Span | null, report: ReportData): void {
  const line = /CSV Error on Line: (\d+)/.exec(error.message)?.[1];
  const column = /Error when converting column "([^"]*)"/.exec(error.message)?.[1];
  const value = /Could not convert string "([^"]*)" to '?(\w+)/.exec(error.message);
  const found = /^\s*file = (.*)$/m.exec(error.message)?.[1] ?? place;
  const file = found.endsWith(place) ? place : found;
  if (line === undefined) report("data/unreadable", span, { place, reason: firstLine(error.message) });
  else if (column === undefined || value === null) {
    const detail = error.message.split("\n").find((text, i) => i > 0 && text !== "" && !text.startsWith("Original Line"));
    report("data/unreadable", span, { place: `${file}: line ${line}`, reason: detail ?? firstLine(error.message) });
  } else {
    const expected = `a value of type ${value[2]}, which the lines before it have`;
    report("data/value", span, { place: `${file}: row ${Number(line) - 1}, column ${column}`, value: JSON.stringify(value[1]), expected });
  }
}

/** `file: row 12` for a row of the table, in the file in which it stands. */
export async function locateRow(database: Database, table: DataTable, row: number): Promise<string> {
  if (table.files.length < 2) return `${table.place}: row ${row}`;
  const reader = table.reader.replace(/\)$/, ", filename = true)");
  const counts = await database.rows(`SELECT filename, count(*) AS rows FROM ${reader} GROUP BY filename`);
  let before = 0;
  for (const file of table.files) {
    const count = Number(counts.find(({ filename }) => filename === file)?.rows ?? 0);
    if (row <= before + count) return `${file}: row ${row - before}`;
    before += count;
  }
  return `${table.place}: row ${row}`;
}

/** The value of an expression in one row, as text. */
export async function valueAt(database: Database, table: DataTable, sql: string, row: number): Promise<string | null> {
  const [found] = await database.rows(`SELECT CAST((${sql}) AS VARCHAR) AS value FROM ${table.name} WHERE ${rowColumn} = ${row}`);
  const value = found?.value;
  return typeof value === "string" ? (value.length > 60 ? `${value.slice(0, 60)}…` : value) : null;
}
