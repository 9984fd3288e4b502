import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { Source } from "../../dsl/source.ts";
import { contractOf } from "../../runtime/data/contract.ts";
import { Dataset } from "../../runtime/data/dataset.ts";
import { readMapping } from "../../runtime/data/read-mapping.ts";
import { modelOf } from "../specs/checked-specs.ts";

const folder = "examples/census";
const path = join(folder, "census.yaml");

/** The table by another reader, every line a row. */
let rows: readonly Readonly<Record<string, string>>[] = [];
let data: Dataset;

beforeAll(async () => {
  const diagnostics: Diagnostic[] = [];
  const mapping = readMapping(new Source(path, readFileSync(path, "utf8")), diagnostics);
  if (mapping?.source.kind !== "files") throw new Error(diagnostics.map(({ message }) => message).join("\n"));
  const file = join(folder, mapping.source.patterns[0] ?? "");
  expect(existsSync(file), `the census data are missing: put census-income.csv.gz at ${file} (examples/census/README.md)`).toBe(true);
  rows = parse(gunzipSync(readFileSync(file)), { columns: true });
  const opened = await Dataset.open(contractOf(modelOf(checkFile(join(folder, "mmoe.ple")))), mapping, { folder });
  expect(opened.diagnostics.map(({ message }) => message)).toEqual([]);
  if (opened.data === null) throw new Error("no data");
  data = opened.data;
});
afterAll(() => data?.close());

const numeric = ["age", "wage_per_hour", "capital_gains", "capital_losses", "stock_dividends", "num_emp", "weeks_worked"] as const;
const isTest = (index: number) => (index + 1) % 5 === 0;

describe("the census data as DuckDB reads them, against csv-parse", () => {
  it("79,810 rows, every fifth of them held out", () => {
    expect(rows).toHaveLength(79_810);
    expect(data.splits).toEqual([
      { name: "train", rows: 63_848 },
      { name: "test", rows: 15_962 },
    ]);
  });

  it("moments and vocabularies of the training rows", () => {
    const train = rows.filter((_, i) => !isTest(i));
    for (const [place, name] of numeric.entries()) {
      const values = train.map((row) => Number(row[name]));
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
      expect((data.statistics.moments.numeric?.mean[place] ?? 0) / mean).toBeCloseTo(1, 9);
      expect((data.statistics.moments.numeric?.deviation[place] ?? 0) / Math.sqrt(variance)).toBeCloseTo(1, 9);
    }
    expect(Object.keys(data.statistics.vocabularies)).toHaveLength(32);
    for (const [name, vocabulary] of Object.entries(data.statistics.vocabularies)) {
      const counts = new Map<string, number>();
      for (const row of train) counts.set(row[name] ?? "", (counts.get(row[name] ?? "") ?? 0) + 1);
      expect(vocabulary).toEqual([...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([value]) => value));
    }
  });

  it.each(["train", "test"])("every value and label of every row of %s, in order", async (split) => {
    const { moments, vocabularies } = data.statistics;
    const ids = Object.entries(vocabularies).map(([name, values]) => [name, new Map(values.map((value, i) => [value, i + 1]))] as const);
    const expected = rows.filter((_, i) => isTest(i) === (split === "test"));
    let at = 0;
    let wrong = 0;
    for await (const { tensors, rows: count } of data.batches({ split, size: 4096 })) {
      for (let row = 0; row < count; row++) {
        const source = expected[at++];
        if (source === undefined) throw new Error("more rows than the file has");
        for (const [place, name] of numeric.entries()) {
          const value = (Number(source[name]) - (moments.numeric?.mean[place] ?? 0)) / (moments.numeric?.deviation[place] ?? 1);
          wrong += Number(tensors.get("numeric")?.data[row * 7 + place] !== Math.fround(value));
        }
        for (const [name, known] of ids) wrong += Number(tensors.get(name)?.data[row] !== (known.get(source[name] ?? "") ?? 0));
        wrong += Number(tensors.get("label/income")?.data[row] !== Number(source.income_50k?.trim() === "50000+"));
        wrong += Number(tensors.get("label/never_married")?.data[row] !== Number(source.marital_stat?.trim() === "Never married"));
      }
    }
    expect({ at, wrong }).toEqual({ at: expected.length, wrong: 0 });
  });
});
