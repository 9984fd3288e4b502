import { readFileSync } from "node:fs";
import type { EpochRecord, EventRecord, FindingRecord, RunDescription, RunRecord, StepsRecord } from "../runs/records.ts";
import { RunFolder } from "../runs/run-folder.ts";

/** All that a run has written down so far. */
export interface RunHistory {
  readonly folder: string;
  readonly description: RunDescription;
  readonly steps: readonly StepsRecord[];
  readonly epochs: readonly EpochRecord[];
  readonly events: readonly EventRecord[];
  readonly findings: readonly FindingRecord[];
}

/** Thrown for a folder that is no run, or whose files are broken. */
export class NoRun extends Error {
  override readonly name = "NoRun";
}

/** Reads a run, which may still go on: a last line that is half written is left out. @throws NoRun */
export function readRun(path: string): RunHistory {
  const folder = new RunFolder(path);
  if (!folder.isRun) throw new NoRun(`${path} is no run: it has no run.json; \`plec train --out ${path}\` makes one`);
  const description = parsed(`${path}/run.json`, () => folder.description());
  const lines = parsed(folder.metricsPath, () => readFileSync(folder.metricsPath, "utf8")).split("\n");
  // What follows the last line end is a line that is being written.
  const records = lines.slice(0, -1).map((line, i) => parsed(`${folder.metricsPath}:${i + 1}`, () => JSON.parse(line) as RunRecord));
  const of = <K extends RunRecord["kind"]>(kind: K) =>
    records.filter((record): record is Extract<RunRecord, { readonly kind: K }> => record.kind === kind);
  return { folder: path, description, steps: of("steps"), epochs: of("epoch"), events: of("event"), findings: of("finding") };
}

function parsed<T>(place: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new NoRun(`cannot read ${place}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
