import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parse as parseCsv } from "csv-parse/sync";
import { afterAll, describe, expect, it } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { contractOf } from "../../runtime/data/contract.ts";
import { Database } from "../../runtime/data/duckdb.ts";
import { mappingText } from "../../runtime/data/mapping-text.ts";
import { planCustomers, type SynthPlan } from "../../runtime/synth/plan.ts";
import { namedStream, normalQuantile, normalShare, normals } from "../../runtime/synth/random.ts";
import { writeCustomers } from "../../runtime/synth/write-table.ts";
import { runCli } from "../cli/run-cli.ts";
import { DataFolder, modelFor, rowsOf } from "../data/open-data.ts";
import { modelOf } from "../specs/checked-specs.ts";
import { leastSquaresFit } from "./least-squares.ts";

const folder = new DataFolder();
afterAll(() => folder.remove());

const model = modelFor(`import { Dense, Tower } from "std/layers"
import { bce, mse, nll, info_nce } from "std/losses"
model M {
  dim T
  input columns: f32[B, 12] { own: 8, both: 4 }
  input place: f32[B, 10]?
  input days: f32[B, 20, 3]?
  input points: f32[B, 16, 3]?
  input points_mask: f32[B, 16]? = 1
  input group: id[B] of 5
  input groups: f32[B, 5]?
  input clicked: bool[B]
  input words: id[B, T] of 30
  input words_mask: f32[B, T]
  experts shared {
    left = Dense(concat([columns, place]), [4])
    right = Dense(concat([columns.both, flatten(days), flatten(points), points_mask]), [4])
    ids = Dense(concat([embedding(group, 4), groups, f32(clicked)[.., none], masked_mean(embedding(words, 4), words_mask)]), [4])
  }
  task bought: binary { loss: bce, positives: 0.03, prefer: [left] }
  task amount: regression { loss: mse, prefer: [right] }
  task both: regression(2) { loss: mse, prefer: [left, right] }
  task stage: classes(4) { loss: nll, prefer: [ids] }
  task next: embedding(6) { loss: info_nce(tau: 0.1), prefer: [left] }
  task other: binary { loss: bce }
  task off: binary { loss: bce, enabled: false }
  flow per task { return concat(shared) |> Tower(task.width, [4]) }
}
`);

const options = { rows: 4000, seed: 3, missing: 0.1 };
const plan = planCustomers(model, options);
const path = join(folder.path, "c.parquet");

async function query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const database = await Database.open(folder.path);
  try {
    return await database.rows(sql);
  } finally {
    database.close();
  }
}

async function numbers(sql: string): Promise<readonly (readonly number[])[]> {
  return (await query(sql)).map((row) => Object.values(row).map(Number));
}

describe("a plan", () => {
  it("gives each expert the columns that it reads and the fewest others do", () => {
    const named = Object.fromEntries(
      plan.sources.map(({ name, columns }) => [name, columns.map(({ input, start, width }) => `${input} ${start} ${width}`)]),
    );
    expect(named).toEqual({
      left: ["columns 0 8", "place 0 10"],
      right: ["days 0 1", "points 0 1"],
      ids: ["group 0 1", "clicked 0 1", "words 0 1"],
    });
    expect(plan.experts).toEqual({ left: "left", right: "right", ids: "ids" });
  });

  it("gives each task the experts that it prefers, or the one whose turn it is; none to a disabled one", () => {
    expect(plan.tasks.map(({ name, experts, positives }) => [name, experts, positives])).toEqual([
      ["bought", ["left"], 0.03],
      ["amount", ["right"], null],
      ["both", ["left", "right"], null],
      ["stage", ["ids"], null],
      ["next", ["left"], null],
      ["other", ["left"], 0.5],
    ]);
  });
});

describe("conversions", () => {
  const shop = modelOf(checkFile("examples/customers/customers.ple"));
  const planned = planCustomers(shop, options);

  it("follow the clicks that an edge brings them, and nothing else follows anything", () =>
    expect(planned.tasks.flatMap(({ name, follows }) => (follows === null ? [] : [[name, follows]]))).toEqual([["order", "click"]]));

  it("come with a click", async () => {
    await writeCustomers(shop, planned, join(folder.path, "shop.parquet"), "parquet");
    const [row = []] = await numbers('SELECT sum(click), sum("order"), sum(click * "order") FROM \'shop.parquet\'');
    const [clicks = 0, orders = 0, both = 0] = row;
    expect([clicks, orders]).toEqual([0.2 * options.rows, 0.1 * options.rows]);
    expect(both).toBe(orders);
  });
});

