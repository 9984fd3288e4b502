import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { EventRecord, RunDescription, RunRecord, TaskMetrics } from "../../runtime/runs/records.ts";

const experts = ["graph", "diagram", "cross", "sequence", "causal"];
const phaseAt = 0.6;

export interface MadeUpRun {
  readonly tasks: readonly string[];
  /** After the last epoch. */
  readonly affinity: readonly (readonly number[])[];
}

/** Writes what a run with every kind of record would: losses that fall, gates that part, an edge that dominates. Plain formulas of epoch and task. */
export function writeMadeUpRun(
  folder: string,
  {
    tasks: count,
    epochs,
    lr = 5e-4,
    better = 0,
  }: { readonly tasks: number; readonly epochs: number; readonly lr?: number; readonly better?: number },
): MadeUpRun {
  const tasks = Array.from({ length: count }, (_, i) => `task_${i}`);
  const refine = Math.ceil(epochs * phaseAt);
  const affinityAt = (epoch: number) =>
    tasks.map((_, i) => tasks.map((_, j) => (i === j ? 1 : Math.cos(i - 2 * j) * Math.min(1, epoch / 10))));
  const records: RunRecord[] = [];
  const tell = (epoch: number, event: EventRecord["event"], text: string) =>
    records.push({ kind: "event", epoch, step: 40 * epoch, event, text });
  tell(0, "start", "MadeUp with seed 0");
  tell(0, "phase", `phase joint: ${refine} epochs, learning rate ${lr}`);
  for (let epoch = 1; epoch <= epochs; epoch++) {
    if (epoch === refine) tell(epoch - 1, "freeze", "gates and affinities stay as they are");
    if (epoch === refine + 1) tell(epoch - 1, "phase", "phase refine: its gates are frozen");
    for (let part = 1; part <= 4; part++) {
      const at = epoch - 1 + part / 4;
      const terms: Record<string, number> = {
        "metric/total": 6 + 12 * Math.exp(-at / 6),
        "metric/learning_rate": lr * (1 + Math.cos(at)),
        "metric/gradient_norm": 2 + Math.sin(9 * at),
      };
      for (const [i, task] of tasks.entries()) {
        terms[`loss/${task}`] = (0.3 + 0.05 * i) * (1 + Math.exp(-at / 5));
        terms[`weight/${task}`] = 1 + 0.1 * Math.sin(at + i);
        terms[`penalty/cgc/${task}/entropy`] = -1.6 + 0.01 * at * (i + 1);
      }
      records.push({ kind: "steps", epoch: at, step: 10 * (4 * (epoch - 1) + part), rows: 2000, seconds: 0.5, terms });
    }
    const metricsOf = (i: number): TaskMetrics => ({
      rows: 4000,
      loss: 0.3 + 0.05 * i + 0.2 * Math.exp(-epoch / 5) - better,
      auc: 0.9 - 0.01 * i - 0.2 * Math.exp(-epoch / 4) + better,
      log_loss: 0.3 + 0.05 * i,
      base_log_loss: 0.6,
      ece: 0.02,
      calibration: Array.from({ length: 10 }, (_, bin) => ({
        predicted: bin / 10 + 0.05,
        observed: bin / 10 + 0.05 + 0.02 * Math.sin(bin + i),
        rows: 400,
      })),
    });
    const observed = {
      gates: Object.fromEntries(
        tasks.map((task, i) => {
          const raw = experts.map((_, j) => Math.exp(0.1 * epoch * Math.sin(i + j)));
          const sum = raw.reduce((total, weight) => total + weight, 0);
          return [`cgc/${task}`, { entries: experts, weights: raw.map((weight) => weight / sum), entropy: 0.9 }];
        }),
      ),
      experts: Object.fromEntries(
        experts.map((name, j) => [name, { output: 1 + 0.1 * j, gradient: 0.5 * Math.exp(-epoch / 10) + 0.05 * j, missing: 0.05 * j }]),
      ),
      routes: { daily: { defaults: 0.1 } },
      transfers: { "task_0->task_1": { share: 0.1 + 0.05 * epoch } },
      labels: Object.fromEntries(tasks.map((task) => [task, 1])),
      affinity: { tasks, values: affinityAt(epoch) },
      uncertainty: Object.fromEntries(tasks.map((task, i) => [task, -0.05 * epoch + 0.02 * i])),
    };
    const splits = { test: Object.fromEntries(tasks.map((task, i) => [task, metricsOf(i)])) };
    records.push({
      kind: "epoch",
      epoch,
      step: 40 * epoch,
      phase: epoch <= refine ? "joint" : "refine",
      seconds: 2,
      train: Object.fromEntries(tasks.map((task, i) => [`loss/${task}`, (0.3 + 0.05 * i) * (1 + Math.exp(-epoch / 5))])),
      splits,
      observed,
    });
  }
  records.push({
    kind: "finding",
    epoch: epochs,
    step: 40 * epochs,
    monitor: "transfer-dominates",
    subject: "task_0->task_1",
    value: 1.3,
    threshold: 1,
    message: "What task_0 hands over to task_1 is larger than what task_1 has of its own.",
    remedy: "Lower the strength of the edge.",
  });
  tell(epochs, "end", `after ${40 * epochs} steps`);
  const description: RunDescription = {
    version: 1,
    plec: "0.1.0",
    model: "MadeUp",
    hash: "0123456789abcdef".repeat(4),
    spec: "made-up.ple",
    engine: "ort",
    backend: null,
    seed: 0,
    started: "2026-01-02T03:04:05.000Z",
    batch: 512,
    accumulate: 1,
    parameters: 123_456,
    rows: { train: 20_000, test: 4000 },
    tasks: tasks.map((name) => ({
      name,
      kind: "binary",
      width: 1,
      group: null,
      weight: 1,
      positives: null,
      loss: "bce",
      base: { rows: 20_000, mean: 0.1, classes: null, losses: null },
    })),
    phases: [
      { name: "joint", start: 0, epochs: refine, freeze: [], lr },
      { name: "refine", start: refine, epochs: epochs - refine, freeze: ["cgc"], lr },
    ],
    adatt: { warmup: 1, freeze: refine },
    schedule: { form: "constant" },
    uncertaintyClamp: 4,
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "run.json"), JSON.stringify(description));
  writeFileSync(join(folder, "metrics.jsonl"), records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  return { tasks, affinity: affinityAt(epochs) };
}
