import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkFile } from "../../compiler/driver.ts";
import { annealings } from "../../compiler/training/annealings.ts";
import { trainingPlan } from "../../compiler/training/plan.ts";
import type { EpochRecord, EventRecord, FindingRecord, RunDescription, RunRecord, TaskMetrics } from "../../runtime/runs/records.ts";
import { epochsOf, timeline } from "../../runtime/runs/timeline.ts";
import type { SynthPlan } from "../../runtime/synth/plan.ts";

/** Runs `plec` with arguments; throws where it does not end with 0. */
export type Plec = (args: readonly string[]) => Promise<void>;

export interface ProofOptions {
  readonly spec: string;
  /** Where customers and runs go. */
  readonly folder: string;
  readonly rows: number;
  /** Optional inputs that the second run does without. */
  readonly without: readonly string[];
}

export interface TaskProof {
  readonly task: string;
  /** Whether its labels depend on the inputs that were left out. */
  readonly planted: boolean;
  readonly metrics: TaskMetrics;
  readonly beatsBase: boolean;
  /** How much of what there is to know it knows, from 0 for the base; with all inputs and without some. */
  readonly skill: number;
  readonly skillWithout: number;
}

export interface Proof {
  readonly tasks: readonly TaskProof[];
  /** Events of the plan that did not happen when they should, and others that did. */
  readonly misplaced: readonly string[];
  /** What monitors found. */
  readonly findings: readonly string[];
}

/** How far the skill of a task may fall by chance, and at least falls when what it depends on is gone. */
export const noticeable = 0.04;

/** Makes customers, trains on them, trains without the inputs of an expert, and compares. What a folder has already is taken up. */
export async function prove(plec: Plec, { spec, folder, rows, without }: ProofOptions): Promise<Proof> {
  mkdirSync(folder, { recursive: true });
  const at = (name: string) => join(folder, name);
  if (!existsSync(at("data.yaml")))
    await plec(["synth", spec, "--rows", String(rows), "-o", at("customers.parquet"), "--mapping", at("data.yaml")]);
  writeFileSync(at("without.yaml"), withoutInputs(readFileSync(at("data.yaml"), "utf8"), without));
  for (const [run, mapping] of [
    ["whole", "data.yaml"],
    ["without", "without.yaml"],
  ] as const)
    await plec(["train", spec, "--data", at(mapping), "--out", at(run), ...(existsSync(at(run)) ? ["--resume"] : [])]);
  const plan = JSON.parse(readFileSync(at("customers.parquet.json"), "utf8")) as SynthPlan;
  const [whole, less] = [recordsOf(at("whole")), recordsOf(at("without"))];
  const [metrics, metricsWithout] = [lastMetrics(whole), lastMetrics(less)];
  const removed = new Set(
    plan.sources.filter(({ columns }) => columns.every(({ input }) => without.includes(input))).map(({ name }) => name),
  );
  if (removed.size === 0)
    throw new Error(`no label depends on ${without.join(", ")} alone; the sources are in ${at("customers.parquet.json")}`);
  return {
    tasks: plan.tasks.map(({ name, sources }) => {
      const [own, other] = [metrics[name], metricsWithout[name]];
      if (own === undefined || other === undefined) throw new Error(`${name} was not measured`);
      const planted = sources.some((source) => removed.has(source));
      return { task: name, planted, metrics: own, beatsBase: beatsBase(own), skill: skillOf(own), skillWithout: skillOf(other) };
    }),
    misplaced: misplaced(spec, JSON.parse(readFileSync(at("whole/run.json"), "utf8")) as RunDescription, whole),
    findings: whole
      .filter((record): record is FindingRecord => record.kind === "finding")
      .map(({ monitor, message }) => `${monitor}: ${message}`),
  };
}

function withoutInputs(mapping: string, names: readonly string[]): string {
  const lines = mapping.split("\n");
  const isOf = (line: string) => names.some((name) => line.startsWith(`  ${name}:`));
  for (const name of names) if (!lines.some((line) => line.startsWith(`  ${name}:`))) throw new Error(`the mapping has no input ${name}`);
  return lines.filter((line) => !isOf(line)).join("\n");
}

function recordsOf(run: string): readonly RunRecord[] {
  const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as RunRecord);
}

function lastMetrics(records: readonly RunRecord[]): Readonly<Record<string, TaskMetrics>> {
  const epochs = records.filter((record): record is EpochRecord => record.kind === "epoch");
  return epochs.at(-1)?.splits.test ?? {};
}

/** Rows that an embedding is compared with, and how many of them count as found. */
const [compared, found] = [512, 10];

function beatsBase({ loss, base_loss, auc, log_loss, base_log_loss, rmse, base_rmse, recall_at_10, rows }: TaskMetrics): boolean {
  if (auc !== undefined) return auc > 0.5 && base_loss !== undefined && loss < base_loss;
  if (log_loss !== undefined) return log_loss < (base_log_loss ?? 0);
  if (rmse !== undefined) return rmse < (base_rmse ?? 0);
  return (recall_at_10 ?? 0) > found / Math.min(compared, rows);
}

function skillOf({ auc, log_loss, base_log_loss, rmse, base_rmse, recall_at_10 }: TaskMetrics): number {
  if (auc !== undefined) return 2 * auc - 1;
  if (log_loss !== undefined) return 1 - log_loss / (base_log_loss ?? Number.NaN);
  if (rmse !== undefined) return 1 - (rmse / (base_rmse ?? Number.NaN)) ** 2;
  return recall_at_10 ?? 0;
}

/** Compares what happened with the plan of the spec. A phase that ended early leaves out what it would still have had. */
function misplaced(spec: string, description: RunDescription, records: readonly RunRecord[]): readonly string[] {
  const model = checkFile(spec).models.find(({ name }) => name === description.model);
  if (model === undefined) throw new Error(`${spec} has no model ${description.model}`);
  const plan = trainingPlan(model);
  const events = records.filter((record): record is EventRecord => record.kind === "event");
  const stops = events.filter(({ event }) => event === "early_stop").map(({ epoch }) => epoch);
  const phaseOf = (epoch: number) => description.phases.findLastIndex(({ start }) => start <= epoch);
  const skipped = (epoch: number) => stops.some((stop) => phaseOf(stop - 1) === phaseOf(epoch) && stop <= epoch);
  const expected = timeline(plan, annealings(model, epochsOf(plan))).filter(({ epoch, phase }) => phase === null || !skipped(epoch));
  const planned = new Set(["phase", "freeze", "restart", "adatt", "anneal"]);
  const shown = ({ epoch, event, text }: Pick<EventRecord, "epoch" | "event" | "text">) => `${event} at ${epoch}: ${text}`;
  const told = events.filter(({ event }) => planned.has(event));
  // What is due while an epoch is skipped happens at the next one.
  const due = expected.map((moment) => ({
    ...moment,
    epoch: told.find(({ text, epoch }) => text === moment.text && epoch >= moment.epoch && skipped(moment.epoch))?.epoch ?? moment.epoch,
  }));
  const [actual, wanted] = [told.map(shown), due.map(shown)];
  return [
    ...wanted.filter((text) => !actual.includes(text)).map((text) => `missing: ${text}`),
    ...actual.filter((text) => !wanted.includes(text)).map((text) => `unplanned: ${text}`),
  ];
}
