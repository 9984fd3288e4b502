import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeTensor, type Tensor } from "../../runtime/engine.ts";
import { areaUnderCurve, calibrationBins, calibrationError } from "../../runtime/runs/metrics/binary.ts";
import { openMeter } from "../../runtime/runs/metrics/task-metrics.ts";
import type { RunTask, TaskMetrics } from "../../runtime/runs/records.ts";

const f32 = (values: readonly number[], width = 1) =>
  makeTensor("f32", width === 1 ? [values.length] : [values.length / width, width], values);
const sorted = (values: readonly number[]) => Float32Array.from(values).sort();

/** Few distinct scores, so that ties are common. */
const scores = fc.array(
  fc.integer({ min: 0, max: 8 }).map((n) => n / 8),
  { minLength: 1, maxLength: 30 },
);

type Rows = readonly { readonly prediction: Tensor; readonly label: Tensor; readonly loss: Tensor }[];

function measure(task: Pick<RunTask, "kind" | "width"> & Partial<Pick<RunTask, "base">>, batches: Rows): TaskMetrics {
  const meter = openMeter({ base: { rows: 0, mean: null, classes: null, losses: null }, ...task });
  for (const batch of batches) meter.add(batch);
  return meter.finish();
}

describe("areaUnderCurve", () => {
  it("is the share of pairs in the right order, ties counting half", () => {
    fc.assert(
      fc.property(scores, scores, (positives, negatives) => {
        const pairs = positives.flatMap((p) => negatives.map((n) => (p > n ? 1 : p === n ? 0.5 : 0)));
        const share = pairs.reduce((a: number, b) => a + b, 0) / pairs.length;
        expect(areaUnderCurve(sorted(positives), sorted(negatives))).toBeCloseTo(share, 12);
      }),
    );
  });

  it.each([
    [[0.9, 0.8], [0.1, 0.2], 1],
    [[0.1], [0.2, 0.3], 0],
    [[0.5], [0.5], 0.5],
  ])("of %j above %j is %d", (positives, negatives, area) => {
    expect(areaUnderCurve(sorted(positives), sorted(negatives))).toBe(area);
  });
});

describe("calibrationBins", () => {
  it("hold every row once, in equal parts, with the means of those rows", () => {
    fc.assert(
      fc.property(scores, scores, (positives, negatives) => {
        const bins = calibrationBins(sorted(positives), sorted(negatives));
        const rows = positives.length + negatives.length;
        const total = (value: (bin: (typeof bins)[number]) => number) => bins.reduce((sum, bin) => sum + value(bin), 0);
        expect(total((bin) => bin.rows)).toBe(rows);
        expect(bins).toHaveLength(Math.min(10, rows));
        expect(Math.max(...bins.map((bin) => bin.rows)) - Math.min(...bins.map((bin) => bin.rows))).toBeLessThanOrEqual(1);
        expect(total((bin) => bin.rows * bin.observed)).toBeCloseTo(positives.length, 9);
        expect(total((bin) => bin.rows * bin.predicted)).toBeCloseTo(
          [...positives, ...negatives].reduce((a, b) => a + b, 0),
          9,
        );
        expect(bins.map((bin) => bin.predicted)).toEqual(bins.map((bin) => bin.predicted).toSorted((a, b) => a - b));
      }),
    );
  });

  it("have no error where predictions are the rates", () => {
    expect(
      calibrationError([
        { predicted: 0.1, observed: 0.1, rows: 5 },
        { predicted: 0.7, observed: 0.7, rows: 9 },
      ]),
    ).toBe(0);
    expect(
      calibrationError([
        { predicted: 0.2, observed: 0, rows: 1 },
        { predicted: 0.5, observed: 0.9, rows: 3 },
      ]),
    ).toBeCloseTo(0.35, 12);
  });
});

