import type { Tensor } from "../../engine.ts";
import type { RunTask, TaskBase, TaskMetrics } from "../records.ts";
import { areaUnderCurve, calibrationBins, calibrationError, constantLogLoss, smallestProbability } from "./binary.ts";
import { GrowingFloats } from "./growing-floats.ts";

/** One batch of a task. */
export interface TaskBatch {
  /** f32[B], or f32[B, width]: probabilities, values or embeddings, as the model predicts them. */
  readonly prediction: Tensor;
  /** As training is fed with them, missing ones marked. */
  readonly label: Tensor;
  /** f32[B]: the loss of each row. */
  readonly loss: Tensor;
}

/** Gathers a task's metrics over the batches of a split. */
export interface TaskMeter {
  add(batch: TaskBatch): void;
  finish(): TaskMetrics;
}

export function openMeter({ kind, width, base }: Pick<RunTask, "kind" | "width" | "base">): TaskMeter {
  switch (kind) {
    case "binary":
      return new BinaryMeter(base);
    case "classes":
      return new ClassesMeter(width, base);
    case "regression":
      return new RegressionMeter(width, base);
    case "embedding":
      return new EmbeddingMeter(width);
  }
}

/** Adds up the loss of rows with a label. */
class LossSum {
  rows = 0;
  #sum = 0;

  add(loss: number): void {
    this.rows += 1;
    this.#sum += loss;
  }

  get mean(): number {
    return this.#sum / this.rows;
  }
}

class BinaryMeter implements TaskMeter {
  readonly #loss = new LossSum();
  readonly #positives = new GrowingFloats();
  readonly #negatives = new GrowingFloats();
  readonly #base: TaskBase;
  #logLoss = 0;
  #right = 0;

  constructor(base: TaskBase) {
    this.#base = base;
  }

  add({ prediction, label, loss }: TaskBatch): void {
    label.data.forEach((y, row) => {
      if (!(y >= 0)) return;
      const p = prediction.data[row] as number;
      const clipped = Math.min(Math.max(p, smallestProbability), 1 - smallestProbability);
      this.#loss.add(loss.data[row] as number);
      this.#logLoss -= y > 0.5 ? Math.log(clipped) : Math.log1p(-clipped);
      this.#right += Number(p >= 0.5 === y > 0.5);
      (y > 0.5 ? this.#positives : this.#negatives).push(p);
    });
  }

  finish(): TaskMetrics {
    const { rows, mean: loss } = this.#loss;
    if (rows === 0) return { rows, loss: 0 };
    const positives = this.#positives.sorted();
    const negatives = this.#negatives.sorted();
    const rate = positives.length / rows;
    const calibration = calibrationBins(positives, negatives);
    const { mean: base, losses } = this.#base;
    return {
      rows,
      loss,
      ...(losses === null ? {} : { base_loss: (1 - rate) * losses[0] + rate * losses[1] }),
      ...(positives.length > 0 && negatives.length > 0 ? { auc: areaUnderCurve(positives, negatives) } : {}),
      log_loss: this.#logLoss / rows,
      accuracy: this.#right / rows,
      ...(base === null ? {} : { base_log_loss: constantLogLoss(base, rate), base_accuracy: base >= 0.5 ? rate : 1 - rate }),
      calibration,
      ece: calibrationError(calibration),
    };
  }
}

class ClassesMeter implements TaskMeter {
  readonly #loss = new LossSum();
  readonly #width: number;
  readonly #base: readonly number[] | null;
  readonly #baseClass: number;
  #logLoss = 0;
  #baseLogLoss = 0;
  #right = 0;
  #baseRight = 0;
  #nearlyRight = 0;

  constructor(width: number, { rows, classes }: TaskBase) {
    this.#width = width;
    this.#base = classes === null || rows === 0 ? null : classes.map((count) => count / rows);
    this.#baseClass = classes === null ? -1 : classes.indexOf(Math.max(...classes));
  }

