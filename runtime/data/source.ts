import { existsSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import type { Span } from "../../dsl/source.ts";
import { dataReporter, type ReportData } from "./catalogue.ts";
import { csvAsText, csvHeader, gzipProblem, isGzip } from "./csv-file.ts";
import { type Database, enclosed, quoteText, reasonOf, SqlError } from "./duckdb.ts";
import { describe, expressionProblem, findFailure, reportVolatile, rowColumn, splitColumn, suggest } from "./expression.ts";
import { type Expression, type Mapping, type SourceMapping, trainSplit } from "./mapping.ts";

/** Files up to this many bytes are read into DuckDB once; larger ones are read anew for each pass. */
const largestCached = 64 * 2 ** 20;

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
  /** Of `where` and the splits. */
  readonly conditions: readonly Expression[];
}

/** The rows of the source before `where` and the splits. */
const numberedRows = "plec_numbered";

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
    const taken = [...columns.keys()].find((name) => [rowColumn, splitColumn].includes(name.toLowerCase()));
    if (taken !== undefined) {
      report("data/unreadable", source.span, { place: read.place, reason: `\`${taken}\` is a name that plec needs itself` });
      return null;
    }
    const own = columns.has("row") ? "" : `${rowColumn} AS "row", `;
    await database.run(
      `CREATE VIEW ${numberedRows} AS SELECT ${own}* FROM (SELECT row_number() OVER () AS ${rowColumn}, * FROM ${read.reader})`,
    );
    const conditions = conditionsOf(mapping);
    for (const condition of conditions) {
      if (reportVolatile(condition, report)) continue;
      const problem = await expressionProblem(database, condition.sql, numberedRows);
      if (problem !== null) report("data/sql", condition.span, { reason: problem.reason }, { help: suggest(problem, columns) });
    }
    if (diagnostics.some(({ severity }) => severity === "error")) return null;
    const cases = mapping.splits.map(({ rule }, i) => {
      const condition = rule.kind === "every" ? `${rowColumn} % ${rule.n} = 0` : enclosed(rule.sql);
      return `WHEN ${condition} THEN ${i + 1}`;
    });
    const split = cases.length === 0 ? "0" : `CASE ${cases.join(" ")} ELSE 0 END`;
    const where = mapping.where === null ? "" : ` WHERE ${enclosed(mapping.where.sql)}`;
    const form = read.bytes <= (options.keepBytes ?? largestCached) ? "TABLE" : "VIEW";
    const { place, files, reader } = read;
    const splits = [trainSplit, ...mapping.splits.map(({ name }) => name)];
    const table = { name: "plec_rows", place, columns, splits, files, reader, conditions };
    const rows = `SELECT *, CAST(${split} AS INTEGER) AS ${splitColumn} FROM ${numberedRows}${where}`;
    try {
      await database.run(`CREATE ${form} ${table.name} AS ${rows}`);
    } catch (error) {
      if (!(error instanceof SqlError) || !(await reportRowFailure(database, table, [], report))) throw error;
      return null;
    }
    return table;
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    const cause = /sniffing/.test(error.message) ? await brokenLine(database, read.files) : null;
    reportSqlError(cause ?? error, read.place, source.kind === "query" ? source.span : null, report);
    return null;
  }
}

/** `where` and the splits' SQL, as truth values. */
function conditionsOf({ where, splits }: Mapping): readonly Expression[] {
  const rules = splits.flatMap(({ rule, span }) => (rule.kind === "sql" ? [{ sql: rule.sql, span }] : []));
  return [...(where === null ? [] : [where]), ...rules].map(({ sql, span }) => ({ sql: `CAST(${enclosed(sql)} AS BOOLEAN)`, span }));
}

/** Reports the row in which a condition, or one of the expressions over the rows, fails; false where none does by itself. */
export async function reportRowFailure(
  database: Database,
  table: DataTable,
  expressions: readonly Expression[],
  report: ReportData,
): Promise<boolean> {
  const found = (await findFailure(database, numberedRows, table.conditions)) ?? (await findFailure(database, table.name, expressions));
  if (found === null) return false;
  report("data/sql", found.span, { reason: `${await locateRow(database, table, found.row)}: ${found.reason}` });
  return true;
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
  if (!reportVolatile({ sql, span }, report) && !/\border\s+by\b/i.test(sql)) report("data/unordered", span, {});
  // a query is run once, so that its rows keep their order while it is read in several passes
  return { reader: enclosed(sql.replace(/;\s*$/, "")), place: "the query", files: [], bytes: 0 };
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
  const twice = files.find((file, i) => files.indexOf(file) !== i);
  if (twice !== undefined) report("data/unreadable", span, { place: twice, reason: "it is named twice, and its rows would count twice" });
  if (files.length === 0 || twice !== undefined) return null;
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
    const headers = files.map(csvHeader);
    const repeated = headers.findIndex(({ twice }) => twice !== null);
    if (repeated >= 0) {
      const reason = `two of its columns are called \`${headers[repeated]?.twice}\``;
      report("data/unreadable", span, { place: files.length === 1 ? place : (files[repeated] ?? ""), reason });
      return null;
    }
    const delimiters = new Set(headers.map(({ delimiter }) => delimiter));
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

/** A failure while reading: DuckDB says the line and the column of a CSV file itself. */
export function reportSqlError(error: SqlError, place: string, span: Span | null, report: ReportData): void {
  const line = /CSV Error on Line: (\d+)/.exec(error.message)?.[1];
  const column = /Error when converting column "([^"]*)"/.exec(error.message)?.[1];
  const value = /Could not convert string "([^"]*)" to '?(\w+)/.exec(error.message);
  const found = /^\s*file = (.*)$/m.exec(error.message)?.[1] ?? place;
  const file = found.endsWith(place) ? place : found;
  if (line === undefined) report("data/unreadable", span, { place, reason: reasonOf(error) });
  else if (column === undefined || value === null) {
    const detail = error.message.split("\n").find((text, i) => i > 0 && text !== "" && !text.startsWith("Original Line"));
    report("data/unreadable", span, { place: `${file}: line ${line}`, reason: detail ?? reasonOf(error) });
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
  const [found] = await database.rows(`SELECT CAST(${enclosed(sql)} AS VARCHAR) AS value FROM ${table.name} WHERE ${rowColumn} = ${row}`);
  const value = found?.value;
  return typeof value === "string" ? (value.length > 60 ? `${value.slice(0, 60)}…` : value) : null;
}
