import type { TaskKind } from "../../compiler/model.ts";

/** What was trained, and how: `run.json`, written once when a run begins. */
export interface RunDescription {
  readonly version: 1;
  /** The plec that wrote it. */
  readonly plec: string;
  readonly model: string;
  /** sha256 of the model's sources. */
  readonly hash: string;
  /** The spec's path below `spec/`. */
  readonly spec: string;
  readonly engine: RunEngine;
  readonly backend: string | null;
  readonly seed: number;
  /** ISO time. */
  readonly started: string;
  readonly batch: number;
  readonly accumulate: number;
  readonly parameters: number;
  /** Rows by split, training rows under `train`. */
  readonly rows: Readonly<Record<string, number>>;
  /** Of the values and the order of all rows; absent in runs of a plec that took none. */
  readonly data?: string;
  /** In order of execution. */
  readonly tasks: readonly RunTask[];
  readonly phases: readonly RunPhase[];
  readonly adatt: { readonly warmup: number; readonly freeze: number | null } | null;
  readonly schedule: Readonly<Record<string, unknown>>;
  readonly uncertaintyClamp: number | null;
}

export type RunEngine = "ort" | "tfjs";

export interface RunTask {
  readonly name: string;
  readonly kind: TaskKind;
  readonly width: number;
  readonly group: string | null;
  readonly weight: number;
  /** The spec's rate of positives. */
  readonly positives: number | null;
  readonly loss: string | null;
  /** What the training rows' labels are, for the predictor that knows nothing else. */
  readonly base: TaskBase;
}

export interface TaskBase {
  /** Training rows with a label. */
  readonly rows: number;
  /** The rate of positives, or the mean of a regression of width 1. */
  readonly mean: number | null;
  /** Rows of each class. */
  readonly classes: readonly number[] | null;
  /** Of a binary task, what the best constant costs under its own loss, for a label of 0 and one of 1; null for a loss that depends on more. */
  readonly losses: readonly [ofZero: number, ofOne: number] | null;
}

export interface RunPhase {
  readonly name: string;
  readonly start: number;
  readonly epochs: number;
  readonly freeze: readonly string[];
  readonly lr: number;
}

/** A line of `metrics.jsonl`. Epochs count over all phases and may be fractions; steps count batches. */
export type RunRecord = StepsRecord | EpochRecord | EventRecord | FindingRecord;

/** Means of what the graph reported since the last such record. */
export interface StepsRecord {
  readonly kind: "steps";
  readonly epoch: number;
  readonly step: number;
  readonly rows: number;
  /** Time since the last such record. */
  readonly seconds: number;
  /** loss/…, weight/…, rows/…, penalty/…, metric/… */
  readonly terms: Terms;
}

export interface EpochRecord {
  readonly kind: "epoch";
  /** Finished epochs, from 1. */
  readonly epoch: number;
  readonly step: number;
  readonly phase: string;
  readonly seconds: number;
  /** Means over the epoch. */
  readonly train: Terms;
  readonly splits: SplitMetrics;
  /** null where nothing was looked at. */
  readonly observed: Observation | null;
}

/** What a model looks like from inside, over some batches that it does not train on, without dropout. */
export interface Observation {
  /** By gate, `cgc/ctr`. */
  readonly gates: Readonly<Record<string, ObservedGate>>;
  readonly experts: Readonly<Record<string, ObservedExpert>>;
  /** By entry of a `routes` bank: the share of rows that get its default, because none of its inputs is there. */
  readonly routes: Readonly<Record<string, { readonly defaults: number }>>;
  /** By edge, `ctr->cvr`: the root mean square of what the edge adds over that of what it is added to. */
  readonly transfers: Readonly<Record<string, { readonly share: number }>>;
  /** By task: the share of rows with a label. */
  readonly labels: Readonly<Record<string, number>>;
  /** adaTT's: moving averages of the cosines of the tasks' gradients. */
  readonly affinity: { readonly tasks: readonly string[]; readonly values: readonly (readonly number[])[] } | null;
  /** By task: the learned log variance. */
  readonly uncertainty: Readonly<Record<string, number>>;
}

export interface ObservedGate {
  readonly entries: readonly string[];
  /** Means over the rows, as shares of the sum. */
  readonly weights: readonly number[];
  /** Mean over the rows, 1 where weights are even. */
  readonly entropy: number;
}

export interface ObservedExpert {
  /** Root mean square of what it gives. */
  readonly output: number;
  /** Norm of the gradient that the tasks' losses give its parameters, or its result where it has none. */
  readonly gradient: number;
  /** The share of rows whose inputs are all absent. */
  readonly missing: number;
}

export const eventNames = [
  "start",
  "phase",
  "freeze",
  "restart",
  "adatt",
  "anneal",
  "early_stop",
  "checkpoint",
  "resume",
  "interrupted",
  "not_finite",
  "end",
] as const;

export interface EventRecord {
  readonly kind: "event";
  readonly epoch: number;
  readonly step: number;
  readonly event: (typeof eventNames)[number];
  readonly text: string;
}

/** What a monitor found. */
export interface FindingRecord {
  readonly kind: "finding";
  readonly epoch: number;
  readonly step: number;
  readonly monitor: string;
  readonly subject: string;
  readonly value: number;
  readonly threshold: number;
  readonly message: string;
  readonly remedy: string;
}

export type Terms = Readonly<Record<string, number>>;

/** Metrics of each task on each held-out split. */
export type SplitMetrics = Readonly<Record<string, Readonly<Record<string, TaskMetrics>>>>;

/** Of the rows with a label. `base_…` is what a predictor gets that knows nothing but the training rows' rate of positives, mean or classes. */
export interface TaskMetrics {
  readonly rows: number;
  /** The mean of the task's own loss. */
  readonly loss: number;
  /** The same of the best constant; of binary tasks. */
  readonly base_loss?: number;
  readonly auc?: number;
  readonly log_loss?: number;
  readonly base_log_loss?: number;
  readonly rmse?: number;
  readonly base_rmse?: number;
  readonly mae?: number;
  readonly accuracy?: number;
  readonly base_accuracy?: number;
  /** The share of rows whose class is among the three likeliest. */
  readonly top3?: number;
  /** The share of rows whose own target is among the ten nearest of its batch. */
  readonly recall_at_10?: number;
  readonly calibration?: readonly CalibrationBin[];
  /** Expected calibration error: the mean distance of predicted and observed rates over the bins, by rows. */
  readonly ece?: number;
}

export interface CalibrationBin {
  /** The mean prediction. */
  readonly predicted: number;
  /** The rate of positives. */
  readonly observed: number;
  readonly rows: number;
}