describe("a binary task", () => {
  const p = [0.9, 0.2, 0.6, 0.5, 0.3];
  const y = [1, 0, 0, -1, 1];
  const batch = (from: number, to: number) => ({
    prediction: f32(p.slice(from, to)),
    label: f32(y.slice(from, to)),
    loss: f32([1, 2, 3, 100, 6].slice(from, to)),
  });

  it("is measured over rows with a label, whatever the batches", () => {
    const metrics = measure({ kind: "binary", width: 1, base: { rows: 10, mean: 0.25, classes: null, losses: [2, 6] } }, [
      batch(0, 2),
      batch(2, 5),
    ]);
    expect(metrics.rows).toBe(4);
    expect(metrics.loss).toBe(3);
    expect(metrics.base_loss).toBe(4);
    expect(metrics.auc).toBe(0.75);
    expect(metrics.accuracy).toBe(0.5);
    expect(metrics.log_loss).toBeCloseTo(-(Math.log(0.9) + Math.log(0.8) + Math.log(0.4) + Math.log(0.3)) / 4, 6);
    expect(metrics.base_log_loss).toBeCloseTo(-(Math.log(0.25) + Math.log(0.75)) / 2, 12);
    expect(metrics.base_accuracy).toBe(0.5);
    expect(metrics.calibration).toHaveLength(4);
  });

  it.each([
    ["no labels", [-1, -1], { rows: 0, loss: 0 }],
    ["one outcome", [1, 1], { rows: 2 }],
  ] as const)("with %s has no AUC", (_, labels, expected) => {
    const metrics = measure({ kind: "binary", width: 1 }, [{ prediction: f32([0.5, 0.6]), label: f32(labels), loss: f32([1, 1]) }]);
    expect(metrics).toMatchObject(expected);
    expect(metrics.auc).toBeUndefined();
  });

  it("has a finite log loss for a wrong certainty", () => {
    const { log_loss } = measure({ kind: "binary", width: 1 }, [{ prediction: f32([1, 0]), label: f32([0, 1]), loss: f32([1, 1]) }]);
    expect(log_loss).toBeCloseTo(-Math.log(1e-7), 4);
  });
});

it("classes are measured by their ranks", () => {
  const prediction = f32([0.1, 0.2, 0.3, 0.4, 0.7, 0.1, 0.1, 0.1, 0.25, 0.25, 0.25, 0.25, 0.1, 0.2, 0.3, 0.4], 4);
  const label = makeTensor("i32", [4], [3, 1, 1, -1]);
  const metrics = measure({ kind: "classes", width: 4, base: { rows: 8, mean: null, classes: [1, 4, 1, 2], losses: null } }, [
    { prediction, label, loss: f32([1, 2, 3, 9]) },
  ]);
  expect(metrics).toMatchObject({ rows: 3, loss: 2, accuracy: 1 / 3, top3: 1, base_accuracy: 2 / 3 });
  expect(metrics.log_loss).toBeCloseTo(-(Math.log(0.4) + Math.log(0.1) + Math.log(0.25)) / 3, 6);
  expect(metrics.base_log_loss).toBeCloseTo(-(Math.log(0.25) + 2 * Math.log(0.5)) / 3, 12);
});

describe("a regression", () => {
  it("is measured over known values", () => {
    const base = { rows: 2, mean: 1, classes: null, losses: null };
    const metrics = measure({ kind: "regression", width: 1, base }, [
      { prediction: f32([1, 2, 5]), label: f32([2, Number.NaN, 2]), loss: f32([4, 100, 8]) },
    ]);
    expect(metrics).toEqual({ rows: 2, loss: 6, rmse: Math.sqrt(5), mae: 2, base_rmse: 1 });
  });

  it("counts a row of several values once", () => {
    const metrics = measure({ kind: "regression", width: 2 }, [
      { prediction: f32([1, 2, 3, 4], 2), label: f32([1, Number.NaN, Number.NaN, Number.NaN], 2), loss: f32([7, 9]) },
    ]);
    expect(metrics).toEqual({ rows: 1, loss: 7, rmse: 0, mae: 0 });
  });
});

it("an embedding finds its own target among the ten nearest of its batch", () => {
  const count = 24;
  const targets = Array.from({ length: count }, (_, i) => [Math.cos(i / 4), Math.sin(i / 4)]);
  // Predictions miss their targets by six steps of the circle for even rows: twelve others are nearer then.
  const predictions = targets.map((_, i) =>
    i % 2 === 0 ? [Math.cos((i + 6) / 4), Math.sin((i + 6) / 4)] : [2 * Math.cos(i / 4), 2 * Math.sin(i / 4)],
  );
  const nearer = predictions.map(([x = 0, y = 0], i) => {
    const cosine = ([u = 0, v = 0]: readonly number[]) => x * u + y * v;
    return targets.filter((target) => cosine(target) > cosine(targets[i] ?? []) + 1e-9).length;
  });
  const label = [...targets.flat(), 0, 0];
  const metrics = measure({ kind: "embedding", width: 2 }, [
    { prediction: f32([...predictions.flat(), 1, 1], 2), label: f32(label, 2), loss: f32(Array.from({ length: count + 1 }, () => 1)) },
  ]);
  expect(metrics.rows).toBe(count);
  expect(metrics.recall_at_10).toBeCloseTo(nearer.filter((others) => others < 10).length / count, 12);
  expect(metrics.recall_at_10).toBeLessThan(1);
});
