import type { ModelDescription, TaskDescription } from "../runtime/description.ts";
import type { Batch, Tensor } from "../runtime/engine.ts";
import { formatNumber, formatTable, plural } from "./table.ts";

/** More columns than this are summarised rather than shown. */
const widestShown = 24;

/** Rows of customers by columns of tasks, or the other way round where that fits better. */
export function predictionTable(tasks: readonly TaskDescription[], results: Batch, width: number): string[] {
  const columns = tasks.map((task) => [task.name, ...describePredictions(task, required(results, task.name))]);
  const rows = (columns[0]?.length ?? 1) - 1;
  const byRow = [["row", ...columns.map((column) => column[0] ?? "")]];
  for (let row = 1; row <= rows; row++) byRow.push([String(row), ...columns.map((column) => column[row] ?? "")]);
  const lines = formatTable(byRow, new Set(byRow[0]?.keys()));
  if (Math.max(...lines.map((line) => line.length)) <= width) return lines;
  const byTask = [["task", ...Array.from({ length: rows }, (_, row) => `row ${row + 1}`)], ...columns];
  const turned = formatTable(byTask, new Set(Array.from({ length: rows }, (_, row) => row + 1)));
  return rows <= tasks.length ? turned : lines;
}

/** A cell for each row: a number, the likeliest class with its probability, or the length of a vector. */
function describePredictions(task: TaskDescription, tensor: Tensor): string[] {
  const rows = tensor.shape[0] ?? 1;
  return Array.from({ length: rows }, (_, row) => {
    const values = Array.from(tensor.data.subarray(row * task.width, (row + 1) * task.width));
    if (task.width === 1) return formatNumber(values[0] ?? Number.NaN);
    if (task.kind === "classes") {
      const best = values.reduce((winner, value, index) => (value > (values[winner] ?? 0) ? index : winner), 0);
      return `${best} (${(values[best] ?? 0).toFixed(2)})`;
    }
    return `|${formatNumber(Math.hypot(...values))}|`;
  });
}

/** One table for each family of outputs (`gates/ctr`, `gates/cvr`, ...). */
export function outputTables(model: ModelDescription, names: readonly string[], results: Batch, width: number): string[][] {
  const families = new Map<string, string[]>();
  for (const name of names) {
    const family = name.replace(/\/[^/]*$/, "");
    families.set(family, [...(families.get(family) ?? []), name]);
  }
  return [...families].map(([family, members]) => outputTable(model, family, members, results, width));
}

function outputTable(model: ModelDescription, family: string, names: readonly string[], results: Batch, width: number): string[] {
  const tensors = names.map((name) => required(results, name));
  const columns = tensors[0]?.shape[1] ?? 1;
  const narrow = tensors.every((tensor) => tensor.shape.length <= 2 && (tensor.shape[1] ?? 1) === columns) && columns <= widestShown;
  if (!narrow) {
    const rows = names.map((name, index) => [name, ...statistics(tensors[index] as Tensor)]);
    return formatTable([["output", "shape", "min", "mean", "max"], ...rows], new Set([2, 3, 4]));
  }
  const labels = columnLabels(model, family, columns);
  const rows = names.flatMap((name, index) => {
    const { data, shape } = tensors[index] as Tensor;
    return Array.from({ length: shape[0] ?? 1 }, (_, row) => [
      name,
      String(row + 1),
      ...Array.from(data.subarray(row * columns, (row + 1) * columns), formatNumber),
    ]);
  });
  const table = [["output", "row", ...labels], ...rows];
  const lines = formatTable(table, new Set(Array.from({ length: columns + 1 }, (_, column) => column + 1)));
  if (Math.max(...lines.map((line) => line.length)) <= width) return lines;
  // Long labels go into a legend.
  const short = [["output", "row", ...labels.map((_, column) => String(column))], ...rows];
  const legend = labels.every((label, column) => label === String(column))
    ? []
    : [labels.map((label, column) => `${column} ${label}`).join(", ")];
  return [...legend, ...formatTable(short, new Set(Array.from({ length: columns + 1 }, (_, column) => column + 1)))];
}

/** Names of the experts for the weights of a gate over exactly one bank of that size, else numbers. */
function columnLabels(model: ModelDescription, family: string, columns: number): readonly string[] {
  const banks = model.banks.filter((bank) => bank.entries.length === columns);
  const [bank] = banks;
  if (bank !== undefined && banks.length === 1 && /gate|attention|mix/i.test(family)) return bank.entries;
  return Array.from({ length: columns }, (_, column) => String(column));
}

function statistics(tensor: Tensor): string[] {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (const value of tensor.data) {
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
  }
  if (tensor.data.length === 0) return [`[${tensor.shape.join(", ")}]`, "", plural(0, "value"), ""];
  return [`[${tensor.shape.join(", ")}]`, formatNumber(min), formatNumber(sum / tensor.data.length), formatNumber(max)];
}

function required(results: Batch, name: string): Tensor {
  const tensor = results.get(name);
  if (tensor === undefined) throw new Error(`the engine gave no output ${name}`);
  return tensor;
}
