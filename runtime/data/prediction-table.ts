import { renameSync, rmSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import type { TaskDescription } from "../description.ts";
import type { Batch } from "../engine.ts";
import { Database, quoteName, quoteText, reasonOf, SqlError } from "./duckdb.ts";
import type { DataTable } from "./source.ts";

type Appender = Awaited<ReturnType<Database["appender"]>>;

/** A file that cannot be written; the message says why. */
export class UnwritableTable extends Error {
  override readonly name = "UnwritableTable";
}

/**
 * Predictions on their way into a file. Columns: `row`, from 1; for a task of width 1 its prediction; for classes the likeliest as `task` and all probabilities
 * as `task_probabilities`; for others a list.
 */
export class PredictionTable {
  readonly #database: Database;
  readonly #tasks: readonly TaskDescription[];
  readonly #appender: Appender;
  #rows = 0;

  private constructor(database: Database, tasks: readonly TaskDescription[], appender: Appender) {
    this.#database = database;
    this.#tasks = tasks;
    this.#appender = appender;
  }

  /** @throws DuckDbMissing */
  static async open(tasks: readonly TaskDescription[]): Promise<PredictionTable> {
    const database = await Database.open(".");
    const columns = tasks.flatMap((task) => columnsOf(task).map(({ name, type }) => `, ${quoteName(name)} ${type}`));
    await database.run(`CREATE TABLE predictions ("row" BIGINT${columns.join("")})`);
    return new PredictionTable(database, tasks, await database.appender("predictions"));
  }

  /** @param numbers  the rows' numbers    @param predictions  f32[B] or f32[B, width] for each task */
  add(numbers: Float64Array, predictions: Batch): void {
    const parts = this.#tasks.map((task) => ({ task, data: predictions.get(task.name)?.data ?? new Float32Array() }));
    numbers.forEach((number, row) => {
      this.#appender.appendBigInt(BigInt(number));
      for (const { task, data } of parts) appendTask(this.#appender, task, data.subarray(row * task.width, (row + 1) * task.width));
      this.#appender.endRow();
    });
    this.#rows += numbers.length;
  }

  /**
   * Writes a Parquet or CSV file in one step, in order of the rows, with columns of the source beside them.
   *
   * @returns the number of rows    @throws UnwritableTable
   */
  async write(path: string, keep: readonly string[], { reader }: DataTable): Promise<number> {
    this.#appender.flushSync();
    const target = resolve(path);
    const temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
    const kept = keep.map((name) => `, source.${quoteName(name)}`).join("");
    const source = `(SELECT row_number() OVER () AS plec_row, * FROM ${reader})`;
    const joined = keep.length === 0 ? "" : ` JOIN ${source} AS source ON source.plec_row = predictions."row"`;
    const columns = this.#tasks.flatMap(columnsOf).map(({ name }) => `, predictions.${quoteName(name)}`);
    const form = /\.csv$/i.test(path) ? "FORMAT csv, HEADER" : "FORMAT parquet";
    try {
      await this.#database.run(
        `COPY (SELECT predictions."row"${kept}${columns.join("")} FROM predictions${joined} ORDER BY predictions."row") TO ${quoteText(temporary)} (${form})`,
      );
      renameSync(temporary, target);
    } catch (error) {
      rmSync(temporary, { force: true });
      if (!(error instanceof SqlError)) throw error;
      throw new UnwritableTable(reasonOf(error));
    }
    return this.#rows;
  }

  close(): void {
    this.#appender.closeSync();
    this.#database.close();
  }
}

/** Names of the columns that a table of predictions has by itself. */
export function predictionColumns(tasks: readonly TaskDescription[]): readonly string[] {
  return ["row", ...tasks.flatMap((task) => columnsOf(task).map(({ name }) => name))];
}

function columnsOf({ name, kind, width }: TaskDescription): readonly { readonly name: string; readonly type: string }[] {
  if (width === 1) return [{ name, type: "FLOAT" }];
  if (kind !== "classes") return [{ name, type: "FLOAT[]" }];
  return [
    { name, type: "INTEGER" },
    { name: `${name}_probabilities`, type: "FLOAT[]" },
  ];
}

function appendTask(appender: Appender, { kind, width }: TaskDescription, values: ArrayLike<number>): void {
  if (width === 1) {
    appender.appendFloat(values[0] ?? Number.NaN);
    return;
  }
  const list = Array.from(values);
  if (kind === "classes") appender.appendInteger(list.indexOf(Math.max(...list)));
  appender.appendList(list);
}
