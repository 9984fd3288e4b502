import { describe, expect, it } from "vitest";
import { type Monitor, percent } from "../../../runtime/runs/monitors/monitor.ts";
import { allMonitors, Monitors } from "../../../runtime/runs/monitors/monitors.ts";
import type { EpochRecord, EventRecord, FindingRecord, RunDescription, RunRecord, StepsRecord } from "../../../runtime/runs/records.ts";

const task = (name: string, weight: number): RunDescription["tasks"][number] => ({
  name,
  kind: "binary",
  width: 1,
  group: null,
  weight,
  positives: null,
  loss: "bce",
  base: { rows: 0, mean: null, classes: null, losses: null },
});

const run: RunDescription = {
  version: 1,
  plec: "0.0.0",
  model: "M",
  hash: "",
  spec: "m.ple",
  engine: "ort",
  backend: null,
  seed: 0,
  started: "",
  batch: 1,
  accumulate: 1,
  parameters: 0,
  rows: {},
  tasks: [task("a", 1), task("b", 2)],
  phases: [],
  adatt: null,
  schedule: {},
  uncertaintyClamp: null,
};

/** A monitor whose alarms are what the epoch's metrics name. */
const told = (patience: number): Monitor => ({
  name: "told",
  what: "",
  threshold: 0.5,
  unit: "number",
  patience,
  remedy: "mend it",
  watch: () => (record) =>
    record.kind === "epoch"
      ? Object.entries(record.train).map(([subject, value]) => ({ subject, value, message: `${subject} is ${value}` }))
      : null,
});

function epoch(at: number, train: EpochRecord["train"] = {}): EpochRecord {
  return { kind: "epoch", epoch: at, step: 10 * at, phase: "p", seconds: 0, train, splits: {}, observed: null };
}

function steps(at: number, terms: StepsRecord["terms"]): StepsRecord {
  return { kind: "steps", epoch: at, step: 10 * at, rows: 1, seconds: 0, terms };
}

function event(at: number, name: EventRecord["event"], text = ""): EventRecord {
  return { kind: "event", epoch: at, step: 10 * at, event: name, text };
}

/** Monitor and subject with the epoch of each finding. */
function watch(monitors: readonly Monitor[], records: readonly RunRecord[]): readonly string[] {
  const watching = new Monitors(run, monitors);
  return records.flatMap((record) => watching.take(record)).map(({ subject, epoch: at }) => `${subject} at ${at}`);
}

describe("a fault", () => {
  it("is told once while it lasts", () => {
    expect(
      watch(
        [told(1)],
        [1, 2, 3].map((at) => epoch(at, { x: 1 })),
      ),
    ).toEqual(["x at 1"]);
  });

  it("has to last as long as the monitor is patient", () => {
    expect(
      watch(
        [told(3)],
        [1, 2].map((at) => epoch(at, { x: 1 })),
      ),
    ).toEqual([]);
    expect(
      watch(
        [told(3)],
        [1, 2, 3, 4, 5, 6, 7].map((at) => epoch(at, { x: 1 })),
      ),
    ).toEqual(["x at 3"]);
  });

  it("begins anew once it has cleared", () => {
    const records = [epoch(1, { x: 1 }), epoch(2), epoch(3, { x: 1 }), epoch(4, { x: 1 })];
    expect(watch([told(1)], records)).toEqual(["x at 1", "x at 3"]);
    expect(watch([told(2)], records)).toEqual(["x at 4"]);
  });

  it("is counted for each subject by itself", () => {
    const records = [epoch(1, { x: 1 }), epoch(2, { x: 1, y: 1 }), epoch(3, { y: 1 }), epoch(4, { x: 1, y: 1 })];
    expect(watch([told(2)], records)).toEqual(["x at 2", "y at 3"]);
  });

  it("neither clears nor grows by records that tell its monitor nothing, nor by findings", () => {
    const finding: FindingRecord = {
      kind: "finding",
      epoch: 1,
      step: 10,
      monitor: "told",
      subject: "x",
      value: 1,
      threshold: 0.5,
      message: "",
      remedy: "",
    };
    const between = [steps(1.5, { "loss/a": 1 }), event(1.6, "restart"), finding];
    expect(watch([told(2)], [epoch(1, { x: 1 }), ...between, epoch(2, { x: 1 }), ...between, epoch(3, { x: 1 })])).toEqual(["x at 2"]);
  });

  it("is told with all that there is to know", () => {
    expect(new Monitors(run, [told(1)]).take(epoch(4, { x: 0.75 }))).toEqual([
      {
        kind: "finding",
        epoch: 4,
        step: 40,
        monitor: "told",
        subject: "x",
        value: 0.75,
        threshold: 0.5,
        message: "x is 0.75",
        remedy: "mend it",
      },
    ]);
  });

  it("is not told again by a run that goes on from its records", () => {
    const before = [epoch(1, { x: 1 }), epoch(2, { x: 1 })];
    const resumed = new Monitors(run, [told(2)]);
    for (const record of before) resumed.take(record);
    expect(resumed.take(event(2, "resume"))).toEqual([]);
    expect(resumed.take(epoch(3, { x: 1 }))).toEqual([]);
  });
});

