import { compareRuns, comparisonPage } from "../runtime/report/compare-runs.ts";
import { metricTitles } from "../runtime/report/metric-titles.ts";
import { NoRun, readRun } from "../runtime/report/read-run.ts";
import { renderPage, writeReport } from "../runtime/report/write-report.ts";
import { describeSystemError, isSystemError, writeFileAtomically } from "./atomic-write.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { formatNumber, formatTable } from "./table.ts";

/** Puts runs side by side. */
export async function compare(
  paths: readonly string[],
  options: { readonly html?: string; readonly json?: boolean },
  io: Io,
): Promise<number> {
  if (paths.length < 2) throw new CommandError("name two runs or more; `plec report RUN` shows one");
  const runs = paths.map((path) => ofRun(path, () => readRun(path)));
  if (options.html !== undefined) await writeFileAtomically(options.html, [renderPage(comparisonPage(runs))]);
  const comparison = compareRuns(runs);
  if (options.json === true) {
    io.stdout.write(`${JSON.stringify({ version: 1, ...comparison }, null, 2)}\n`);
    return exitCodes.clean;
  }
  const { runs: named, settings, metrics } = comparison;
  const names = named.map(({ name }) => name);
  const splits = new Set(metrics.map(({ split }) => split));
  const table = [
    [...(splits.size > 1 ? ["split"] : []), "task", "metric", ...names],
    ["", ...(splits.size > 1 ? [""] : []), "best epoch", ...named.map(({ epoch }) => String(epoch))],
    ...metrics.map(({ split, task, metric, values, best }) => [
      ...(splits.size > 1 ? [split] : []),
      task,
      metricTitles[metric],
      ...values.map((value, i) => `${value === null ? "–" : formatNumber(value)}${best.includes(i) ? " *" : "  "}`),
    ]),
  ];
  const numbers = new Set(table[0]?.map((_, i) => i).slice(-names.length));
  for (const line of formatTable(table, numbers)) io.stdout.write(`${line.trimEnd()}\n`);
  if (settings.length > 0) {
    io.stdout.write("\nWhat differs:\n");
    for (const line of formatTable([["", ...names], ...settings.map(({ name, values }) => [name, ...values.map((value) => value ?? "–")])]))
      io.stdout.write(`  ${line.trimEnd()}\n`);
  }
  if (options.html !== undefined) io.stdout.write(`\n${options.html}: written\n`);
  return exitCodes.clean;
}

/** Writes the page of a run anew. */
export async function report(path: string, io: Io): Promise<number> {
  const page = ofRun(path, () => writeReport(path));
  io.stdout.write(`${page}: written\n`);
  return exitCodes.clean;
}

function ofRun<T>(path: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof NoRun) throw new CommandError(error.message, exitCodes.usage);
    if (isSystemError(error)) throw new CommandError(`${path}: ${describeSystemError(error)}`, exitCodes.findings);
    throw error;
  }
}
