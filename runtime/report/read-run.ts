import { readFileSync } from "node:fs";
import type { EpochRecord, EventRecord, FindingRecord, RunDescription, RunRecord, StepsRecord } from "../runs/records.ts";
import { type FieldType, requireFields } from "../runs/require-fields.ts";
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
  const description = read(`${path}/run.json`, () => folder.description());
  const lines = read(folder.metricsPath, () => readFileSync(folder.metricsPath, "utf8")).split("\n");
  // What follows the last line end is a line that is being written.
  const records = lines.slice(0, -1).map((line, i) => read(`${folder.metricsPath}:${i + 1}`, () => recordOf(JSON.parse(line))));
  const of = <K extends RunRecord["kind"]>(kind: K) =>
    records.filter((record): record is Extract<RunRecord, { readonly kind: K }> => record.kind === kind);
  return { folder: path, description, steps: of("steps"), epochs: of("epoch"), events: of("event"), findings: of("finding") };
}

const place = { epoch: "number", step: "number" } as const;

/** What pages read of a record without asking whether it is there. */
const recordFields: Readonly<Record<RunRecord["kind"], Readonly<Record<string, FieldType>>>> = {
  steps: { ...place, rows: "number", seconds: "number", terms: "object" },
  epoch: { ...place, train: "object", splits: "object" },
  event: { ...place, event: "string", text: "string" },
  finding: { ...place, monitor: "string", message: "string", remedy: "string" },
};

function recordOf(value: unknown): RunRecord {
  const { kind } = requireFields(value, { kind: "string" }) as { readonly kind: string };
  const fields = Object.hasOwn(recordFields, kind) ? recordFields[kind as RunRecord["kind"]] : undefined;
  if (fields === undefined) throw new Error(`it is of no kind that plec knows: ${kind}`);
  return requireFields(value, fields) as RunRecord;
}

function read<T>(path: string, take: () => T): T {
  try {
    return take();
  } catch (error) {
    const missing = error instanceof Error && "code" in error && error.code === "ENOENT";
    throw new NoRun(`cannot read ${path}: ${missing ? "it is missing" : error instanceof Error ? error.message : String(error)}`);
  }
}
