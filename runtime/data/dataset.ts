import type { Diagnostic } from "../../dsl/diagnostic.ts";
import type { Batch } from "../engine.ts";
import { assembleBatch } from "./assemble-batch.ts";
import { DataError, dataReporter, hasErrors, type ReportData } from "./catalogue.ts";
import type { DataContract } from "./contract.ts";
import { Database, SqlError } from "./duckdb.ts";
import { rowColumn, splitColumn } from "./expression.ts";
import { type BoundFields, bindFields, type Field } from "./fields.ts";
import { type LabelSummary, LabelSurvey } from "./label-survey.ts";
import type { Mapping } from "./mapping.ts";
import { prefetch } from "./prefetch.ts";
import { newLearning, type RowIssue, RowReader } from "./read-rows.ts";
import { PackedRows } from "./row-layout.ts";
import type { Moments } from "./scale.ts";
import { createCategoryTypes } from "./select.ts";
import { ShuffleBuffer } from "./shuffle.ts";
import { type DataTable, locateRow, openTable, reportRowFailure, reportSqlError, valueAt } from "./source.ts";
import { learnVocabularies, type Preparation, type Statistics } from "./statistics.ts";

export interface OpenOptions {
  /** Where relative paths of the mapping start: its own folder. */
  readonly folder: string;
  /** Files in place of the mapping's source, from the current folder. */
  readonly files?: readonly string[];
  /** Files up to so many bytes are kept in memory, larger ones read anew for each pass (64 MiB). */
  readonly keepBytes?: number;
  /** What was learned before: applied as it is, and nothing is learned. */
  readonly statistics?: Statistics;
}

export interface OpenedData {
  /** null when there are errors. */
  readonly data: Dataset | null;
  readonly diagnostics: readonly Diagnostic[];
}

export interface BatchOptions {
  readonly split: string;
  readonly size: number;
  /** Without it, rows come in order of the source. The same values give the same order. */
  readonly shuffle?: { readonly seed: number; readonly epoch: number; readonly buffer?: number };
  /** The first batch to give; the ones before it are passed over. */
  readonly from?: number;
  /** Leave a last batch out that has fewer rows. */
  readonly dropLast?: boolean;
}

export interface DataBatch {
  /** Every input of the contract, and `label/<task>` for every label: f32 with NaN, or -1 for binary tasks, or i32 with -1, where it is missing. */
  readonly tensors: Batch;
  readonly rows: number;
  /** The rows' numbers in the source, from 1. */
  readonly numbers: Float64Array;
  /** Counts the batches of an epoch from 0. */
  readonly index: number;
}

/** The most memory of a shuffle buffer, and the most rows. */
const bufferBytes = 256 * 2 ** 20;
const bufferRows = 65_536;

/** Data that was checked against a model. Rows are read from the source for each pass, so that it may be larger than memory. */
export class Dataset {
  readonly mapping: Mapping;
  readonly statistics: Statistics;
  readonly splits: readonly { readonly name: string; readonly rows: number }[];
  /** Only where statistics were learned. */
  readonly labels: readonly LabelSummary[];
  readonly table: DataTable;
  readonly bound: BoundFields;
  readonly #database: Database;

  private constructor(opened: CheckedData) {
    this.#database = opened.database;
    this.mapping = opened.mapping;
    this.table = opened.table;
    this.bound = opened.bound;
    this.statistics = opened.statistics;
    this.splits = opened.splits;
    this.labels = opened.labels;
  }

  get preparation(): Preparation {
    return { mapping: this.mapping, statistics: this.statistics };
  }

  /**
   * Opens the source, binds the mapping to what a model takes, and learns the statistics on the training rows; this pass checks every value of every row.
   *
   * @throws DuckDbMissing
   */
  static async open(contract: DataContract, mapping: Mapping, options: OpenOptions): Promise<OpenedData> {
    const diagnostics: Diagnostic[] = [];
    const database = await Database.open(options.folder);
    const data = await openDataset(database, contract, mapping, options, diagnostics);
    if (data === null) database.close();
    return { data: data === null ? null : new Dataset(data), diagnostics };
  }