describe("a jump of the loss", () => {
  const jumps = (losses: readonly number[], at: number, name: EventRecord["event"] = "restart") => {
    const [monitor] = allMonitors.filter((candidate) => candidate.name === "loss-jump");
    const records = losses.flatMap((loss, i) => [...(i === at ? [event(i / 10, name)] : []), steps((i + 1) / 10, { "loss/a": loss })]);
    const watching = new Monitors(run, monitor === undefined ? [] : [monitor]);
    return records.flatMap((record) => watching.take(record)).map(({ value }) => value);
  };
  const flat = (value: number, count = 6) => Array.from({ length: count }, (_, i) => value * (1 + 0.01 * (i % 2)));

  it("is one behind a moment, by more than half and more than noise", () => {
    expect(jumps([...flat(1), ...flat(1.6)], 6)).toEqual([expect.closeTo(1.6, 1)]);
    expect(jumps([...flat(1), ...flat(1.4)], 6)).toEqual([]);
    expect(jumps([...flat(1), ...flat(1.6)], 20)).toEqual([]);
    expect(jumps([1, 3, 1, 3, 1, 3, ...flat(4)], 6)).toEqual([]);
  });

  it("is measured by size where losses are below 0", () => {
    expect(jumps([...flat(-2), ...flat(-0.5)], 6)).toEqual([expect.closeTo(1.75, 1)]);
    expect(jumps([...flat(-2), ...flat(-1.5)], 6)).toEqual([]);
  });

  it("needs records before it and behind it", () => {
    expect(jumps(flat(1.6), 0)).toEqual([]);
    expect(jumps([...flat(1), 5, 5, 5], 6)).toEqual([]);
  });

  it("may have come slowly by the end of an annealing, and of nothing else", () => {
    const rising = [...flat(1), 1.2, 1.5, 1.8, 2, 2, 2, 2, 2, 2, 2];
    expect(jumps(rising, 12, "anneal")).toEqual([expect.closeTo(2, 1)]);
    expect(jumps(rising, 12, "restart")).toEqual([]);
  });

  it("is of the tasks' losses by their weights in the spec, and the penalties, whatever weighs them meanwhile", () => {
    const [monitor] = allMonitors.filter((candidate) => candidate.name === "loss-jump");
    const message = (terms: readonly StepsRecord["terms"][]) => {
      const watching = new Monitors(run, monitor === undefined ? [] : [monitor]);
      const records = terms.flatMap((at, i) => [...(i === 5 ? [event(0.5, "phase", "phase two")] : []), steps((i + 1) / 10, at)]);
      return records.flatMap((record) => watching.take(record)).map((found) => found.message);
    };
    const before = { "loss/a": 0.2, "loss/b": 0.3, "penalty/p": 0.2, "metric/total": 9, "weight/a": 1 };
    const behind = { "loss/a": 0.2, "loss/b": 0.8, "penalty/p": 0.2, "metric/total": 0, "weight/a": 0 };
    const repeat = (value: StepsRecord["terms"], count: number) => Array.from({ length: count }, () => value);
    expect(message([...repeat(before, 5), ...repeat(behind, 4)])).toEqual([
      "the loss rises from 1 to 2 behind the begin of a phase at epoch 0.5 (phase two)",
    ]);
    expect(message([...repeat(before, 5), ...repeat({ ...before, "metric/total": 99, "weight/a": 50 }, 4)])).toEqual([]);
  });
});

it("shares are written with the digits that tell them from 0 and 1", () => {
  expect([0, 0.003, 0.5, 0.93, 0.997, 0.9995, 0.99999, 1].map(percent)).toEqual([
    "0 %",
    "0.30 %",
    "50 %",
    "93 %",
    "99.7 %",
    "99.95 %",
    "100 %",
    "100 %",
  ]);
});
