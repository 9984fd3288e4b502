import { dirname } from "node:path";
import { readText } from "../compiler/read-text.ts";
import type { Diagnostic } from "../dsl/diagnostic.ts";
import { Source } from "../dsl/source.ts";
import { DataError } from "../runtime/data/catalogue.ts";
import type { DataContract } from "../runtime/data/contract.ts";
import { Dataset, type OpenOptions } from "../runtime/data/dataset.ts";
import { DuckDbMissing } from "../runtime/data/duckdb.ts";
import type { Mapping } from "../runtime/data/mapping.ts";
import { readMapping } from "../runtime/data/read-mapping.ts";
import { describeTally, printFindings, tally } from "./findings.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { reading } from "./spec-files.ts";

/** A mapping with the folder from which its paths start. */
export interface PlacedMapping {
  readonly path: string;
  readonly mapping: Mapping;
  readonly folder: string;
}

/** Reads a data mapping; findings go to standard error. @throws CommandError when it has any */
export function loadMapping(path: string, io: Io): PlacedMapping {
  const text = reading(path, () => readText(path));
  const diagnostics: Diagnostic[] = [];
  const mapping = readMapping(new Source(path, text), diagnostics);
  if (mapping === null) throw findingsError(path, diagnostics, io);
  return { path, mapping, folder: dirname(path) };
}

/** Opens data; findings go to standard error, warnings too. @throws CommandError when there are errors */
export async function openData(
  contract: DataContract,
  { path, mapping, folder }: PlacedMapping,
  options: Omit<OpenOptions, "folder">,
  io: Io,
): Promise<Dataset> {
  return withDataErrors(path, io, async () => {
    const { data, diagnostics } = await Dataset.open(contract, mapping, { ...options, folder });
    if (data === null) throw new DataError(diagnostics);
    printFindings(diagnostics, io.stderr, io);
    return data;
  });
}

/** Runs what reads data: what is wrong with it is the user's to solve. */
export async function withDataErrors<T>(path: string, io: Io, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof DuckDbMissing) throw new CommandError(error.message, exitCodes.findings);
    if (error instanceof DataError) throw findingsError(path, error.diagnostics, io);
    throw error;
  }
}

function findingsError(path: string, diagnostics: readonly Diagnostic[], io: Io): CommandError {
  printFindings(diagnostics, io.stderr, io);
  return new CommandError(`${path}: ${describeTally(tally(diagnostics))}`, exitCodes.findings);
}
