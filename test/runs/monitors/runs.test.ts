import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { allMonitors } from "../../../runtime/runs/monitors/monitors.ts";
import type { EventRecord, FindingRecord, RunRecord } from "../../../runtime/runs/records.ts";
import { runCli, temporaryFolder } from "../../cli/run-cli.ts";
import { everything, type Fault, mapping, type Row, rows, watched } from "./watched.ts";

/** A run takes a second, and many times that on a machine with other things to do. */
const slow = { timeout: 60_000 };

const folder = temporaryFolder();
afterAll(() => folder.remove());

/** Trains for real and returns what was written down. Findings stand in the output, too, but for those from before a run goes on. */
async function train(name: string, fault: Fault, ...options: readonly string[]): Promise<readonly RunRecord[]> {
  const at = folder.path(name.replaceAll(/\W+/g, "-"));
  mkdirSync(at, { recursive: true });
  writeFileSync(join(at, "watched.ple"), watched(fault));
  writeFileSync(join(at, "rows.csv"), rows(fault.rows));
  writeFileSync(join(at, "data.yaml"), mapping.replace(fault.unmapped ?? "", ""));
  const { code, stdout, stderr } = await runCli([
    "train",
    join(at, "watched.ple"),
    "--data",
    join(at, "data.yaml"),
    "--out",
    join(at, "run"),
    ...options,
  ]);
  expect(code, stderr).toBe(0);
  const records = readFileSync(join(at, "run/metrics.jsonl"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as RunRecord);
  const isResumed = options.includes("--resume");
  for (const { message, remedy } of findingsIn(records))
    expect(stdout.includes(`! ${message}\n  ${remedy}\n`), `${message} is printed`).toBe(!isResumed);
  return records;
}

function findingsIn(records: readonly RunRecord[]): readonly FindingRecord[] {
  return records.filter((record): record is FindingRecord => record.kind === "finding");
}

const scaled = (factor: number) => (row: Row) => ({ ...row, amount: factor * (row.amount ?? 0) });

/** What is found: monitor, subject, epoch, and what the message says. */
type Found = readonly [monitor: string, subject: string, epoch: number, message: RegExp];

const faults: readonly (readonly [name: string, fault: Fault, found: readonly Found[]])[] = [
  [
    "a gate that one expert has taken over",
    { prior: "[4, -4]", entropy: 0 },
    [
      ["expert-collapse", "gate/click", 1, /^gate gate\/click gives 99\.9\d % of its weight to expert first$/],
      ["expert-collapse", "gate/amount", 1, /to expert first$/],
    ],
  ],
  [
    "gates that are not trained",
    { plan: { phases: '[phase("joint", epochs: 3, freeze: [gate])]' } },
    [
      ["gate-uniform", "gate/click", 3, /^gate gate\/click weighs its experts alike: its weights have 100 % of the entropy of even ones$/],
      ["gate-uniform", "gate/amount", 3, /alike/],
    ],
  ],
  [
    "a rectifier that is shut for every row",
    { second: "relu(Dense(b, [8]) - 100)" },
    [["expert-dead", "second", 1, /^expert second gives zeros for every row and gets no gradient$/]],
  ],
  [
    "an expert that is detached",
    { second: "stop_gradient(Dense(b, [8]))" },
    [["expert-dead", "second", 1, /^expert second gets no gradient$/]],
  ],
  [
    "an expert whose inputs three rows in five lack",
    { rows: (row, i) => (Math.floor(i / 5) % 5 < 3 ? { ...row, b0: null, b1: null, b2: null } : row) },
    [["inputs-missing", "second", 1, /^the inputs of expert second are all absent in 60 % of the rows$/]],
  ],
  [
    "an expert whose input is not mapped",
    { unmapped: "  b: { columns: [b0, b1, b2] }\n" },
    [
      ["expert-dead", "second", 1, /gives zeros/],
      ["inputs-missing", "second", 1, /100 % of the rows/],
    ],
  ],
  [
    "a route whose input three rows in five lack",
    { rows: (row, i) => (Math.floor(i / 5) % 5 < 3 ? { ...row, s0: null, s1: null } : row) },
    [["route-defaults", "states", 1, /^route states gives its default to 60 % of the rows$/]],
  ],
  [
    "a transfer that is far too strong",
    { strength: 20 },
    [["transfer-dominates", "click->amount", 1, /^transfer click -> amount adds \d+ times what amount has of its own$/]],
  ],
  [
    "a task whose loss is far larger than the others'",
    { plan: { optimizer: "adamw(lr: 0.02)", weighting: "uncertainty(clamp: 0.5)" }, rows: scaled(30) },
    [["uncertainty-clamped", "amount", 3, /^the log variance of task amount is 0\.50, 100 % of its clamp: its loss counts 0\.61 times$/]],
  ],
  [
    "tasks whose labels stand among the inputs",
    {
      plan: { optimizer: "adamw(lr: 0.02)", weighting: "uncertainty(clamp: 0.5)" },
      rows: (row) => ({ ...row, amount: row.a0, click: (row.b0 ?? 0) > 0 ? 1 : 0 }),
    },
    [
      ["uncertainty-clamped", "amount", 3, /^the log variance of task amount is -0\.50, 100 % of its clamp: its loss counts 1\.6 times$/],
      ["uncertainty-clamped", "click", 3, /^the log variance of task click is -0\.50, 100 % of its clamp: its loss counts 1\.6 times$/],
    ],
  ],
  [
    "a task that has labels only where it is not trained",
    { rows: (row, i) => (i % 5 === 4 ? row : { ...row, click: null }) },
    [["labels-missing", "click", 1, /^task click had no label in epoch 1$/]],
  ],
  [
    "a warm-up behind which adaTT weighs a task far more",
    {
      further: "",
      plan: { optimizer: "sgd(lr: 0.2)", clip: "5", adatt: 'adatt(warmup: 2, every: 1, inter: 20, clamp_high: 1000, mode: "source")' },
      rows: scaled(0.02),
    },
    [
      [
        "loss-jump",
        "adatt at epoch 2",
        2.4,
        /^the loss rises from 0\.\d+ to 0\.\d+ behind the end of adaTT's warm-up at epoch 2 \(adaTT weighs/,
      ],
    ],
  ],
  [
    "a learning rate that is too large to begin again with",
    { further: "", plan: { optimizer: "sgd(lr: 2)", clip: "1", schedule: "cosine_restarts(t0: 2, t_mult: 1)" } },
    [["loss-jump", "restart at epoch 2", 2.4, /^the loss rises from \S+ to \S+ behind the restart of the learning rate at epoch 2 \(the/]],
  ],
  [
    "a phase with too large a learning rate",
    { plan: { phases: '[phase("joint", epochs: 2), phase("refine", epochs: 1, lr: 0.3)]' } },
    [
      [
        "loss-jump",
        "phase, anneal at epoch 2",
        2.4,
        /behind the begin of a phase and the end of an annealing at epoch 2 \(phase refine: .*; the annealing/,
      ],
    ],
  ],
  [
    "a parameter that is frozen before it has settled",
    {
      further: "param level: f32[1] = 0\n  penalty drift = 100 * mean((level - epoch) ^ 2, axis: 0)",
      plan: { optimizer: "adamw(lr: 0.2)", adatt: "adatt(warmup: 0, freeze: 2, every: 5, freeze_with: [level])" },
    },
    [
      [
        "loss-jump",
        "freeze at epoch 2",
        2.4,
        /behind a freeze at epoch 2 \(adaTT's affinities and weights stand still, and with them level\)$/,
      ],
    ],
  ],
  [
    "a penalty that is annealed up to far too much",
    { further: "penalty size = 9 * min(1, epoch / 2) * mean(a * a, axis: [0, 1])" },
    [
      [
        "loss-jump",
        "anneal at epoch 2",
        2,
        /^the loss rises from its lowest of \S+ to \S+ by the end of an annealing at epoch 2 \(the annealing of size ends\)$/,
      ],
    ],
  ],
  [
    "a penalty that comes in at once",
    { further: "penalty size = 9 * where(epoch >= 2, 1, 0) * mean(a * a, axis: [0, 1])" },
    [["loss-jump", "anneal at epoch 2", 2.4, /^the loss rises from \S+ to \S+ behind the end of an annealing at epoch 2/]],
  ],
];

describe("a run with a fault", () => {
  it.each(faults)("%s", slow, async (name, fault, expected) => {
    const found = findingsIn(await train(name, fault));
    for (const [monitor, subject, epoch, message] of expected) {
      const finding = found.find((candidate) => candidate.monitor === monitor && candidate.subject === subject);
      expect(finding, `${monitor} of ${subject}`).toMatchObject({ message: expect.stringMatching(message) });
      expect(finding?.epoch).toBeCloseTo(epoch, 6);
      const { threshold, remedy } = allMonitors.find((candidate) => candidate.name === monitor) ?? {};
      expect(finding).toMatchObject({ threshold, remedy });
    }
    // Nothing else is wrong, but for what follows from a loss that has jumped.
    const expectedNames = new Set(expected.map(([monitor, subject]) => `${monitor} ${subject}`));
    const others = found.filter(({ monitor, subject }) => !expectedNames.has(`${monitor} ${subject}`));
    if (expected.every(([monitor]) => monitor !== "loss-jump")) expect(others.map(({ message }) => message)).toEqual([]);
    else expect(others.filter(({ monitor }) => monitor === "loss-jump")).toEqual([]);
  });

  it("of every kind is among these", () => {
    const tested = new Set(faults.flatMap(([, , expected]) => expected.map(([monitor]) => monitor)));
    expect([...tested].sort()).toEqual(allMonitors.map(({ name }) => name).sort());
  });
});

it("a run that goes on tells a fault no second time", slow, async () => {
  const fault: Fault = { second: "stop_gradient(Dense(b, [8]))" };
  expect(findingsIn(await train("goes on", fault, "--epochs", "1")).map(({ epoch }) => epoch)).toEqual([1]);
  expect(findingsIn(await train("goes on", fault, "--resume", "--epochs", "3")).map(({ epoch }) => epoch)).toEqual([1]);
});

describe("a sound run", () => {
  it("with all that a plan can bring about gives monitors nothing to find", slow, async () => {
    const records = await train("sound", { plan: everything });
    expect(findingsIn(records)).toEqual([]);
    const events = records.filter((record): record is EventRecord => record.kind === "event");
    expect(events.map(({ epoch, event }) => `${event} ${epoch}`)).toEqual([
      "start 0",
      "phase 0",
      "adatt 1",
      "restart 2",
      "anneal 2",
      "restart 4",
      "freeze 4",
      "phase 5",
      "freeze 5",
      "end 6",
    ]);
  });
});
