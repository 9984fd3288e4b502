import { mkdirSync } from "node:fs";
import { dirname, relative } from "node:path";
import { DuckDbMissing, reasonOf, SqlError } from "../runtime/data/duckdb.ts";
import { inputForms } from "../runtime/data/input-forms.ts";
import { mappingText } from "../runtime/data/mapping-text.ts";
import { describeModel } from "../runtime/description.ts";
import { type InputColumns, planCustomers, type SynthPlan } from "../runtime/synth/plan.ts";
import { writeCustomers } from "../runtime/synth/write-table.ts";
import { describeSystemError, isSystemError, replaceWrittenFile, writeFilesAtomically } from "./atomic-write.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { loadModel } from "./load-model.ts";
import { formatCount, formatTable, plural } from "./table.ts";

interface SynthOptions {
  readonly rows: number;
  readonly output: string;
  readonly mapping?: string;
  readonly missing: number;
  readonly seed: number;
  readonly model?: string;
  readonly json?: boolean;
}

/** What customers have in common is held in memory for all of them. */
const mostRows = 10_000_000;

/** Writes made-up customers, the plan that they follow, and on request the mapping that reads them. */
export async function synth(spec: string, options: SynthOptions, io: Io): Promise<number> {
  const { output, rows, seed, missing, mapping } = options;
  const format = /\.parquet$/i.test(output) ? "parquet" : /\.csv(\.gz)?$/i.test(output) ? "csv" : null;
  if (format === null) throw new CommandError(`${output}: customers are written as .parquet, .csv or .csv.gz`);
  if (rows === 0) throw new CommandError("--rows 0 makes nobody");
  if (rows > mostRows) throw new CommandError(`--rows makes up to ${formatCount(mostRows)}; another --seed makes others`);
  if (!(missing >= 0 && missing < 1)) throw new CommandError("--missing is a share from 0 up and below 1");
  const model = loadModel(spec, options.model, io);
  const { inputs } = describeModel(model);
  for (const [name, form] of inputForms(inputs)) {
    if (form.kind === "none") throw new CommandError(`input ${name} cannot come from rows: ${form.reason}`, exitCodes.findings);
  }
  const plan = planCustomers(model, { rows, seed, missing });
  try {
    for (const path of [output, mapping ?? output]) mkdirSync(dirname(path), { recursive: true });
    await replaceWrittenFile(output, (temporary) => writeCustomers(model, plan, temporary, format));
  } catch (error) {
    if (error instanceof DuckDbMissing) throw new CommandError(error.message, exitCodes.findings);
    if (error instanceof SqlError) throw new CommandError(`cannot write ${output}: ${reasonOf(error)}`);
    if (isSystemError(error)) throw new CommandError(`cannot write ${output}: ${describeSystemError(error)}`);
    throw error;
  }
  const planFile = `${output}.json`;
  const files = [{ path: planFile, chunks: [`${JSON.stringify({ version: 1, ...plan }, null, 2)}\n`] }];
  if (mapping !== undefined) files.push({ path: mapping, chunks: [mappingText(model, sourceFrom(mapping, output))] });
  await writeFilesAtomically(files);
  if (options.json === true) io.stdout.write(`${JSON.stringify({ version: 1, output, mapping: mapping ?? null, plan })}\n`);
  else {
    io.stdout.write(
      `${output}: ${plural(rows, "row")}; ${planFile} says what depends on what${mapping === undefined ? "" : `; mapping in ${mapping}`}\n\n`,
    );
    for (const line of describePlan(plan)) io.stdout.write(`${line}\n`);
  }
  return exitCodes.clean;
}

/** The table's path from the mapping's folder, with / on every system. */
function sourceFrom(mapping: string, output: string): string {
  return relative(dirname(mapping), output).replaceAll("\\", "/");
}

function describePlan({ tasks, sources }: SynthPlan): readonly string[] {
  const rows = tasks.map((task) => {
    const columns = sources.filter(({ name }) => task.sources.includes(name)).flatMap((source) => source.columns.map(describeColumns));
    const rate = task.positives === null ? "" : `${Number((100 * task.positives).toPrecision(3))} %`;
    return [task.name, rate, task.experts.join(", "), shortened(columns)];
  });
  return formatTable([["task", "positives", "experts", "inputs that show them"], ...rows], new Set([1]));
}

function describeColumns({ input, start, width }: InputColumns): string {
  return start === 0 && width === 1 ? input : `${input}[${start}:${start + width}]`;
}

function shortened(columns: readonly string[]): string {
  return columns.length <= 6 ? columns.join(", ") : `${columns.slice(0, 6).join(", ")} and ${columns.length - 6} more`;
}
