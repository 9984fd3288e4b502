import type { Span } from "../../dsl/source.ts";
import { closest } from "../../dsl/suggest.ts";
import type { ReportData } from "./catalogue.ts";
import { type Database, enclosed, reasonOf, SqlError } from "./duckdb.ts";
import type { Expression } from "./mapping.ts";

/** Names that the table has beside the columns of the source. */
export const rowColumn = "plec_row";
export const splitColumn = "plec_split";

export interface SqlProblem {
  readonly reason: string;
  /** The column that is not there, when that is the problem. */
  readonly column: string | null;
}

/** Columns of a statement, without running it. */
export async function describe(database: Database, statement: string): Promise<ReadonlyMap<string, string>> {
  const rows = await database.rows(`DESCRIBE ${statement}`);
  return new Map(rows.map((row) => [String(row.column_name), String(row.column_type)]));
}

/** What is wrong with an expression over the columns of a table; null when each row has a value that follows from the row alone. */
export async function expressionProblem(database: Database, sql: string, table: string): Promise<SqlProblem | null> {
  const error = await failureOf(database, `DESCRIBE SELECT ${enclosed(sql)} FROM ${table}`);
  if (error !== null) return { reason: reasonOf(error), column: /Referenced column "([^"]*)" not found/.exec(error.message)?.[1] ?? null };
  // A condition takes what is of one row.
  if ((await failureOf(database, `DESCRIBE SELECT 1 FROM ${table} WHERE ${enclosed(sql)} IS NOT NULL`)) === null) return null;
  const reason = "aggregates, windows and unnest take or make other rows than their own; a query as the source may have them";
  return { reason, column: null };
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

const volatile = /\b(random|uuid|uuidv4|uuidv7|gen_random_uuid|nextval)\s*\(|\b(using\s+sample|tablesample)\b(?!.*\brepeatable\b)/is;

/** Reports SQL that gives other rows or values each time; true when it does. */
export function reportVolatile({ sql, span }: Expression, report: ReportData): boolean {
  const bare = sql.replaceAll(/'[^']*'|"[^"]*"|--.*/g, " ");
  const found = volatile.exec(bare);
  if (found === null) return false;
  report("data/volatile", span, { name: found[1] === undefined ? (found[2] ?? "").replaceAll(/\s+/g, " ") : `${found[1]}()` });
  return true;
}

/** The first row for which one of the expressions fails, and why; null where none does. The error of the whole query does not say. */
export async function findFailure(
  database: Database,
  table: string,
  expressions: readonly Expression[],
): Promise<{ readonly row: number; readonly span: Span | null; readonly reason: string } | null> {
  for (const { sql, span } of expressions) {
    try {
      // TRY makes NULL of a failure, and a struct is none whatever it holds
      const fails = `TRY({'value': ${enclosed(sql)}}) IS NULL`;
      const [found] = await database.rows(`SELECT min(${rowColumn}) AS "row" FROM ${table} WHERE ${fails}`);
      if (found === undefined || found.row === null) continue;
      const row = Number(found.row);
      const error = await failureOf(database, `SELECT ${enclosed(sql)} FROM ${table} WHERE ${rowColumn} = ${row}`);
      if (error !== null) return { row, span, reason: reasonOf(error) };
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
    }
  }
  return null;
}

async function failureOf(database: Database, statement: string): Promise<SqlError | null> {
  try {
    await database.rows(statement);
    return null;
  } catch (error) {
    if (error instanceof SqlError) return error;
    throw error;
  }
}
