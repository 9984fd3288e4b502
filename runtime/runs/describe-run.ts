import { sizeOf } from "../../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { constantLoss } from "../../compiler/training/constant-loss.ts";
import type { TrainingPlan } from "../../compiler/training/plan.ts";
import type { Dataset } from "../data/dataset.ts";
import { trainSplit } from "../data/mapping.ts";
import type { RunDescription, RunEngine, RunTask, TaskBase } from "./records.ts";

export interface RunSettings {
  readonly model: CheckedModel;
  readonly plan: TrainingPlan;
  /** Whose statistics were learned when it was opened. */
  readonly data: Pick<Dataset, "splits" | "labels">;
  readonly engine: RunEngine;
  readonly backend: string | null;
  readonly spec: string;
  /** Of the data's rows. */
  readonly fingerprint: string;
  readonly started: string;
}

/** @param version  of plec */
export function describeRun(
  { model, plan, data, engine, backend, spec, fingerprint, started }: RunSettings,
  version: string,
): RunDescription {
  const { adatt, weighting, phases, schedule, batch, accumulate, seed } = plan;
  return {
    version: 1,
    plec: version,
    model: model.name,
    hash: model.hash,
    spec,
    engine,
    backend,
    seed,
    started,
    batch,
    accumulate,
    parameters: model.parameters.reduce((total, { value }) => total + sizeOf(value.type.shape.map(Number)), 0),
    rows: Object.fromEntries(data.splits.map(({ name, rows }) => [name, rows])),
    data: fingerprint,
    tasks: model.losses.map(({ task }) => describeTask(model, task, data)),
    phases,
    adatt: adatt === null ? null : { warmup: adatt.warmup, freeze: Number.isFinite(adatt.freeze) ? adatt.freeze : null },
    schedule: { ...schedule },
    uncertaintyClamp: weighting.form === "uncertainty" ? weighting.clamp : null,
  };
}

function describeTask(model: CheckedModel, name: string, { labels }: RunSettings["data"]): RunTask {
  const task = model.tasks.find((candidate) => candidate.name === name);
  if (task === undefined) throw new Error(`${name} has a loss and is no task`);
  const { kind, width, group, weight, positives, loss } = task;
  const known = labels.find((summary) => summary.task === name && summary.split === trainSplit);
  const mean = width === 1 ? (known?.mean ?? null) : null;
  const losses = kind === "binary" && mean !== null ? constantLoss(model, name, mean) : null;
  const base: TaskBase = { rows: known?.known ?? 0, mean, classes: known?.classes ?? null, losses };
  return { name, kind, width, group, weight, positives, loss: loss?.name ?? null, base };
}
