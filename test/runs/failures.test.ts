import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { PlecProcess } from "./plec-process.ts";
import { files, mapping, rows, shop, tensorsOf } from "./shop.ts";

const folder = temporaryFolder({
  ...files,
  "other.ple": shop().replace("model Shop", "model Kiosk"),
  "changed.ple": shop().replace("[8], dropout", "[9], dropout"),
  "broken.ple": shop({ train: "optimizer: sgd(lr: 1e30), batch: 32, clip: 1e30" }),
  "frozen.ple": shop({ train: 'phases: [phase("a", epochs: 1, freeze: [nothing])]' }),
  "scaled.yaml": mapping.replace("scale: standard", "scale: symlog"),
  "fewer.yaml": mapping.replace("splits:", "where: a < 0.9\nsplits:"),
  "wrong.yaml": mapping.replace("shop.csv", "wrong.csv"),
  "wrong.csv": rows().replace(",few,", ",fewest,"),
  "column.yaml": mapping.replace("click: click", "click: clicks"),
});
afterAll(() => folder.remove());

const train = (
  run: string,
  { spec = "shop.ple", data = "data.yaml" }: { readonly spec?: string; readonly data?: string } = {},
  ...options: readonly string[]
) => runCli(["train", folder.path(spec), "--data", folder.path(data), "--out", folder.path(run), "--epochs", "2", ...options]);

const checkpoint = (run: string) => folder.path(`${run}/checkpoints/last.safetensors`);