  /** Batches of one split, the next being read while one is used. @throws DataError for a wrong value */
  batches(options: BatchOptions): AsyncGenerator<DataBatch> {
    return prefetch(this.#read(options));
  }

  async *#read({ split, size, shuffle, from = 0, dropLast = false }: BatchOptions): AsyncGenerator<DataBatch> {
    const { floatWidth, intWidth } = this.bound;
    const newRows = (count: number) => new PackedRows(count, floatWidth, intWidth);
    const splitIndex = this.#splitIndex(split);
    const room = Math.min(shuffle?.buffer ?? this.bufferRows, Math.max(1, this.splits[splitIndex]?.rows ?? 1));
    const buffer = shuffle === undefined ? null : new ShuffleBuffer(newRows(room), shuffle.seed, shuffle.epoch);
    const out = newRows(size);
    let index = 0;
    let filled = 0;
    // Batches before `from` are counted and not copied.
    const target = () => (index < from ? null : out);
    const finish = (): DataBatch | null => {
      const batch = index < from ? null : this.#assemble(out, filled, index);
      index += 1;
      filled = 0;
      return batch;
    };
    for await (const { rows, count } of this.#packed(splitIndex)) {
      for (let row = 0; row < count; row++) {
        if (buffer === null) target()?.copyFrom(rows, row, filled);
        else if (!buffer.isFull) {
          buffer.fill(rows, row);
          continue;
        } else buffer.exchange(rows, row, target(), filled);
        filled += 1;
        const batch = filled === size ? finish() : null;
        if (batch !== null) yield batch;
      }
    }
    while (buffer?.drain(target(), filled) === true) {
      filled += 1;
      const batch = filled === size ? finish() : null;
      if (batch !== null) yield batch;
    }
    const last = filled > 0 && !dropLast ? finish() : null;
    if (last !== null) yield last;
  }

  /** Tells rows with other values, in another order or in other splits apart: the version of DuckDB, whose hashes they are, and a hash of what the mapping reads. */
  async fingerprint(): Promise<string> {
    const values = this.bound.fields.flatMap(({ expressions }) => expressions.map(({ sql }) => `, ${sql}`));
    const sql = `SELECT bit_xor(hash(${rowColumn}, ${splitColumn}${values.join("")})) AS hash, version() AS version FROM ${this.table.name}`;
    const [found] = await this.#database.rows(sql);
    return `${String(found?.version)} ${String(found?.hash)}`;
  }

  /** Rows of the shuffle buffer where nothing else is said. */
  get bufferRows(): number {
    const bytes = 4 * (this.bound.floatWidth + this.bound.intWidth) + 8;
    return Math.max(1024, Math.min(bufferRows, Math.floor(bufferBytes / bytes)));
  }

  close(): void {
    this.#database.close();
  }

  #splitIndex(name: string): number {
    const index = this.table.splits.indexOf(name);
    if (index < 0) throw new Error(`there is no split ${name}`);
    return index;
  }

  async *#packed(split: number): AsyncGenerator<{ readonly rows: PackedRows; readonly count: number }> {
    const reader = new RowReader(this.bound, this.statistics);
    for await (const chunk of chunksOf(this.#database, this.table, this.bound, reader.sql(this.table.name, split))) {
      const rows = reader.read(chunk);
      if (reader.issues.length > 0) throw new DataError(await describeIssues(this.#database, this.table, reader.issues));
      yield { rows, count: chunk.rowCount };
    }
  }

  #assemble(rows: PackedRows, count: number, index: number): DataBatch {
    return { tensors: assembleBatch(this.bound.tensors, rows, count), rows: count, numbers: rows.numbers.slice(0, count), index };
  }
}

/** Whether two fingerprints may be of the same rows: another version of DuckDB gives others. */
export function sameRows(a: string, b: string | undefined): boolean {
  return a === b || a.split(" ")[0] !== b?.split(" ")[0];
}