  add({ prediction, label, loss }: TaskBatch): void {
    const width = this.#width;
    label.data.forEach((y, row) => {
      if (!(y >= 0)) return;
      const scores = prediction.data.subarray(row * width, (row + 1) * width);
      const own = scores[y] as number;
      // Of equal scores the first class counts as the likelier one.
      let better = 0;
      for (let k = 0; k < width; k++) if ((scores[k] as number) > own || (scores[k] === own && k < y)) better += 1;
      this.#loss.add(loss.data[row] as number);
      this.#logLoss -= Math.log(Math.max(own, smallestProbability));
      this.#baseLogLoss -= Math.log(Math.max(this.#base?.[y] ?? 0, smallestProbability));
      this.#right += Number(better === 0);
      this.#nearlyRight += Number(better < 3);
      this.#baseRight += Number(y === this.#baseClass);
    });
  }

  finish(): TaskMetrics {
    const { rows, mean: loss } = this.#loss;
    if (rows === 0) return { rows, loss: 0 };
    return {
      rows,
      loss,
      log_loss: this.#logLoss / rows,
      accuracy: this.#right / rows,
      ...(this.#base === null ? {} : { base_log_loss: this.#baseLogLoss / rows, base_accuracy: this.#baseRight / rows }),
      ...(this.#width > 3 ? { top3: this.#nearlyRight / rows } : {}),
    };
  }
}

class RegressionMeter implements TaskMeter {
  readonly #loss = new LossSum();
  readonly #width: number;
  readonly #base: number | null;
  #values = 0;
  #squares = 0;
  #absolutes = 0;
  #baseSquares = 0;

  constructor(width: number, { mean }: TaskBase) {
    this.#width = width;
    this.#base = width === 1 ? mean : null;
  }

  add({ prediction, label, loss }: TaskBatch): void {
    loss.data.forEach((l, row) => {
      let known = false;
      for (let at = row * this.#width; at < (row + 1) * this.#width; at++) {
        const y = label.data[at] as number;
        if (!Number.isFinite(y)) continue;
        known = true;
        const error = (prediction.data[at] as number) - y;
        this.#values += 1;
        this.#squares += error * error;
        this.#absolutes += Math.abs(error);
        this.#baseSquares += ((this.#base ?? 0) - y) ** 2;
      }
      if (known) this.#loss.add(l);
    });
  }

  finish(): TaskMetrics {
    const { rows, mean: loss } = this.#loss;
    if (rows === 0) return { rows, loss: 0 };
    const rmse = Math.sqrt(this.#squares / this.#values);
    const mae = this.#absolutes / this.#values;
    return { rows, loss, rmse, mae, ...(this.#base === null ? {} : { base_rmse: Math.sqrt(this.#baseSquares / this.#values) }) };
  }
}

/** How often a prediction's own target is among the nearest of the batch, by cosine. */
class EmbeddingMeter implements TaskMeter {
  readonly #loss = new LossSum();
  readonly #width: number;
  #found = 0;

  constructor(width: number) {
    this.#width = width;
  }

  add({ prediction, label, loss }: TaskBatch): void {
    const width = this.#width;
    const targets = unitRows(label.data, width);
    const predictions = unitRows(prediction.data, width);
    const known = [...targets.keys()].filter((row) => targets[row] !== null);
    for (const row of known) {
      this.#loss.add(loss.data[row] as number);
      const own = product(predictions[row] ?? null, targets[row] ?? null);
      let better = 0;
      for (const other of known) if (other !== row && product(predictions[row] ?? null, targets[other] ?? null) > own) better += 1;
      this.#found += Number(better < 10);
    }
  }

  finish(): TaskMetrics {
    const { rows, mean: loss } = this.#loss;
    return rows === 0 ? { rows, loss: 0 } : { rows, loss, recall_at_10: this.#found / rows };
  }
}

/** Rows of length 1; null for those that are zero or not finite. */
function unitRows(data: ArrayLike<number>, width: number): readonly (Float64Array | null)[] {
  return Array.from({ length: data.length / width }, (_, row) => {
    const values = Float64Array.from({ length: width }, (_, j) => data[row * width + j] as number);
    const length = Math.hypot(...values);
    return length > 0 && Number.isFinite(length) ? values.map((value) => value / length) : null;
  });
}

function product(a: Float64Array | null, b: Float64Array | null): number {
  if (a === null || b === null) return Number.NEGATIVE_INFINITY;
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += (a[j] as number) * (b[j] as number);
  return sum;
}
