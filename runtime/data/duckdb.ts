import { tmpdir } from "node:os";
import { join } from "node:path";
import type {
  DuckDBConnection,
  DuckDBDataChunk,
  DuckDBInstance,
  DuckDBListVector,
  DuckDBType,
  DuckDBValue,
  DuckDBVector,
} from "@duckdb/node-api";

/** Thrown when the optional package is not there; the message says how to install it. */
export class DuckDbMissing extends Error {
  override readonly name = "DuckDbMissing";
}

export type DuckDb = typeof import("@duckdb/node-api");

export async function loadDuckDb(): Promise<DuckDb> {
  try {
    return await import("@duckdb/node-api");
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new DuckDbMissing(`reading data needs the package @duckdb/node-api: npm install @duckdb/node-api (${reason})`);
  }
}

/** A column of numbers, or of arrays of them with these dims. */
export interface TableColumn {
  readonly name: string;
  readonly type: "FLOAT" | "INTEGER";
  readonly dims: readonly number[];
}

/** What DuckDB refuses, without the parts of its message that speak about the statement around an expression. */
export class SqlError extends Error {
  override readonly name = "SqlError";
}

/** An in-memory database. Relative paths in SQL start at `folder`. Nothing is downloaded. */
export class Database {
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #settings: readonly string[];

  private constructor(instance: DuckDBInstance, connection: DuckDBConnection, settings: readonly string[]) {
    this.#instance = instance;
    this.#connection = connection;
    this.#settings = settings;
  }

  /** @throws DuckDbMissing */
  static async open(folder: string): Promise<Database> {
    const { DuckDBInstance } = await loadDuckDb();
    const instance = await DuckDBInstance.create(":memory:", {
      autoinstall_known_extensions: "false",
      temp_directory: join(tmpdir(), `plec-duckdb-${process.pid}`),
    });
    const settings = [`SET file_search_path = ${quoteText(folder)}`];
    const connection = await instance.connect();
    for (const setting of settings) await connection.run(setting);
    return new Database(instance, connection, settings);
  }

  async run(sql: string): Promise<void> {
    await withSqlErrors(async () => this.#connection.run(sql));
  }

  /** All rows of a small result. */
  async rows(sql: string): Promise<readonly Readonly<Record<string, DuckDBValue>>[]> {
    return withSqlErrors(async () => (await this.#connection.runAndReadAll(sql)).getRowObjects());
  }

  /** The chunks of a result as they come, on a connection of their own, so that other statements can run meanwhile. */
  async *chunks(sql: string): AsyncGenerator<DuckDBDataChunk> {
    const connection = await this.#instance.connect();
    try {
      for (const setting of this.#settings) await connection.run(setting);
      const result = await withSqlErrors(async () => connection.stream(sql));
      for (;;) {
        const chunk = await withSqlErrors(async () => result.fetchChunk());
        if (chunk === null || chunk.rowCount === 0) return;
        yield chunk;
      }
    } finally {
      connection.closeSync();
    }
  }

  /** Makes a function of SQL that gives the rows of a table, some at a time; a chunk without rows is the last. */
  async registerTable(name: string, columns: readonly TableColumn[], fill: (chunk: DuckDBDataChunk) => void): Promise<void> {
    const { ARRAY, DuckDBTableFunction, FLOAT, INTEGER } = await loadDuckDb();
    const typeOf = ({ type, dims }: TableColumn): DuckDBType =>
      dims.toReversed().reduce<DuckDBType>((inner, length) => ARRAY(inner, length), type === "FLOAT" ? FLOAT : INTEGER);
    this.#connection.registerTableFunction(
      DuckDBTableFunction.create({
        name,
        bindFunction: (info) => {
          for (const column of columns) info.addResultColumn(column.name, typeOf(column));
        },
        initFunction: () => undefined,
        mainFunction: (_, chunk) => fill(chunk),
      }),
    );
  }

  async appender(table: string): Promise<Awaited<ReturnType<DuckDBConnection["createAppender"]>>> {
    return this.#connection.createAppender(table);
  }

  close(): void {
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}

async function withSqlErrors<T>(run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw new SqlError(error instanceof Error ? error.message : String(error));
  }
}

/** What DuckDB says is wrong, in one line. */
export function reasonOf({ message }: SqlError): string {
  const extension = /required extension '(\w+)'/.exec(message)?.[1];
  if (extension !== undefined) return `this needs DuckDB's extension ${extension}, which is not installed`;
  return (message.split("\n")[0] ?? "").replace(/^([A-Z][\w ]*Error: )+/, "").replace(/^Could not write file "[^"]*": /, "");
}

/** An expression of a user within another; a comment at its end ends with it. */
export function enclosed(sql: string): string {
  return `(${sql}\n)`;
}

/** An identifier of SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text of SQL. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The numbers behind a column of FLOAT, DOUBLE or INTEGER, not copied. */
export function numbersOf(vector: DuckDBVector): ArrayLike<number> {
  // The typed array is a private field of the vector classes; reading it item by item is several times slower.
  const items: unknown = Reflect.get(vector, "items");
  if (items instanceof Float32Array || items instanceof Float64Array || items instanceof Int32Array) return items;
  throw new Error(`no numbers in a ${vector.constructor.name} of DuckDB`);
}

/** A column of a chunk to be filled: the numbers behind it, for arrays those of all rows one after another. `flush` writes them. */
export function writableNumbers(vector: DuckDBVector): { [index: number]: number; readonly length: number } {
  const child: unknown = Reflect.get(vector, "childData");
  if (child !== undefined) return writableNumbers(child as DuckDBVector);
  return numbersOf(vector) as Float32Array | Float64Array | Int32Array;
}

/** Whether an item of a column is there; null where all are. */
export function validityOf(vector: DuckDBVector): ((index: number) => boolean) | null {
  const validity: unknown = Reflect.get(vector, "validity");
  if (typeof validity !== "object" || validity === null) throw new Error(`no validity in a ${vector.constructor.name} of DuckDB`);
  if (Reflect.get(validity, "data") === null) return null;
  const bits = validity as { itemValid(index: number): boolean };
  return (index) => bits.itemValid(index);
}

export function isListVector(vector: DuckDBVector): vector is DuckDBListVector {
  return "childVector" in vector && "getEntryOffset" in vector;
}
