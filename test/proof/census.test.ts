import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse as parseYaml } from "yaml";
import type { SplitMetrics } from "../../runtime/runs/records.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";

const folder = temporaryFolder();
afterAll(() => folder.remove());

const mapping = "examples/census/census.yaml";

beforeAll(() => {
  const { source } = parseYaml(readFileSync(mapping, "utf8")) as { readonly source: string };
  const path = join("examples/census", source);
  expect(existsSync(path), `the census data are missing: put census-income.csv.gz at ${path} (examples/census/README.md)`).toBe(true);
});

/** Area under the curve from mean ranks: another way than the one under test. */
function aucByRanks(rows: readonly { readonly score: number; readonly positive: boolean }[]): number {
  const sorted = rows.toSorted((a, b) => a.score - b.score);
  let sum = 0;
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (end < sorted.length && sorted[end]?.score === sorted[i]?.score) end += 1;
    for (let at = i; at < end; at++) if (sorted[at]?.positive === true) sum += (i + 1 + end) / 2;
    i = end;
  }
  const positives = rows.filter(({ positive }) => positive).length;
  return (sum - (positives * (positives + 1)) / 2) / (positives * (rows.length - positives));
}

describe.each(["mmoe", "ple"])("%s on the census data", (model) => {
  const run = folder.path(model);

  it("learns in two epochs what PyTorch learns in four", async () => {
    const { code, stdout, stderr } = await runCli([
      "train",
      `examples/census/${model}.ple`,
      "--data",
      mapping,
      "--out",
      run,
      "--epochs",
      "2",
      "--json",
    ]);
    expect(stderr).toContain("epoch 2 of 2");
    expect(code).toBe(0);
    const { splits } = JSON.parse(stdout) as { readonly splits: SplitMetrics };
    expect(splits.test?.income?.rows).toBe(15_962);
    expect(splits.test?.income?.auc).toBeGreaterThan(0.937);
    expect(splits.test?.never_married?.auc).toBeGreaterThan(0.993);
    for (const task of ["income", "never_married"] as const) {
      const metrics = splits.test?.[task];
      expect(metrics?.log_loss).toBeLessThan((metrics?.base_log_loss ?? 0) / 1.5);
      expect(metrics?.ece).toBeLessThan(0.03);
    }
  });

  it("predicts what it was measured by", async () => {
    const output = folder.path(`${model}.csv`);
    const predicted = await runCli(["predict", run, "--data", mapping, "--split", "test", "--keep", "income_50k", "-o", output]);
    expect(predicted.stderr).toBe("");
    const rows = parse(readFileSync(output, "utf8"), { columns: true }) as readonly {
      readonly income: string;
      readonly income_50k: string;
    }[];
    const auc = aucByRanks(rows.map((row) => ({ score: Number(row.income), positive: row.income_50k === "50000+" })));
    const { stdout } = await runCli(["eval", run, "--data", mapping, "--json"]);
    const { splits } = JSON.parse(stdout) as { readonly splits: SplitMetrics };
    expect(splits.test?.income?.auc).toBeCloseTo(auc, 5);
  });
});
