import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { DuckDBInstance } from "@duckdb/node-api";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { files, rows, shop } from "./shop.ts";

const folder = temporaryFolder({
  ...files,
  "shop.ple": shop({ task: "task taste: embedding(3) { loss: info_nce(tau: 0.5), weight: 0.1 }" }).replace(
    "huber, nll",
    "huber, info_nce, nll",
  ),
  "data.yaml": `${files["data.yaml"]}  taste: "[a, b, c]"\n`,
  "march.csv": rows(20)
    .replaceAll(/,(true|false|),(none|few|some|many|all),.*$/gm, "")
    .replace(",click,basket,amount", ""),
});
afterAll(() => folder.remove());
const path = folder.path;

async function plec(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await runCli(args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout;
}

beforeAll(async () => {
  mkdirSync(path("folder.csv"));
  await plec("train", path("shop.ple"), "--data", path("data.yaml"), "--out", path("run"), "--epochs", "2");
});

const csv = (name: string) => parse(readFileSync(path(name), "utf8"), { columns: true }) as readonly Readonly<Record<string, string>>[];

describe("plec predict", () => {
  it("writes rows of a split as CSV, with columns of the data", async () => {
    expect(
      await plec("predict", path("run"), "--data", path("data.yaml"), "--split", "test", "-o", path("test.csv"), "--keep", "shelf,a"),
    ).toBe(`${path("test.csv")}: 48 rows, 4 tasks\n`);
    const written = csv("test.csv");
    const source = csv("shop.csv");
    expect(Object.keys(written[0] ?? {})).toEqual(["row", "shelf", "a", "click", "basket", "basket_probabilities", "amount", "taste"]);
    expect(written.map(({ row }) => Number(row))).toEqual(Array.from({ length: 48 }, (_, i) => 5 * (i + 1)));
    for (const { row, shelf, a } of written)
      expect([shelf, Number(a)]).toEqual([source[Number(row) - 1]?.shelf, Number(source[Number(row) - 1]?.a)]);
    for (const { basket, basket_probabilities } of written) {
      const probabilities = JSON.parse(basket_probabilities ?? "") as number[];
      expect(Number(basket)).toBe(probabilities.indexOf(Math.max(...probabilities)));
      expect(probabilities.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    }
  });

  it("takes all rows of a file, without labels, prepared as the training rows were", async () => {
    await plec("predict", path("run"), "--data", path("march.csv"), "-o", path("march.parquet"));
    await plec("predict", path("run"), "--data", path("data.yaml"), "-o", path("all.csv"));
    const connection = await (await DuckDBInstance.create(":memory:")).connect();
    const march = (await connection.runAndReadAll(`SELECT * FROM '${path("march.parquet")}'`)).getRowObjects();
    expect(march).toHaveLength(20);
    const all = csv("all.csv");
    expect(all).toHaveLength(240);
    for (const [i, row] of march.entries()) expect(row.click).toBeCloseTo(Number(all[i]?.click), 6);
    connection.closeSync();
  });

  it("gives what the compiled model gives, as ONNX and as a GraphModel", async () => {
    await plec("predict", path("run"), "--data", path("data.yaml"), "-o", path("predicted.csv"));
    await plec("compile", path("shop.ple"), "--weights", path("run"), "-o", path("shop.onnx"));
    await plec(
      "compile",
      path("shop.ple"),
      "--weights",
      path("run/checkpoints/best.safetensors"),
      "--target",
      "tfjs",
      "-o",
      path("graph-model"),
    );
    const source = csv("shop.csv");
    const train = source.filter((_, i) => (i + 1) % 5 !== 0);
    // The preparation, computed here by hand: standardised by the training rows, ids by frequency.
    const standard = (["a", "b", "c"] as const).map((name) => {
      const values = train.map((row) => Number(row[name]));
      const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
      const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length);
      return (row: Readonly<Record<string, string>>) => (Number(row[name]) - mean) / deviation;
    });
    const counts = new Map<string, number>();
    for (const { shelf = "" } of train) counts.set(shelf, (counts.get(shelf) ?? 0) + 1);
    const shelves = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).map(([shelf]) => shelf);
    const prepared = source.map((row) => ({ x: standard.map((of) => of(row)), shelf: shelves.indexOf(row.shelf ?? "") + 1 }));
    writeFileSync(path("rows.json"), JSON.stringify(prepared));
    const predicted = csv("predicted.csv");
    for (const [model, ...options] of [["shop.onnx"], ["graph-model", "--backend", "wasm"]] as const) {
      const { predictions } = JSON.parse(
        (await runCli(["run", path(model), "--input", path("rows.json"), "--json", ...options])).stdout,
      ) as {
        readonly predictions: Readonly<Record<"click" | "amount", readonly number[]>> &
          Readonly<Record<"basket" | "taste", readonly (readonly number[])[]>>;
      };
      for (const [i, row] of predicted.entries()) {
        expect(predictions.click[i]).toBeCloseTo(Number(row.click), 5);
        expect(predictions.amount[i]).toBeCloseTo(Number(row.amount), 5);
        const lists = [row.basket_probabilities, row.taste].map((text) => JSON.parse(text ?? "") as number[]);
        for (const [j, list] of [predictions.basket[i], predictions.taste[i]].entries())
          for (const [k, value] of (list ?? []).entries()) expect(value).toBeCloseTo(lists[j]?.[k] ?? Number.NaN, 5);
      }
    }
  });

  it("evaluates to what a run measured at its end", async () => {
    const lines = readFileSync(path("run/metrics.jsonl"), "utf8").trim().split("\n");
    const epochs = lines.map((line) => JSON.parse(line)).filter(({ kind }) => kind === "epoch");
    const { splits } = JSON.parse(await plec("eval", path("run"), "--data", path("data.yaml"), "--checkpoint", "last", "--json"));
    expect(splits).toEqual(epochs.at(-1).splits);
    expect(await plec("eval", path("run"), "--data", path("shop.csv"))).toMatch(
      /^Shop, best weights, after step \d+\n.*recall@10.*\nall +click +20\d /,
    );
  });

  it.each([
    [["predict", "run", "--data", "data.yaml", "-o", "x.txt"], 2, /predictions are written as \.parquet or \.csv/],
    [["predict", "run", "--data", "data.yaml", "-o", "none/x.csv"], 2, /there is no folder .*none/],
    [["predict", "run", "--data", "data.yaml", "-o", "x.csv", "--keep", "shelff"], 2, /has no such column; did you mean shelf\?/],
    [
      ["predict", "run", "--data", "data.yaml", "-o", "x.csv", "--keep", "click"],
      2,
      /--keep click: the predictions have a column of that name/,
    ],
    [["predict", "run", "--data", "data.yaml", "-o", "x.csv", "--keep", "a,a"], 2, /--keep names a twice/],
    [["predict", "run", "--data", "data.yaml", "-o", "folder.csv"], 2, /cannot write .*folder\.csv: it is a folder/],
    [["predict", "nowhere", "--data", "data.yaml", "-o", "x.csv"], 2, /nowhere is no run of `plec train`/],
    [["eval", "run", "--data", "data.yaml", "--split", "valid"], 2, /has no split valid; it has train, test/],
    [["eval", "run", "--data", "march.csv", "--split", "test"], 2, /--split goes with a mapping/],
    [["eval", "run", "--data", "march.csv"], 1, /"?click\\?"? not found[\s\S]*march\.csv has no column `basket`/],
  ] as const)("%j exits with %d", async (args, code, message) => {
    const known = new Set(["predict", "eval", "test", "valid", "shelff", "click", "a,a"]);
    const result = await runCli(args.map((arg) => (arg.startsWith("-") || known.has(arg) ? arg : path(arg))));
    expect(result.stderr).toMatch(message);
    expect(result.code).toBe(code);
  });
});
