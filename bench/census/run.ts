/**
 * Census-Income by plec and by PyTorch, over three seeds: AUC on the held-out rows after four epochs, and training rows per second. One process at a time.
 * Needs Debian's python3-torch. `npm run bench:census`; with a number, so many seeds.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { formatTable } from "../../cli/table.ts";
import type { EpochRecord, RunDescription, RunRecord } from "../../runtime/runs/records.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const examples = join(root, "examples/census");
const mapping = join(examples, "census.yaml");
const epochs = 4;
const seeds = Number(process.argv[2] ?? 3);

interface Result {
  readonly auc: Readonly<Record<"income" | "never_married", number>>;
  readonly rowsPerSecond: number;
  readonly parameters: number;
}

function run(command: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8", cwd: root });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${status}:\n${stderr}`);
  return stdout;
}

function withPlec(model: string, seed: number): Result {
  const folder = mkdtempSync(join(tmpdir(), "plec-census-"));
  try {
    const out = join(folder, "run");
    const options = ["--data", mapping, "--out", out, "--seed", String(seed), "--epochs", String(epochs)];
    run(process.execPath, [join(root, "bin/plec.cjs"), "train", join(examples, `${model}.ple`), ...options]);
    const description = JSON.parse(readFileSync(join(out, "run.json"), "utf8")) as RunDescription;
    const lines = readFileSync(join(out, "metrics.jsonl"), "utf8").trim().split("\n");
    const records = lines.map((line) => JSON.parse(line) as RunRecord).filter((record): record is EpochRecord => record.kind === "epoch");
    const test = records.at(-1)?.splits.test;
    const seconds = records.reduce((sum, record) => sum + record.seconds, 0);
    const auc = { income: test?.income?.auc ?? Number.NaN, never_married: test?.never_married?.auc ?? Number.NaN };
    return { auc, rowsPerSecond: (epochs * (description.rows.train ?? 0)) / seconds, parameters: description.parameters };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function withPyTorch(model: string, seed: number): Result {
  const { source } = parse(readFileSync(mapping, "utf8")) as { readonly source: string };
  const printed = run("/usr/bin/python3", [
    join(root, "bench/census/pytorch.py"),
    join(examples, source),
    model,
    String(seed),
    String(epochs),
  ]);
  const { auc, rows_per_second, parameters } = JSON.parse(printed) as Pick<Result, "auc" | "parameters"> & {
    readonly rows_per_second: number;
  };
  return { auc, rowsPerSecond: rows_per_second, parameters };
}

const lines = [["model", "by", "seed", "parameters", "AUC income", "AUC never_married", "rows/s"]];
for (const model of ["mmoe", "ple"])
  for (const [by, train] of [
    ["plec", withPlec],
    ["PyTorch", withPyTorch],
  ] as const)
    for (let seed = 0; seed < seeds; seed++) {
      const { auc, rowsPerSecond, parameters } = train(model, seed);
      const speed = String(Math.round(rowsPerSecond / 100) * 100);
      lines.push([model, by, String(seed), String(parameters), auc.income.toFixed(4), auc.never_married.toFixed(4), speed]);
      console.error(lines.at(-1)?.join("  "));
    }
const [head = [], ...rows] = formatTable(lines, new Set([2, 3, 4, 5, 6]));
console.log([head, ...rows].join("\n"));