beforeAll(async () => {
  const { code, stderr } = await train("run");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

/** A copy of the run, to be broken. */
function copyOf(name: string): string {
  cpSync(folder.path("run"), folder.path(name), { recursive: true });
  return name;
}

describe("wrong use", () => {
  it.each([
    ["a run in the way", "run", {}, [], 2, /run holds a run: go on with it by --resume, or name another folder/],
    ["a file in the way", "data.yaml", {}, [], 2, /data\.yaml is a file; name a folder for the run/],
    ["nothing to resume", "new", {}, ["--resume"], 2, /new holds no run to go on with; leave --resume out/],
    ["fewer epochs than there are", "run", {}, ["--resume", "--epochs", "1"], 2, /--epochs 1: .*run is in epoch 2 already/],
    ["another seed", "run", {}, ["--resume", "--seed", "9"], 2, /the run was begun with seed 0/],
    ["a backend for ONNX Runtime", "new", {}, ["--backend", "wasm"], 2, /--backend goes with --engine tfjs/],
    ["no mapping", "new", { data: "none.yaml" }, [], 2, /cannot read .*none.yaml: no such file or folder/],
    ["a wrong column", "new", { data: "column.yaml" }, [], 1, /clicks[\s\S]*did you mean `?click/],
    ["a plan that the model cannot follow", "new", { spec: "frozen.ple" }, [], 1, /nothing/],
  ] as const)("%s", async (_, run, what, options, code, message) => {
    const result = await train(run, what, ...options);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/internal error|\n\s+at /);
    expect(result.code).toBe(code);
  });
});

describe("a checkpoint", () => {
  const bytesOf = () => readFileSync(checkpoint("run"));

  it.each([
    ["of another model", { spec: "other.ple" }, /last\.safetensors is of the model Shop, not of Kiosk/],
    [
      "of another version of the model",
      { spec: "changed.ple" },
      /is of another version of Shop: the spec, or a file that it imports, has changed since/,
    ],
    ["of another mapping", { data: "scaled.yaml" }, /scaled\.yaml is not the mapping that the run was begun with/],
    [
      "of other rows",
      { data: "fewer.yaml" },
      /fewer\.yaml is not the mapping that the run was begun with|rows, and the run was begun with 192/,
    ],
  ] as const)("%s is not gone on from, and stays as it was", async (_, what, message) => {
    const bytes = bytesOf();
    const { code, stderr } = await train("run", what, "--resume");
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
    expect(bytesOf().equals(bytes)).toBe(true);
  });

  const [head = "", first = "", second = "", ...others] = rows().split("\n");
  it.each([
    ["two rows that have changed places", [second, first]],
    ["another value", [first.replace(/^[^,]*/, "0.25"), second]],
    ["another label", [first.replace(/[^,]*$/, "0.25"), second]],
  ])("of data with %s is not gone on from", async (_, changed) => {
    writeFileSync(folder.path("shop.csv"), [head, ...changed, ...others].join("\n"));
    const { code, stderr } = await train("run", {}, "--resume");
    writeFileSync(folder.path("shop.csv"), rows());
    expect(stderr).toMatch(/the values or the order of the rows in shop\.csv are not those that the run was begun with/);
    expect(code).toBe(1);
    expect((await train("run", {}, "--resume")).code).toBe(0);
  });

  it.each([
    ["the data", (size: number) => size - 100, /last\.safetensors is broken: the data of .* ends 100 bytes after the end of the file/],
    ["the header", () => 100, /last\.safetensors is broken: the header is \d+ bytes long/],
    ["all of it", () => 0, /last\.safetensors is broken: the file has 0 bytes/],
  ] as const)("that lacks %s is said to be broken", async (part, sizeOf, message) => {
    const run = copyOf(`cut ${part}`);
    truncateSync(checkpoint(run), sizeOf(bytesOf().length));
    const { code, stderr } = await train(run, {}, "--resume");
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/; copy .*best\.safetensors there to go on from epoch \d\n$/);
    expect(code).toBe(1);
    const best = await runCli(["eval", folder.path(run), "--data", folder.path("data.yaml"), "--checkpoint", "last"]);
    expect(best.stderr).toMatch(message);
    expect((await runCli(["eval", folder.path(run), "--data", folder.path("data.yaml")])).code).toBe(0);
  });

  it("that is gone while the best one is there does not begin the run again", async () => {
    const run = copyOf("gone");
    rmSync(checkpoint(run));
    const { code, stderr } = await train(run, {}, "--resume");
    expect(stderr).toMatch(/last\.safetensors is gone; copy .*best\.safetensors there to go on from epoch \d\n$/);
    expect(code).toBe(1);
    cpSync(folder.path("gone/checkpoints/best.safetensors"), checkpoint(run));
    expect((await train(run, {}, "--resume")).code).toBe(0);
    expect(tensorsOf(checkpoint(run))).toEqual(tensorsOf(checkpoint("run")));
  });

  it("that is no checkpoint is said to be none", async () => {
    const run = copyOf("plain");
    await runCli(["compile", folder.path("shop.ple"), "--train", "-o", folder.path("step.onnx")]);
    writeFileSync(checkpoint(run), readFileSync(folder.path("step.safetensors")));
    expect((await train(run, {}, "--resume")).stderr).toMatch(/last\.safetensors holds weights and no checkpoint/);
  });
});

it("what a process left that was killed while it began is no hindrance", async () => {
  mkdirSync(folder.path("begun"));
  writeFileSync(folder.path("begun/.run.json.tmp"), '{"version"');
  expect((await train("begun")).code).toBe(0);
  const run = copyOf("only described");
  rmSync(folder.path(`${run}/spec`), { recursive: true });
  rmSync(folder.path(`${run}/checkpoints`), { recursive: true });
  expect((await train(run, {}, "--resume")).code).toBe(0);
  expect(tensorsOf(checkpoint(run))).toEqual(tensorsOf(checkpoint("run")));
});

describe("a run in which a process trains", () => {
  const lock = (run: string, pid: number | undefined, host: string) => writeFileSync(folder.path(`${run}/lock`), `${pid} ${host}\n`);

  it.each([
    ["on this machine", process.ppid, hostname()],
    ["on another machine, of which nothing is known", 2 ** 22 + 1, "elsewhere"],
  ])("%s, is left alone", async (where, pid, host) => {
    const run = copyOf(`locked ${where}`);
    lock(run, pid, host);
    const { code, stderr } = await train(run, {}, "--resume");
    expect(stderr).toMatch(new RegExp(`process ${pid} on ${host} trains in .*; wait for it, or remove .*lock if it is gone\\n$`));
    expect(code).toBe(1);
    expect(existsSync(folder.path(`${run}/lock`))).toBe(true);
  });

  it("goes on once it is gone, and is given back", async () => {
    const run = copyOf("left");
    lock(run, spawnSync(process.execPath, ["-e", "0"]).pid, hostname());
    expect((await train(run, {}, "--resume")).code).toBe(0);
    expect(existsSync(folder.path(`${run}/lock`))).toBe(false);
    writeFileSync(folder.path(`${run}/lock`), "");
    expect((await train(run, {}, "--resume")).code).toBe(0);
  });
});

it.each([
  ["run.json", '{"version', /run\.json is broken: /],
  ["run.json", "{}", /run\.json is broken: its `version` is no number/],
  ["run.json", "null", /run\.json is broken: it holds no object/],
  ["metrics.jsonl", "nonsense\n", /metrics\.jsonl is broken: /],
])("a broken %s that holds %j is said to be", async (file, text, message) => {
  const run = copyOf(`broken ${file} ${text.length}`);
  writeFileSync(folder.path(`${run}/${file}`), text);
  const { code, stderr } = await train(run, {}, "--resume");
  expect(stderr).toMatch(message);
  expect(stderr).not.toContain("internal error");
  expect(code).toBe(1);
});

it("a full disk leaves the old checkpoint intact", { timeout: 30_000 }, async () => {
  const bytes = readFileSync(checkpoint("run"));
  copyOf("full");
  // No file may grow beyond 8 KiB: what the system says of it is handled as a full disk is.
  const args = [
    "train",
    folder.path("shop.ple"),
    "--data",
    folder.path("data.yaml"),
    "--out",
    folder.path("full"),
    "--resume",
    "--epochs",
    "3",
  ];
  const { code, stderr } = await new PlecProcess(args, { before: "ulimit -f 8" }).ended;
  expect(stderr).toMatch(/plec: cannot write to .*full: .*; the last checkpoint is as it was, and --resume goes on from it\n$/);
  expect(code).toBe(1);
  expect(readFileSync(checkpoint("full")).equals(bytes)).toBe(true);
  expect((await train("full", {}, "--resume")).code).toBe(0);
});

it("a loss that is no number stops the run and keeps the weights before", async () => {
  const { code, stderr } = await train("broken", { spec: "broken.ple" });
  expect(stderr).toMatch(/training stopped at step \d+: not a finite number: .*metric\/total/);
  expect(stderr).toContain("broken/checkpoints/last.safetensors");
  expect(code).toBe(1);
  expect(readFileSync(folder.path("broken/metrics.jsonl"), "utf8")).toContain('"event":"not_finite"');
  const kept = await runCli(["eval", folder.path("broken"), "--data", folder.path("data.yaml"), "--checkpoint", "last", "--json"]);
  expect(JSON.parse(kept.stdout).splits.test.amount.rmse).toBeGreaterThan(0);
});

it("a wrong value is named with its row", async () => {
  const { code, stderr } = await train("wrong", { data: "wrong.yaml" });
  expect(stderr).toMatch(/wrong\.csv: row \d+, column basket: "fewest" is none of the categories of `basket`/);
  expect(code).toBe(1);
});
