import { existsSync } from "node:fs";
import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { Dataset } from "../../runtime/data/dataset.ts";
import { Database } from "../../runtime/data/duckdb.ts";
import { prefetch } from "../../runtime/data/prefetch.ts";
import { compress, RunningMoments, unscale } from "../../runtime/data/scale.ts";
import { preparationFromJson, preparationToJson } from "../../runtime/data/statistics.ts";
import type { InputDescription } from "../../runtime/description.ts";
import { DataFolder, rowsOf } from "./open-data.ts";

const folder = new DataFolder();
afterAll(() => folder.remove());

const x: InputDescription = { name: "x", dtype: "f32", shape: ["B"], optional: false, fill: 0, vocabulary: null, slices: [] };
const contract = { inputs: [x], labels: [] };
const range = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

describe("the shuffle", () => {
  const rows = 5000;
  folder.write("rows.csv", `a\n${range(rows).join("\n")}\n`);
  const open = () => folder.require(contract, "source: rows.csv\ninputs:\n  x: a\n");
  const order = async (data: Dataset, seed: number, epoch: number, buffer: number, more = {}) =>
    (await rowsOf(data, { size: 64, shuffle: { seed, epoch, buffer }, ...more })).row as number[];

  it("gives every row once, with its own values", async () => {
    const { row, x: values } = await rowsOf(await open(), { size: 64, shuffle: { seed: 1, epoch: 0, buffer: 300 } });
    expect(row).toEqual(values);
    expect(row).not.toEqual(range(rows));
    expect([...(row as number[])].sort((a, b) => a - b)).toEqual(range(rows));
  });

  it("depends on the seed and the epoch alone", async () => {
    const [one, other] = [await open(), await open()];
    const first = await order(one, 1, 0, 300);
    expect(await order(one, 1, 0, 300)).toEqual(first);
    expect(await order(other, 1, 0, 300)).toEqual(first);
    expect(await order(one, 1, 1, 300)).not.toEqual(first);
    expect(await order(one, 2, 0, 300)).not.toEqual(first);
  });

  it("holds no more rows than its buffer: none comes earlier than that", async () => {
    const found = await order(await open(), 3, 0, 300);
    expect(Math.max(...found.map((row, place) => row - 1 - place))).toBeLessThanOrEqual(300);
    expect(Math.max(...found.map((row, place) => place - (row - 1)))).toBeGreaterThan(300);
  });

  it("mixes evenly when the buffer holds all: the mean place of the first tenth is the middle", async () => {
    const found = await order(await open(), 4, 0, rows);
    const places = found.flatMap((row, place) => (row <= rows / 10 ? [place / rows] : []));
    // the mean of 500 uniform draws has a deviation of 0.0129; five of them
    expect(Math.abs(places.reduce((sum, place) => sum + place, 0) / places.length - 0.5)).toBeLessThan(0.065);
  });

  it("goes on from a batch as if it had given the ones before", async () => {
    const data = await open();
    const whole = await order(data, 5, 2, 300);
    for (const from of [1, 40, 77, 78]) expect(await order(data, 5, 2, 300, { from })).toEqual(whole.slice(from * 64));
  });

  it("leaves a short last batch out on request, and counts batches from where it began", async () => {
    const indexes: number[] = [];
    const sizes = new Set<number>();
    for await (const batch of (await open()).batches({ split: "train", size: 64, from: 3, dropLast: true })) {
      indexes.push(batch.index);
      sizes.add(batch.rows);
    }
    expect(indexes).toEqual(
      range(Math.floor(rows / 64))
        .slice(3)
        .map((n) => n - 1),
    );
    expect([...sizes]).toEqual([64]);
  });

  it("is the same for a file of many row groups that is read anew as for one that is kept", async () => {
    const database = await Database.open(folder.path);
    const values = "SELECT CAST(hash(i) % 100000 AS INTEGER) AS a FROM range(60000) t(i)";
    await database.run(`COPY (${values}) TO '${folder.path}/groups.parquet' (FORMAT parquet, ROW_GROUP_SIZE 2048)`);
    database.close();
    const yaml = "source: groups.parquet\nsplits: { test: { every: 3 } }\ninputs:\n  x: { column: a, scale: standard }\n";
    const [kept, anew] = [await folder.require(contract, yaml), await folder.require(contract, yaml, { keepBytes: 0 })];
    expect(anew.statistics).toEqual(kept.statistics);
    const whole = await rowsOf(kept);
    expect(whole.row).toEqual(range(60_000).filter((row) => row % 3 !== 0));
    for (let pass = 0; pass < 3; pass++) expect(await rowsOf(anew)).toEqual(whole);
    expect(await order(anew, 1, 0, 500)).toEqual(await order(kept, 1, 0, 500));
  });

  it("of a query keeps its order from epoch to epoch", async () => {
    const yaml = "source: { query: SELECT (i * 7919) % 5003 AS a FROM range(5000) t(i) ORDER BY a }\ninputs:\n  x: a\n";
    const data = await folder.require(contract, yaml);
    expect((await rowsOf(data)).x).toEqual((await rowsOf(data)).x);
    expect(await order(data, 1, 0, 100)).toEqual(await order(data, 1, 0, 100));
  });
});

