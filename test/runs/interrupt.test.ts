import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Checkpoint } from "../../runtime/runs/checkpoint.ts";
import type { RunRecord } from "../../runtime/runs/records.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { PlecProcess } from "./plec-process.ts";
import { files, tensorsOf } from "./shop.ts";

const folder = temporaryFolder(files);
afterAll(() => folder.remove());

const args = (run: string, ...options: readonly string[]) => [
  "train",
  folder.path("everything.ple"),
  "--data",
  folder.path("data.yaml"),
  "--out",
  folder.path(run),
  ...options,
];
const last = (run: string) => folder.path(`${run}/checkpoints/last.safetensors`);

/** The step of the last checkpoint; 0 where none can be read. */
function stepOf(run: string): number {
  try {
    const path = last(run).replace(".safetensors", ".json");
    return (JSON.parse(readFileSync(path, "utf8")) as Checkpoint).progress.step;
  } catch {
    return 0;
  }
}

function recordsOf(run: string): readonly RunRecord[] {
  const lines = readFileSync(folder.path(`${run}/metrics.jsonl`), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as RunRecord);
}

/** Without times, and without what only an interrupted run tells. */
function measured(run: string): readonly unknown[] {
  const isExtra = (record: RunRecord) => record.kind === "event" && (record.event === "resume" || record.event === "interrupted");
  return recordsOf(run)
    .filter((record) => !isExtra(record))
    .map((record) => ("seconds" in record ? { ...record, seconds: 0 } : record));
}

beforeAll(async () => {
  const { code, stderr } = await runCli(args("whole"));
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});

describe("a run that is killed", () => {
  it("ends, resumed, in the same weights, bit for bit", { timeout: 180_000 }, async () => {
    // In the middle of both phases, and between two batches that are taken together.
    for (const [i, step] of [5, 21, 47].entries()) {
      const run = new PlecProcess(args("killed", "--checkpoint-every", "1", ...(i === 0 ? [] : ["--resume"])));
      await run.until(() => stepOf("killed") >= step);
      run.child.kill("SIGKILL");
      expect((await run.ended).signal).toBe("SIGKILL");
      expect(stepOf("killed")).toBeGreaterThanOrEqual(step);
      expect(stepOf("killed")).toBeLessThan(60);
    }
    const { code, stdout } = await runCli(args("killed", "--resume"));
    expect(code).toBe(0);
    expect(stdout).toMatch(/from step \d\d/);
    expect(tensorsOf(last("killed"))).toEqual(tensorsOf(last("whole")));
    expect(tensorsOf(folder.path("killed/checkpoints/best.safetensors"))).toEqual(
      tensorsOf(folder.path("whole/checkpoints/best.safetensors")),
    );
    expect(measured("killed")).toEqual(measured("whole"));
  });

  it("before its first checkpoint begins again", async () => {
    const run = new PlecProcess(args("early"));
    await run.until(() => existsSync(folder.path("early/run.json")));
    run.child.kill("SIGKILL");
    await run.ended;
    const { code, stderr } = await runCli(args("early", "--resume", "--epochs", "1"));
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});

describe("a run that is interrupted", () => {
  it.each([
    ["SIGINT", "interrupted"],
    ["SIGTERM", "terminated"],
  ] as const)("by %s saves, says how to go on, and does", { timeout: 180_000 }, async (signal, name) => {
    const run = new PlecProcess(args(name, "--checkpoint-every", "1"));
    await run.until(() => stepOf(name) >= 7);
    run.child.kill(signal);
    const { code, stderr } = await run.ended;
    const saved = stepOf(name);
    expect(code).toBe(130);
    expect(stderr).toBe(`plec: stopped after step ${saved}, all of it saved; go on with\n  plec ${args(name, "--resume").join(" ")}\n`);
    expect((await runCli(args(name, "--resume"))).code).toBe(0);
    expect(tensorsOf(last(name))).toEqual(tensorsOf(last("whole")));
  });
});