describe("customers", () => {
  it("are written, and read by the mapping without a finding", async () => {
    await writeCustomers(model, plan, path, "parquet");
    const { data, findings } = await folder.open(contractOf(model), mappingText(model, "c.parquet"));
    expect(findings).toEqual([]);
    expect(data?.splits).toEqual([
      { name: "train", rows: 3200 },
      { name: "test", rows: 800 },
    ]);
  });

  it("have as many positives as stated, all classes, regressions around 0 with variance 1, and embeddings of length 1", async () => {
    const [row = []] = await numbers(
      "SELECT sum(bought), sum(other), count(DISTINCT stage), min(stage), max(stage), avg(amount), var_pop(amount) FROM 'c.parquet'",
    );
    expect(row.slice(0, 5)).toEqual([120, 2000, 4, 0, 3]);
    expect(Math.abs(row[5] ?? 1)).toBeLessThan(0.08); // five deviations of a mean of 4,000
    expect(Math.abs((row[6] ?? 0) - 1)).toBeLessThan(0.15);
    const [length = []] = await numbers(
      "SELECT min(l), max(l) FROM (SELECT sqrt(list_sum(list_transform(next, lambda v: v * v))) AS l FROM 'c.parquet')",
    );
    for (const value of length) expect(Math.abs(value - 1)).toBeLessThan(0.03);
  });

  it("lack each optional input in a tenth of the rows, and others never", async () => {
    const names = ["columns", "place", "days", "points", "groups", "group", "clicked", "words"];
    const counts = names.map((name) => `count("${name}")`).join(", ");
    const [present = []] = await numbers(`SELECT ${counts} FROM 'c.parquet'`);
    for (const [i, name] of names.entries()) {
      const missing = 1 - (present[i] ?? 0) / options.rows;
      if (["place", "days", "points", "groups"].includes(name)) expect(Math.abs(missing - 0.1)).toBeLessThan(0.025);
      else expect(missing).toBe(0);
    }
  });

  it("have diagrams of intervals in 0..1, sequences of several lengths without empty steps, shares of sum 1, points within the ball", async () => {
    const [diagram = []] = await numbers(
      "SELECT min(p[1]), max(p[2]), min(p[2] - p[1]), max(p[3]), count(DISTINCT p[3]) FROM (SELECT unnest(points) AS p FROM 'c.parquet')",
    );
    expect(diagram[0]).toBeGreaterThanOrEqual(0);
    expect(diagram[1]).toBeLessThanOrEqual(1);
    expect(diagram[2]).toBeGreaterThan(0);
    expect(diagram.slice(3)).toEqual([1, 2]);
    const [days = []] = await numbers("SELECT min(len(days)), max(len(days)) FROM 'c.parquet'");
    expect(days[1]).toBe(20);
    expect(days[0]).toBeGreaterThanOrEqual(5);
    expect(days[0]).toBeLessThan(10);
    const [empty = []] = await numbers("SELECT count(*) FROM (SELECT unnest(days) AS d FROM 'c.parquet') WHERE d = [0, 0, 0]");
    expect(empty).toEqual([0]);
    const [shares = []] = await numbers("SELECT min(list_sum(groups)), max(list_sum(groups)) FROM 'c.parquet'");
    expect(shares).toEqual([1, 1]);
    const [ball = []] = await numbers("SELECT max(sqrt(list_sum(list_transform(place, lambda v: v * v)))) FROM 'c.parquet'");
    expect(ball[0]).toBeLessThan(1);
    const [ids = []] = await numbers('SELECT min("group"), max("group"), count(DISTINCT "group") FROM \'c.parquet\'');
    expect(ids).toEqual([0, 4, 5]);
  });

  it("follow the inputs of their experts and no others: what a linear fit explains of a label", async () => {
    const list = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}[${i + 1}]`);
    const day = Array.from({ length: 3 }, (_, i) => `list_avg(list_transform(days, lambda d: d[${i + 1}]))`);
    const left = [...list("columns", 8), ...list("place", 10)];
    const explained = async (label: string, columns: readonly string[]) => {
      const rows = await numbers(`SELECT ${label}, ${columns.join(", ")} FROM 'c.parquet' WHERE place IS NOT NULL AND days IS NOT NULL`);
      return leastSquaresFit(
        rows.map(([, ...features]) => features),
        rows.map(([value = 0]) => value),
      );
    };
    const noise = 0.02;
    expect(await explained("amount", day)).toBeGreaterThan(0.3);
    expect(await explained("amount", left)).toBeLessThan(noise);
    expect(await explained("amount", list("columns[9:12]", 4))).toBeLessThan(noise);
    expect(await explained("bought", left)).toBeGreaterThan(0.1);
    expect(await explained("bought", day)).toBeLessThan(noise);
    expect(await explained("next[1]", left)).toBeGreaterThan(0.6);
    expect(await explained('"both"[1]', left)).toBeGreaterThan(0.2);
    expect(await explained('"both"[1]', day)).toBeGreaterThan(0.1);
    const groups = Array.from({ length: 4 }, (_, i) => `("group" = ${i})::INT`);
    const best = await Promise.all([0, 1, 2, 3].map((stage) => explained(`(stage = ${stage})::INT`, groups)));
    expect(Math.max(...best)).toBeGreaterThan(0.05);
    expect(await explained("amount", groups)).toBeLessThan(noise);
  });
});

describe("a file of customers", () => {
  const digest = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(folder.path, name)))
      .digest("hex");
  const write = async (name: string, change: Partial<typeof options>, format: "parquet" | "csv" = "csv"): Promise<SynthPlan> => {
    const changed = planCustomers(model, { ...options, rows: 300, ...change });
    await writeCustomers(model, changed, join(folder.path, name), format);
    return changed;
  };

  it("is the same for the same plan, and another for another seed", async () => {
    await write("1.csv", {});
    await write("2.csv", {});
    await write("3.csv", { seed: 4 });
    expect(digest("2.csv")).toBe(digest("1.csv"));
    expect(digest("3.csv")).not.toBe(digest("1.csv"));
  });

  it("holds the same values as CSV, which another reader reads, and as Parquet with the plan in its metadata", async () => {
    const written = await write("t.parquet", {}, "parquet");
    await write("t.csv", {});
    const [metadata] = await query("SELECT decode(value) AS text FROM parquet_kv_metadata('t.parquet') WHERE decode(key) = 'plec_synth'");
    expect(JSON.parse(String(metadata?.text))).toEqual(JSON.parse(JSON.stringify(written)));
    const rows: readonly Readonly<Record<string, string>>[] = parseCsv(readFileSync(join(folder.path, "t.csv")), { columns: true });
    expect(rows).toHaveLength(300);
    const data = await folder.require(contractOf(model), mappingText(model, "t.parquet"));
    const same = await folder.require(contractOf(model), mappingText(model, "t.csv"));
    const read = await rowsOf(data, { split: "test" });
    expect(await rowsOf(same, { split: "test" })).toEqual(read);
    expect(read["label/amount"]).toEqual(rows.filter((_, i) => (i + 1) % 5 === 0).map(({ amount }) => Math.fround(Number(amount))));
  });
});

const specs = readdirSync("specs").filter((name) => name.endsWith(".ple"));
it.each(specs)("makes customers for %s that its mapping reads", { timeout: 30_000 }, async (spec) => {
  const name = basename(spec, ".ple");
  const [table, mapping] = [join(folder.path, `${name}.parquet`), join(folder.path, `${name}.yaml`)];
  const made = await runCli(["synth", join("specs", spec), "--rows", "400", "-o", table, "--mapping", mapping, "--json"]);
  expect({ code: made.code, stderr: made.stderr }).toEqual({ code: 0, stderr: "" });
  const checked = modelOf(checkFile(join("specs", spec)));
  const { data, findings } = await folder.open(contractOf(checked), readFileSync(mapping, "utf8"));
  expect(findings.filter((text) => !text.includes("data/one-class"))).toEqual([]);
  expect(data?.splits).toEqual([
    { name: "train", rows: 320 },
    { name: "test", rows: 80 },
  ]);
  const rates = JSON.parse(made.stdout).plan.tasks.flatMap(({ name: task, positives }: SynthPlan["tasks"][number]) =>
    positives === null ? [] : [[task, positives]],
  );
  for (const [task, rate] of rates as readonly (readonly [string, number])[]) {
    const known = data?.labels.filter((label) => label.task === task) ?? [];
    expect(known.reduce((sum, { mean, known: count }) => sum + (mean ?? 0) * count, 0)).toBe(Math.max(1, Math.round(400 * rate)));
  }
});

it("says what it cannot do", async () => {
  const spec = join("specs", "mmoe.ple");
  const out = join(folder.path, "x.parquet");
  for (const [argv, expected] of [
    [["--rows", "5", "-o", join(folder.path, "x.txt")], "customers are written as .parquet, .csv or .csv.gz"],
    [["--rows", "0", "-o", out], "--rows 0 makes nobody"],
    [["--rows", "99999999999", "-o", out], "--rows makes up to 10,000,000; another --seed makes others"],
    [["--rows", "5", "-o", out, "--missing", "1"], "--missing is a share from 0 up and below 1"],
    [["--rows", "many", "-o", out], "A whole number is expected."],
    [["--rows", "5", "-o", join(spec, "x.parquet")], "cannot write"],
  ] as const) {
    const { code, stderr } = await runCli(["synth", spec, ...argv]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(expected) });
  }
});

describe("random numbers", () => {
  it("are normal: quantiles against tabled ones, moments, and the share below", () => {
    for (const [p, z] of [
      [0.5, 0],
      [0.975, 1.959963984540054],
      [0.999, 3.090232306167813],
      [0.001, -3.090232306167813],
      [0.25, -0.6744897501960817],
    ] as const) {
      expect(normalQuantile(p)).toBeCloseTo(z, 7);
      expect(normalShare(z)).toBeCloseTo(p, 3);
    }
    const draw = normals(namedStream(1, "test"));
    const values = Array.from({ length: 20_000 }, draw);
    const moment = (power: number) => values.reduce((sum, value) => sum + value ** power, 0) / values.length;
    expect(Math.abs(moment(1))).toBeLessThan(0.036); // five deviations
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.05);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.35);
  });

  it("depend on the seed and the name", () => {
    const first = (seed: number, name: string) => namedStream(seed, name)();
    expect(first(1, "a")).toBe(first(1, "a"));
    expect(new Set([first(1, "a"), first(2, "a"), first(1, "b"), first(1, "ab")]).size).toBe(4);
  });
});