async function* chunksOf(database: Database, table: DataTable, bound: BoundFields, sql: string): ReturnType<Database["chunks"]> {
  try {
    yield* database.chunks(sql);
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    throw new DataError(await describeSqlError(database, table, bound, error));
  }
}

/** Names the expression of the mapping and the row where it fails, if it is one that does. */
async function describeSqlError(
  database: Database,
  table: DataTable,
  { fields }: BoundFields,
  error: SqlError,
): Promise<readonly Diagnostic[]> {
  const diagnostics: Diagnostic[] = [];
  const report = dataReporter(diagnostics);
  const expressions = fields.flatMap(({ mapping: { from }, expressions }) =>
    from.kind === "sql" ? expressions.map(({ sql }) => ({ sql, span: from.span })) : [],
  );
  if (!(await reportRowFailure(database, table, expressions, report))) reportSqlError(error, table.place, null, report);
  return diagnostics;
}

interface CheckedData {
  readonly database: Database;
  readonly mapping: Mapping;
  readonly table: DataTable;
  readonly bound: BoundFields;
  readonly statistics: Statistics;
  readonly splits: Dataset["splits"];
  readonly labels: readonly LabelSummary[];
}

async function openDataset(
  database: Database,
  contract: DataContract,
  mapping: Mapping,
  options: OpenOptions,
  diagnostics: Diagnostic[],
): Promise<CheckedData | null> {
  const report = dataReporter(diagnostics);
  const failed = () => hasErrors(diagnostics);
  const table = await openTable(database, mapping, options, diagnostics);
  if (table === null) return null;
  try {
    const bound = await bindFields(database, table, mapping, contract, report, failed);
    if (bound === null) return null;
    const splits = await countSplits(database, table);
    checkSplits(splits, table, options.statistics === undefined, report);
    if (failed()) return null;
    const opened = { database, mapping, table, bound, splits };
    if (options.statistics !== undefined) {
      const { statistics } = options;
      checkStatistics(bound, statistics, table, report);
      if (failed()) return null;
      await createCategoryTypes(database, bound.fields, statistics);
      return { ...opened, statistics, labels: [] };
    }
    const rows = splits[0]?.rows ?? 0;
    const vocabularies = await learnVocabularies(database, table, bound, report).catch(async (error: unknown) => {
      throw error instanceof SqlError ? new DataError(await describeSqlError(database, table, bound, error)) : error;
    });
    if (failed()) return null;
    await createCategoryTypes(database, bound.fields, { rows, moments: {}, vocabularies });
    const { moments, labels } = await survey(database, table, bound, { rows, moments: {}, vocabularies }, diagnostics);
    return failed() ? null : { ...opened, statistics: { rows, moments, vocabularies }, labels };
  } catch (error) {
    if (error instanceof DataError) diagnostics.push(...error.diagnostics);
    else if (error instanceof SqlError) reportSqlError(error, table.place, null, report);
    else throw error;
    return null;
  }
}

/** One pass over all rows: checks every value, learns the moments on the training rows, and counts labels. */
async function survey(
  database: Database,
  table: DataTable,
  bound: BoundFields,
  statistics: Statistics,
  diagnostics: Diagnostic[],
): Promise<{ readonly moments: Statistics["moments"]; readonly labels: readonly LabelSummary[] }> {
  const report = dataReporter(diagnostics);
  const learning = newLearning(bound);
  const reader = new RowReader(bound, statistics, learning);
  const labels = new LabelSurvey(bound.fields, table.splits);
  for await (const chunk of chunksOf(database, table, bound, reader.sql(table.name, null)))
    labels.add(reader.read(chunk), reader.splits, chunk.rowCount);
  diagnostics.push(...(await describeIssues(database, table, reader.issues)));
  const moments: Record<string, Moments> = {};
  for (const [field, running] of learning) {
    const { moments: learnt, constants } = running.finish();
    moments[field.key] = learnt;
    if (constants.length === 0 || !field.mapping.scale.includes("standard")) continue;
    const what =
      field.expressions.length > 1
        ? `column \`${field.expressions[constants[0] ?? 0]?.shown}\``
        : constants.length === 1
          ? "one place"
          : `${constants.length} places`;
    report("data/constant", field.mapping.span, { what: learnt.mean.length === 1 ? "the column" : what, name: field.mapping.target });
  }
  labels.report(report);
  return { moments, labels: labels.finish() };
}

