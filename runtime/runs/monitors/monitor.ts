import type { EpochRecord, Observation, RunDescription, RunRecord } from "../records.ts";

/** One rule that watches a run. */
export interface Monitor {
  readonly name: string;
  /** What it watches, in one sentence, for the documentation. */
  readonly what: string;
  /** What a value is compared with. */
  readonly threshold: number;
  /** How the value and the threshold are written. */
  readonly unit: "share" | "number";
  /** Records in a row that have to show the fault. */
  readonly patience: number;
  /** What to do about it. */
  readonly remedy: string;
  /** Begins a watch over one run. A watch gives all faults that a record shows, and null for a record that tells it nothing. */
  readonly watch: (run: RunDescription) => (record: RunRecord) => readonly Alarm[] | null;
}

export interface Alarm {
  /** What has the fault: a gate, an expert, a task, an edge, a moment. */
  readonly subject: string;
  readonly value: number;
  /** A plain sentence. */
  readonly message: string;
}

/** A watch that looks inside the model at the end of each epoch. */
export function eachObservation(
  look: (observed: Observation, run: RunDescription, epoch: EpochRecord) => readonly Alarm[],
): Monitor["watch"] {
  return (run) => (record) => (record.kind === "epoch" && record.observed !== null ? look(record.observed, run, record) : null);
}

/** `93 %`, with the digits that tell 0.9997 from 1 and 0.003 from 0. */
export function percent(share: number): string {
  const value = share * 100;
  const digits = value > 99.99 || value < 0.01 ? 0 : value > 99.9 || value < 1 ? 2 : value > 99 ? 1 : 0;
  return `${value.toFixed(digits)} %`;
}

export function formatFactor(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(2);
}
