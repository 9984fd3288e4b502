import { existsSync, readFileSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import type { EpochRecord, EventRecord, RunDescription, RunRecord, StepsRecord } from "../../runtime/runs/records.ts";
import { readSafetensors } from "../../runtime/safetensors.ts";
import { runCli, temporaryFolder } from "../cli/run-cli.ts";
import { files, mapping, shop, tensorsOf } from "./shop.ts";

const folder = temporaryFolder({
  ...files,
  "all-rows.yaml": mapping.replace(/splits:\n.*\n/, ""),
  "validated.yaml": mapping.replace("test:", "valid:"),
  "large.ple": shop({ train: 'optimizer: adamw(lr: 0.01), batch: 16, accumulate: 2, phases: [phase("joint", epochs: 1)]' }).replace(
    "of 5\n",
    "of 5000\n",
  ),
  "stops.ple": shop({
    train: 'optimizer: sgd(lr: 1e-30), batch: 64, early_stop: 2, phases: [phase("a", epochs: 9), phase("b", epochs: 1)]',
  }),
});
afterAll(() => folder.remove());

async function train(spec: string, run: string, ...options: readonly string[]) {
  const data = options.includes("--data") ? [] : ["--data", folder.path("data.yaml")];
  const result = await runCli(["train", folder.path(spec), ...data, "--out", folder.path(run), ...options]);
  expect(result.stderr).toBe("");
  return result;
}

function recordsOf(run: string): readonly RunRecord[] {
  const lines = readFileSync(folder.path(`${run}/metrics.jsonl`), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as RunRecord);
}

const isEpoch = (record: RunRecord): record is EpochRecord => record.kind === "epoch";
const isSteps = (record: RunRecord): record is StepsRecord => record.kind === "steps";
const isEvent = (record: RunRecord): record is EventRecord => record.kind === "event";

const last = (run: string) => tensorsOf(folder.path(`${run}/checkpoints/last.safetensors`));

describe("a run", () => {
  it("learns, and writes what it was and how it went", async () => {
    const { code, stdout } = await train("shop.ple", "plain");
    expect(code).toBe(0);
    expect(stdout).toContain("Shop: ");
    expect(stdout).toMatch(/epoch 3 of 3 \(joint\): loss \d\.\d+, 0:\d\d, [\d,]+ rows\/s/);
    expect(stdout).not.toContain("\u001b");
    const description = JSON.parse(readFileSync(folder.path("plain/run.json"), "utf8")) as RunDescription;
    expect(description).toMatchObject({
      model: "Shop",
      spec: "shop.ple",
      engine: "ort",
      seed: 0,
      batch: 32,
      rows: { train: 192, test: 48 },
    });
    const [click, basket, amount] = description.tasks;
    expect(click).toMatchObject({ name: "click", kind: "binary", weight: 1, loss: "bce" });
    expect(click?.base.rows).toBe(192 - Array.from({ length: 240 }, (_, i) => i).filter((i) => i % 7 === 0 && (i + 1) % 5 !== 0).length);
    expect(basket?.base.classes?.reduce((a, b) => a + b)).toBe(192);
    expect(amount?.weight).toBe(2);
    const epochs = recordsOf("plain").filter(isEpoch);
    expect(epochs.map(({ epoch, step, phase }) => ({ epoch, step, phase }))).toEqual(
      [1, 2, 3].map((epoch) => ({ epoch, step: 6 * epoch, phase: "joint" })),
    );
    const losses = epochs.map(({ train }) => train["metric/total"] ?? Number.NaN);
    expect(losses[2]).toBeLessThan(losses[0] ?? 0);
    expect(epochs[2]?.splits.test?.click?.rows).toBeLessThan(48);
    expect(epochs[2]?.splits.test?.amount?.rows).toBe(48);
    expect(readFileSync(folder.path("plain/spec/shop.ple"), "utf8")).toBe(shop());
  });

  it("reports means of its steps which add up to the epoch's", async () => {
    const records = recordsOf("plain");
    const steps = records.filter(isSteps).filter(({ epoch }) => epoch <= 1);
    expect(steps.reduce((rows, record) => rows + record.rows, 0)).toBe(192);
    const mean = steps.reduce((sum, { terms }) => sum + (terms["loss/amount"] ?? 0), 0) / steps.length;
    expect(mean).toBeCloseTo(records.filter(isEpoch)[0]?.train["loss/amount"] ?? 0, 6);
  });

  it("trains the rows of a large table that its batches use", async () => {
    const { code } = await train("large.ple", "large");
    expect(code).toBe(0);
    const { tensors } = readSafetensors(readFileSync(folder.path("large/checkpoints/last.safetensors")));
    const moments = tensors.get("adam/v/rows/all/embedding/table");
    expect(moments?.shape).toEqual([5000, 2]);
    const moved = [...(moments?.data ?? [])].flatMap((value, i) => (value > 0 ? [Math.floor(i / 2)] : []));
    expect(new Set(moved).size).toBeGreaterThan(2);
    expect(new Set(moved).size).toBeLessThan(7);
  });

  it("gives the same weights for the same seed, and others for another", async () => {
    await train("shop.ple", "again");
    await train("shop.ple", "seed-7", "--seed", "7");
    expect(last("again")).toEqual(last("plain"));
    for (const name of Object.keys(last("plain")).filter((name) => name.startsWith("param/")))
      expect(last("seed-7")[name], name).not.toBe(last("plain")[name]);
  });

  it("keeps the best weights by a split that is not called test", async () => {
    await train("shop.ple", "validated", "--data", folder.path("validated.yaml"));
    const { progress } = JSON.parse(readFileSync(folder.path("validated/checkpoints/best.json"), "utf8")) as {
      readonly progress: { readonly best: { readonly epoch: number; readonly loss: number } };
    };
    const weights = { click: 1, basket: 1, amount: 2 } as const;
    const losses = recordsOf("validated")
      .filter(isEpoch)
      .map(({ splits }) => Object.entries(weights).reduce((sum, [task, weight]) => sum + weight * (splits.valid?.[task]?.loss ?? 0), 0));
    expect(progress.best.loss).toBe(Math.min(...losses));
    expect(losses[progress.best.epoch - 1]).toBe(progress.best.loss);
  });

  it("needs no rows held out", async () => {
    await train("shop.ple", "whole", "--data", folder.path("all-rows.yaml"), "--epochs", "1");
    expect(recordsOf("whole").filter(isEpoch)[0]?.splits).toEqual({});
    expect(existsSync(folder.path("whole/checkpoints/best.safetensors"))).toBe(true);
  });

  it("shows itself drawn over and over on a terminal", async () => {
    const { stdout } = await runCli(
      ["train", folder.path("shop.ple"), "--data", folder.path("data.yaml"), "--out", folder.path("terminal")],
      { terminal: true },
    );
    expect(stdout).toMatch(/█*░+ {2}epoch 1 of 3 \(joint\)/);
    expect(stdout).toContain("\u001b[6A\u001b[J");
    expect(stdout).toMatch(/ {2}click +0\.\d+ +1\.0000\n/);
  });

  it("fits into a small terminal, and shows of gradients that wait what was last told", async () => {
    const args = [
      "train",
      folder.path("everything.ple"),
      "--data",
      folder.path("data.yaml"),
      "--out",
      folder.path("small"),
      "--epochs",
      "1",
    ];
    const { stdout } = await runCli(args, { terminal: true, rows: 4 });
    expect(stdout).toMatch(/ {2}loss \d.*learning rate –/);
    expect(stdout).not.toContain("NaN");
    expect(stdout).toContain("\u001b[3A\u001b[J");
    const moves = stdout.split("\u001b[").flatMap((part) => /^\d+A/.exec(part)?.[0] ?? []);
    expect(new Set(moves)).toEqual(new Set(["3A"]));
  });

  it("prints one object for machines", async () => {
    const { stdout } = await runCli([
      "train",
      folder.path("shop.ple"),
      "--data",
      folder.path("data.yaml"),
      "--out",
      folder.path("json"),
      "--json",
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ version: 1, outcome: "finished", step: 18, splits: { test: { amount: { rows: 48 } } } });
  });
});

describe("a plan", () => {
  it("is carried out phase by phase", async () => {
    await train("everything.ple", "everything");
    const events = recordsOf("everything").filter(isEvent);
    const at = (epoch: number, event: string) => ({ epoch, event });
    expect(events.map(({ epoch, event }) => at(epoch, event))).toEqual([
      at(0, "start"),
      at(0, "phase"),
      at(1, "restart"),
      at(1, "adatt"),
      at(2, "restart"),
      at(3, "phase"),
      at(3, "freeze"),
      at(3, "freeze"),
      at(4, "restart"),
      at(5, "end"),
    ]);
    const steps = recordsOf("everything").filter(isSteps);
    const rateAt = (epoch: number) =>
      steps.find((record) => record.epoch > epoch && record.terms["metric/learning_rate"] !== undefined)?.terms["metric/learning_rate"] ??
      0;
    const rates = steps.flatMap(({ terms }) => terms["metric/learning_rate"] ?? []);
    expect(Math.min(...rates)).toBeLessThan(0.002);
    for (const epoch of [0, 1, 2, 3, 4]) expect(rateAt(epoch)).toBeGreaterThan(0.009);
    // 12 batches an epoch are taken in pairs, each at the rate of its second batch.
    const updates = steps.filter(({ terms }) => terms["metric/learning_rate"] !== undefined);
    expect(updates).toHaveLength(30);
    for (const [i, { terms }] of updates.entries())
      expect(terms["metric/learning_rate"], `update ${i}`).toBeCloseTo(0.005 * (1 + Math.cos((Math.PI * (2 * (i % 6) + 1)) / 12)), 6);
  });

  it("freezes, measures affinities up to their own freezing, and lets the optimiser begin anew", async () => {
    await train("everything.ple", "first-phase", "--epochs", "3");
    await train("everything.ple", "first-phase", "--resume", "--epochs", "5");
    const [before, after] = [last("everything"), last("first-phase")];
    expect(after).toEqual(before);
    await train("everything.ple", "cut", "--epochs", "3");
    const cut = last("cut");
    const names = Object.keys(before);
    const changed = names.filter((name) => before[name] !== cut[name]);
    expect(changed).toContain("param/all/embedding/table");
    expect(changed.filter((name) => name.startsWith("param/shared") || name.startsWith("adatt/"))).toEqual([]);
    expect(cut["adatt/affinity"]).not.toMatch(/^0*$/);
    // 12 batches of 16 an epoch in pairs make 6 updates; phase `refine` has 2 epochs.
    expect(Buffer.from(before["adam/steps"] ?? "", "hex").readFloatLE(0)).toBe(12);
    expect(Buffer.from(cut["adam/steps"] ?? "", "hex").readFloatLE(0)).toBe(18);
  });

  it("ends a phase early, and goes on with the next", async () => {
    await train("stops.ple", "stops", "--data", folder.path("validated.yaml"));
    const events = recordsOf("stops").filter(isEvent);
    expect(events.map(({ epoch, event }) => [epoch, event])).toEqual([
      [0, "start"],
      [0, "phase"],
      [3, "early_stop"],
      [9, "phase"],
      [10, "end"],
    ]);
  });

  it("is changed by --epochs", async () => {
    await train("shop.ple", "short", "--epochs", "1");
    expect(recordsOf("short").filter(isEpoch)).toHaveLength(1);
    await train("shop.ple", "short", "--epochs", "3", "--resume");
    expect(last("short")).toEqual(last("plain"));
    const { code, stderr } = await runCli([
      "train",
      folder.path("everything.ple"),
      "--data",
      folder.path("data.yaml"),
      "--out",
      folder.path("no"),
      "--epochs",
      "6",
    ]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: "plec: --epochs 6: the phases of the spec have 5; make one of them longer there\n",
    });
  });

  it("runs on TensorFlow.js, too", async () => {
    await train("everything.ple", "wasm", "--engine", "tfjs", "--backend", "wasm", "--epochs", "1");
    await train("everything.ple", "ort", "--epochs", "1");
    const loss = (run: string) => recordsOf(run).filter(isEpoch)[0]?.splits.test?.amount?.loss ?? 0;
    expect(loss("wasm")).toBeCloseTo(loss("ort"), 4);
  });
});