async function countSplits(database: Database, table: DataTable): Promise<Dataset["splits"]> {
  const counts = await database.rows(`SELECT ${splitColumn} AS split, count(*) AS rows FROM ${table.name} GROUP BY 1`);
  return table.splits.map((name, i) => ({ name, rows: Number(counts.find(({ split }) => split === i)?.rows ?? 0) }));
}

function checkSplits(splits: Dataset["splits"], { place }: DataTable, isTraining: boolean, report: ReportData): void {
  if (splits.every(({ rows }) => rows === 0)) report("data/no-rows", null, { place, which: "at all" });
  else if (isTraining) {
    for (const { name, rows } of splits)
      if (rows === 0) report("data/no-rows", null, { place, which: name === "train" ? "left for training" : `in split \`${name}\`` });
  }
}

function checkStatistics({ fields }: BoundFields, { moments, vocabularies }: Statistics, { place }: DataTable, report: ReportData): void {
  for (const { key, mapping, categories } of fields) {
    const needsMoments = mapping.scale.includes("standard") || mapping.missing === "mean";
    const lacks = (needsMoments && moments[key] === undefined) || (categories?.kind === "learn" && vocabularies[key] === undefined);
    if (lacks) report("data/statistics", mapping.span, { place, problem: `the statistics have nothing for \`${key}\`` });
  }
}

/** Issues with the file, the row within it, and the value. */
async function describeIssues(database: Database, table: DataTable, issues: readonly RowIssue[]): Promise<readonly Diagnostic[]> {
  const diagnostics: Diagnostic[] = [];
  const report = dataReporter(diagnostics);
  for (const { code, field, expression, row, detail } of issues) {
    const from = field.expressions[expression];
    if (from === undefined) continue;
    const place = `${await locateRow(database, table, row)}, ${field.mapping.from.kind === "sql" ? "expression" : "column"} ${from.shown}`;
    const text = await valueAt(database, table, from.sql, row);
    const value = text === null ? "nothing" : /^-?[\d.]+(e[+-]?\d+)?$/i.test(text) ? text : JSON.stringify(text);
    const { span } = field.mapping.from;
    const details = { notes: span === null ? [] : [{ message: `\`${field.mapping.target}\` is mapped here`, span }] };
    if (code === "data/value") report(code, null, { place, value, expected: detail }, details);
    else if (code === "data/missing") report(code, null, { place: detail === "" ? place : `${place} (${detail})` }, details);
    else if (code === "data/range") report(code, null, { place, what: detail, value, last: (field.vocabulary ?? 1) - 1 }, details);
    else if (code === "data/unknown-category") report(code, null, { place, value, name: field.mapping.target }, details);
    else if (await isBrokenList(database, table, field, from, row))
      report("data/value", null, { place, value, expected: "a list of numbers" }, details);
    else {
      const expected = `${field.mapping.target} takes ${field.shape.join(" × ")}`;
      report(code, null, { place, found: detail, expected }, details);
    }
  }
  return diagnostics;
}

/** Whether a list that is written as text cannot be read as one. */
async function isBrokenList(
  database: Database,
  table: DataTable,
  { shape }: Field,
  { sql, type }: Field["expressions"][number],
  row: number,
): Promise<boolean> {
  if (type.includes("[")) return false;
  const list = `TRY_CAST(CAST((${sql}) AS VARCHAR) AS DOUBLE${"[]".repeat(shape.length)})`;
  return (await valueAt(database, table, list, row)) === null;
}
