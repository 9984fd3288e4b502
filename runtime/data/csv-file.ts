import { closeSync, createReadStream, openSync, readSync } from "node:fs";
import { Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { constants, createGunzip, gunzipSync } from "node:zlib";
import { quoteText } from "./duckdb.ts";

const firstBytes = 1 << 16;

export interface CsvHeader {
  readonly delimiter: string;
  readonly columns: number;
  /** A name that two columns have: DuckDB would give the second another one, without a word. */
  readonly twice: string | null;
}

/** What the first line of a CSV file says. The delimiter is of the usual ones the one that stands there most often outside of quotes. */
export function csvHeader(file: string): CsvHeader {
  const text = firstText(file).replace(/^\uFEFF/, "");
  const [header = ""] = text.split(/\r?\n/, 1);
  const bare = header.replaceAll(/"[^"]*"/g, "");
  const count = (delimiter: string): number => bare.split(delimiter).length;
  const usual = /\.tsv(\.gz)?$/i.test(file) ? ["\t"] : [",", ";", "\t", "|"];
  const delimiter = usual.reduce((best, other) => (count(other) > count(best) ? other : best));
  const names = namesOf(header, delimiter);
  // the last name of a line that goes on may be cut off
  if (header.length === text.length) names.pop();
  const plain = names.map((name) => name.toLowerCase());
  const twice = names.find((name, i) => name !== "" && plain.indexOf(name.toLowerCase()) !== i) ?? null;
  return { delimiter, columns: count(delimiter), twice };
}

function namesOf(header: string, delimiter: string): string[] {
  const quoted = /^"((?:[^"]|"")*)"$/;
  const names = header.match(new RegExp(`(?:"(?:[^"]|"")*"|[^${delimiter === "|" ? "\\|" : delimiter}"])+`, "g")) ?? [];
  return names.map((name) => quoted.exec(name)?.[1]?.replaceAll('""', '"') ?? name);
}

/** SQL that reads every line as text, to find the first that does not have the columns of the header. */
export function csvAsText(file: string): string {
  const { delimiter, columns } = csvHeader(file);
  const names = Array.from({ length: columns }, (_, i) => `c${i}: 'VARCHAR'`).join(", ");
  const settings = `header = true, skip = 0, delim = ${quoteText(delimiter)}, quote = '"', escape = '"'`;
  return `SELECT count(*) AS n FROM read_csv(${quoteText(file)}, auto_detect = false, ${settings}, columns = {${names}})`;
}

function firstText(file: string): string {
  const bytes = Buffer.alloc(firstBytes);
  const descriptor = openSync(file, "r");
  try {
    const start = bytes.subarray(0, readSync(descriptor, bytes, 0, firstBytes, 0));
    if (!isGzip(file)) return start.toString("utf8");
    return gunzipSync(start, { finishFlush: constants.Z_SYNC_FLUSH }).toString("utf8");
  } finally {
    closeSync(descriptor);
  }
}

export function isGzip(file: string): boolean {
  return /\.gz$/i.test(file);
}

/** What is wrong with a compressed file, null when it is whole: DuckDB reads one that is cut off as far as it goes, without a word. */
export async function gzipProblem(file: string): Promise<string | null> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    await pipeline(createReadStream(file), createGunzip({ chunkSize: 1 << 20 }), nowhere);
    return null;
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    if (error.code === "Z_BUF_ERROR") return "the compressed file is cut off";
    if (String(error.code).startsWith("Z_")) return `the compressed file is broken (${error.message})`;
    throw error;
  }
}
