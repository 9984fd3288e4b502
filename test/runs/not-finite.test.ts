import { readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import type { RunRecord } from "../../runtime/runs/records.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { mapping, rows, shop, tensorsOf } from "./shop.ts";

/** A term that is finite up to the middle of the second epoch; it stands in line 22. */
const late = shop({
  task: "penalty late = 0.01 * log(1.5 - epoch)",
  train: 'optimizer: adamw(lr: 0.01), batch: 32, phases: [phase("joint", epochs: 3)]',
});
const line = late.split("\n").findIndex((text) => text.includes("penalty late")) + 1;
const column = (late.split("\n")[line - 1]?.indexOf("log(") ?? 0) + 1;

/** A run takes a second, and many times that on a machine with other things to do. */
const slow = { timeout: 60_000 };

const folder = temporaryFolder({
  "late.ple": late,
  "until.ple": late.replace("epochs: 3", "epochs: 1"),
  "parts.ple": late.replace("batch: 32", "batch: 16, accumulate: 2, adatt: adatt(warmup: 0, every: 2)"),
  "root.ple": shop({
    task: "penalty root = mean(1 / (all * all * 1e-20 + 1e-21), axis: [0, 1])",
    train: 'optimizer: adamw(lr: 0.01), batch: 32, phases: [phase("joint", epochs: 1)]',
  }),
  "steep.ple": shop({ train: "optimizer: sgd(lr: 1e30), batch: 32" }),
  "data.yaml": mapping,
  "shop.csv": rows(),
});
afterAll(() => folder.remove());

const train = (spec: string, run: string, ...options: readonly string[]) =>
  runCli(["train", folder.path(spec), "--data", folder.path("data.yaml"), "--out", folder.path(run), ...options]);

function recordsOf(run: string): readonly RunRecord[] {
  const lines = readFileSync(folder.path(`${run}/metrics.jsonl`), "utf8")
    .trim()
    .split("\n");
  return lines.map((text) => JSON.parse(text) as RunRecord);
}

const checkpoint = (run: string, name: string) => tensorsOf(folder.path(`${run}/checkpoints/${name}.safetensors`));

describe.each([
  ["ort", "late.ple", []],
  ["tfjs", "late.ple", ["--engine", "tfjs", "--backend", "wasm"]],
  ["in parts", "parts.ple", []],
] as const)("a loss that becomes NaN in the second epoch (%s)", slow, (name, spec, options) => {
  it("stops the run and names the op with its place", async () => {
    const { code, stdout, stderr } = await train(spec, name, ...options);
    expect(code).toBe(1);
    expect(stdout).toContain("epoch 1 of 3");
    expect(stdout).not.toContain("epoch 2 of 3");
    expect(stderr).toMatch(/^plec: training stopped at step \d+: not a finite number: .*metric\/total/);
    expect(stderr).toMatch(new RegExp(`${spec}:${line}:${column} error train/not-finite: log in \`late/log\` made (an infinity|NaN)\n`));
    expect(stderr).toContain(`   ${line} │   penalty late = 0.01 * log(1.5 - epoch)\n`);
    expect(stderr).toContain("help: Keep the op's operand where it is defined");
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it("keeps the checkpoints of the epoch before", async () => {
    if (name === "ort") {
      await train("until.ple", "until");
      for (const kept of ["last", "best"]) {
        const [before, after] = [checkpoint("until", kept), checkpoint(name, kept)];
        expect(Object.keys(after).length).toBeGreaterThan(10);
        expect(after).toEqual(before);
      }
    }
    for (const kept of ["last", "best"]) {
      const { code, stdout } = await runCli([
        "eval",
        folder.path(name),
        "--data",
        folder.path("data.yaml"),
        "--checkpoint",
        kept,
        "--json",
      ]);
      expect(code).toBe(0);
      expect(JSON.parse(stdout).splits.test.amount.rmse).toBeGreaterThan(0);
    }
  });

  it("is in the records and the report", () => {
    const last = recordsOf(name).at(-1);
    expect(last).toMatchObject({
      kind: "event",
      event: "not_finite",
      text: expect.stringMatching(/: log at late\/log made (an infinity|NaN)$/),
    });
    const html = readFileSync(folder.path(`${name}/report.html`), "utf8");
    expect(html).toMatch(/log at late\/log made (an infinity|NaN)/);
  });
});

it("a gradient that is none is named by the op that it is the gradient of, to people and to machines", slow, async () => {
  const { code, stdout, stderr } = await train("root.ple", "root", "--json");
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /root\.ple:18:\d+ error train\/not-finite: the gradient \(\w+\) in `root\/\S+` made (NaN|an infinity) on the way back\n/,
  );
  expect(stderr).toContain("mean(1 / (all * all * 1e-20 + 1e-21), axis: [0, 1])");
  expect(JSON.parse(stdout)).toMatchObject({
    outcome: "not_finite",
    terms: ["metric/gradient_norm"],
    origin: { path: expect.stringMatching(/^gradient\/root\//), file: folder.path("root.ple"), line: 18 },
  });
});

it("an op of the library comes with the place that called it, and what to do where numbers have grown", slow, async () => {
  const { code, stderr } = await train("steep.ple", "steep");
  expect(code).toBe(1);
  expect(stderr).toMatch(/std\/\w+\.ple:\d+:\d+ error train\/not-finite: \w+ in `\S+` made (NaN|an infinity)\n/);
  expect(stderr).toMatch(/note \S*steep\.ple:\d+:\d+: called from here\n/);
  expect(stderr).toContain("lower the learning rate or set `clip`");
});