describe("prefetch", () => {
  async function* counted(started: number[], total: number, failAt = Number.POSITIVE_INFINITY): AsyncGenerator<number> {
    for (let i = 0; i < total; i++) {
      started.push(i);
      if (i === failAt) throw new Error("no more");
      yield i;
    }
  }

  it("asks for the next item before the one at hand is done with", async () => {
    const started: number[] = [];
    for await (const item of prefetch(counted(started, 5))) {
      await new Promise((done) => setImmediate(done));
      expect(started).toContain(Math.min(4, item + 1));
      expect(started.length).toBeLessThanOrEqual(item + 3);
    }
    expect(started).toEqual([0, 1, 2, 3, 4]);
  });

  it("throws a failure in its turn", async () => {
    const seen: number[] = [];
    const reading = async () => {
      for await (const item of prefetch(counted([], 5, 3))) seen.push(item);
    };
    await expect(reading()).rejects.toThrow("no more");
    expect(seen).toEqual([0, 1, 2]);
  });

  it("ends its source when the reader stops", async () => {
    let ended = false;
    async function* endless(): AsyncGenerator<number> {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        ended = true;
      }
    }
    for await (const item of prefetch(endless())) if (item === 2) break;
    expect(ended).toBe(true);
  });
});

describe("statistics", () => {
  const yaml = "source: rows.csv\ninputs:\n  x: { column: a, scale: [symlog, standard] }\n";

  it("travel as JSON, and are applied to other rows as they are", async () => {
    const trained = folder.write("train.csv", "a\n1\n2\n3\n");
    const other = folder.write("new.csv", "a\n100\n");
    const first = await folder.require(contract, yaml, { files: [trained] });
    const diagnostics: Diagnostic[] = [];
    const stored = preparationFromJson("stats.json", preparationToJson(first.preparation), diagnostics);
    expect(diagnostics).toEqual([]);
    expect(stored?.statistics).toEqual(first.statistics);
    if (stored === null) return;
    const { data } = await Dataset.open(contract, stored.mapping, { folder: folder.path, files: [other], statistics: stored.statistics });
    const logs = [2, 3, 4].map(Math.log);
    const mean = logs.reduce((sum, value) => sum + value) / 3;
    const deviation = Math.sqrt(logs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3);
    expect(data).not.toBeNull();
    if (data !== null) expect((await rowsOf(data)).x).toEqual([Math.fround((Math.log(101) - mean) / deviation)]);
    data?.close();
  });

  it("of another mapping are an error", async () => {
    folder.write("train.csv", "a\n1\n2\n");
    const text = yaml.replace("rows.csv", "train.csv");
    const { data, findings } = await folder.open(contract, text, { statistics: { rows: 1, moments: {}, vocabularies: {} } });
    expect(data).toBeNull();
    expect(findings.join()).toContain("error data/statistics: train.csv: the statistics have nothing for `x`");
  });

  it.each([
    ["no JSON", "{", "this is not JSON"],
    ["nothing of ours", "{}", "this holds no mapping with statistics"],
    ["a later version", '{"version": 9, "mapping": {}, "statistics": {}}', "version 9 of the statistics is not known"],
  ])("in a file that has %s are an error", (_, text, expected) => {
    const diagnostics: Diagnostic[] = [];
    expect(preparationFromJson("stats.json", text, diagnostics)).toBeNull();
    expect(diagnostics[0]?.message).toContain(`stats.json: ${expected}`);
  });

  it("run along as two passes would have it, far from zero too", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: -1e3, max: 1e3, noNaN: true }), { minLength: 2, maxLength: 50 }), (values) => {
        const shifted = values.map((value) => value + 1e6);
        const running = new RunningMoments(1);
        for (const value of shifted) running.add(0, value);
        const mean = shifted.reduce((sum, value) => sum + value, 0) / values.length;
        const variance = shifted.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
        const { moments, constants } = running.finish();
        expect(moments.mean[0]).toBeCloseTo(mean, 6);
        if (constants.length === 0 && variance > 1e-6) expect((moments.deviation[0] ?? 0) / Math.sqrt(variance)).toBeCloseTo(1, 5);
      }),
    );
  });

  it("are undone for predictions", () => {
    const moments = { mean: [0.5], deviation: [2] };
    fc.assert(
      fc.property(fc.double({ min: -0.99, max: 1e4, noNaN: true }), (value) => {
        for (const steps of [["standard"], ["log"], ["symlog"], ["log", "standard"], ["symlog", "standard"]] as const) {
          const prepared = compress(value, steps);
          const scaled = (steps as readonly string[]).includes("standard") ? (prepared - 0.5) / 2 : prepared;
          expect(unscale(scaled, steps, moments, 0)).toBeCloseTo(value, 6);
        }
      }),
    );
  });
});

it("says how to install DuckDB where it is missing", async () => {
  vi.doMock("@duckdb/node-api", () => {
    throw new Error("Cannot find package '@duckdb/node-api'");
  });
  vi.resetModules();
  const { Database: Fresh } = await import("../../runtime/data/duckdb.ts");
  await expect(Fresh.open(folder.path)).rejects.toThrow("reading data needs the package @duckdb/node-api: npm install @duckdb/node-api");
  const { runCli } = await import("../cli/run-cli.ts");
  const { code, stdout, stderr } = await runCli(["synth", "specs/mmoe.ple", "--rows", "5", "-o", `${folder.path}/m.parquet`]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(/^plec: reading data needs the package @duckdb\/node-api: npm install @duckdb\/node-api \(.*\)\n$/);
  expect(existsSync(`${folder.path}/m.parquet`)).toBe(false);
  vi.doUnmock("@duckdb/node-api");
  vi.resetModules();
});

it("downloads no extension", async () => {
  const database = await Database.open(folder.path);
  const [setting] = await database.rows("SELECT current_setting('autoinstall_known_extensions') AS value");
  expect(setting?.value).toBe(false);
  database.close();
});
