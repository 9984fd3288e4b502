import type { DuckDBDataChunk } from "@duckdb/node-api";
import type { CheckedModel } from "../../compiler/model.ts";
import { Database, quoteName, quoteText, type TableColumn, writableNumbers } from "../data/duckdb.ts";
import { inputForms } from "../data/input-forms.ts";
import { columnsOfInput, labelColumn } from "../data/mapping-text.ts";
import { describeModel } from "../description.ts";
import { type InputDrawer, openDrawers } from "./draw-inputs.ts";
import { type DrawnLabels, drawFactors, drawLabels } from "./draw-labels.ts";
import type { SynthPlan } from "./plan.ts";

/** Rows made at a time, and in a row group of Parquet. */
const rowsAtOnce = 2048;

/** Columns of the table that a drawer or a label fills, and what SQL makes of them. */
interface Part {
  readonly columns: readonly TableColumn[];
  readonly select: readonly string[];
  /** Fills the columns of a chunk from `at` on with rows [first, first + count). */
  fill(chunk: DuckDBDataChunk, at: number, first: number, count: number): void;
}

/**
 * Writes the customers of a plan. What a plan gives depends on nothing else: two files of one plan are the same.
 *
 * @throws DuckDbMissing, SqlError
 */
export async function writeCustomers(model: CheckedModel, plan: SynthPlan, path: string, format: "parquet" | "csv"): Promise<void> {
  const { inputs } = describeModel(model);
  const forms = inputForms(inputs);
  const factors = drawFactors(plan);
  const parts = [
    ...openDrawers(plan, inputs, forms, factors).map(inputPart),
    ...plan.tasks.map((task) => labelPart(drawLabels(plan, task, factors), labelColumn(task.name, inputs))),
  ];
  const columns = parts.flatMap((part) => part.columns);
  const database = await Database.open(".");
  try {
    let first = 0;
    await database.registerTable("plec_customers", columns, (chunk) => {
      const count = Math.min(rowsAtOnce, plan.rows - first);
      chunk.rowCount = count;
      if (count === 0) return;
      let at = 0;
      for (const part of parts) {
        part.fill(chunk, at, first, count);
        at += part.columns.length;
      }
      first += count;
    });
    const gzip = /\.gz$/.test(path) ? ", COMPRESSION gzip" : "";
    const settings =
      format === "csv"
        ? `FORMAT csv, HEADER true${gzip}`
        : `FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE ${rowsAtOnce}, KV_METADATA {plec_synth: ${quoteText(JSON.stringify(plan))}}`;
    const select = parts.flatMap((part) => part.select);
    await database.run(`COPY (SELECT ${select.join(", ")} FROM plec_customers()) TO ${quoteText(path)} (${settings})`);
  } finally {
    database.close();
  }
}

function inputPart(drawer: InputDrawer): Part {
  const { input, form, width } = drawer;
  const type = input.dtype === "f32" ? "FLOAT" : "INTEGER";
  const names = columnsOfInput(input, form);
  const single = form.kind === "scalar" || form.kind === "columns";
  const dims = single ? [] : form.kind === "steps" ? [form.maximum, ...form.inner] : [width];
  const values = names.map((name): TableColumn => ({ name, type, dims }));
  const length: TableColumn = { name: `plec_length ${input.name}`, type: "INTEGER", dims: [] };
  const varies = form.kind === "steps" && form.varies;
  const list = (name: string): string => {
    const inner = form.kind === "steps" ? form.inner.map((dim) => `[${dim}]`).join("") : "";
    return `list_slice(CAST(${quoteName(name)} AS ${type}${inner}[]), 1, ${quoteName(length.name)}) AS ${quoteName(name)}`;
  };
  return {
    columns: varies ? [...values, length] : values,
    select: names.map((name) => (varies ? list(name) : input.dtype === "bool" && dims.length === 0 ? asBool(name) : quoteName(name))),
    fill(chunk, at, first, count) {
      const drawn = drawer.draw(first, count);
      const per = width / names.length;
      for (let i = 0; i < names.length; i++) {
        const vector = chunk.getColumnVector(at + i);
        const numbers = writableNumbers(vector);
        if (per === width) for (let j = 0; j < drawn.values.length; j++) numbers[j] = drawn.values[j] as number;
        else for (let row = 0; row < count; row++) numbers[row] = drawn.values[row * width + i] as number;
        for (let row = 0; row < count; row++) if (drawn.present[row] === 0) vector.setItem(row, null);
        vector.flush();
      }
      if (drawn.lengths === null) return;
      const vector = chunk.getColumnVector(at + names.length);
      const numbers = writableNumbers(vector);
      for (let row = 0; row < count; row++) numbers[row] = drawn.lengths[row] as number;
      vector.flush();
    },
  };
}

function asBool(name: string): string {
  return `CAST(${quoteName(name)} AS BOOLEAN) AS ${quoteName(name)}`;
}

function labelPart({ task, width, values }: DrawnLabels, name: string): Part {
  const type = task.kind === "binary" || task.kind === "classes" ? "INTEGER" : "FLOAT";
  return {
    columns: [{ name, type, dims: width === 1 && task.kind !== "embedding" ? [] : [width] }],
    select: [quoteName(name)],
    fill(chunk, at, first, count) {
      const vector = chunk.getColumnVector(at);
      const numbers = writableNumbers(vector);
      for (let i = 0; i < count * width; i++) numbers[i] = values[first * width + i] as number;
      vector.flush();
    },
  };
}
