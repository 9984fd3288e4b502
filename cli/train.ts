import { totalmem } from "node:os";
import { join, resolve } from "node:path";
import { libraryFolder } from "../compiler/driver.ts";
import { sizeOf } from "../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../compiler/model.ts";
import { type TrainingPlan, trainingPlan } from "../compiler/training/plan.ts";
import { PlanError } from "../compiler/training/trainable.ts";
import { contractOf } from "../runtime/data/contract.ts";
import { type Dataset, sameRows } from "../runtime/data/dataset.ts";
import { EngineMissing } from "../runtime/engine.ts";
import type { TfjsBackend } from "../runtime/engines/tfjs-backends.ts";
import { writeReport } from "../runtime/report/write-report.ts";
import { describeNonFinite } from "../runtime/runs/catalogue.ts";
import {
  CheckpointError,
  type CheckpointName,
  checkpointPath,
  readCheckpoint,
  requireCheckpointOf,
  type StoredCheckpoint,
  sameMapping,
} from "../runtime/runs/checkpoint.ts";
import { describeRun } from "../runtime/runs/describe-run.ts";
import { engineFactory } from "../runtime/runs/engine-factory.ts";
import type { RunDescription, RunEngine } from "../runtime/runs/records.ts";
import { RunFolder, specFiles } from "../runtime/runs/run-folder.ts";
import { lockRun, RunLocked } from "../runtime/runs/run-lock.ts";
import { type NotFinite, type RunWatcher, type TrainOutcome, train as trainRun } from "../runtime/runs/train.ts";
import { announcing } from "./announce-engine.ts";
import { describeSystemError, isSystemError } from "./atomic-write.ts";
import { printFindings } from "./findings.ts";
import { CommandError, exitCodes, type Io } from "./io.ts";
import { checkSpec, chooseModel } from "./load-model.ts";
import { loadMapping, openData, withDataErrors } from "./open-data.ts";
import { formatCount, plural } from "./table.ts";
import { TrainDisplay } from "./train-display.ts";
import { plecVersion } from "./version.ts";

interface TrainOptions {
  readonly data: string;
  readonly out: string;
  readonly engine?: RunEngine;
  readonly backend?: TfjsBackend;
  readonly resume?: boolean;
  readonly epochs?: number;
  readonly seed?: number;
  readonly checkpointEvery?: number;
  readonly model?: string;
  readonly json?: boolean;
}

export async function train(spec: string, options: TrainOptions, io: Io): Promise<number> {
  const checked = checkSpec(spec);
  const model = chooseModel(checked, options.model, io);
  const folder = new RunFolder(options.out);
  const before = existingRun(folder, options);
  const engine = options.engine ?? before?.description.engine ?? "ort";
  if (options.backend !== undefined && engine !== "tfjs") throw new CommandError("--backend goes with --engine tfjs");
  const from = before === null ? null : checkpointToResume(folder, model);
  const plan = planOf(model, before?.description ?? null, options);
  requireEpochsAhead(from, options);
  const mapping = loadMapping(options.data, io);
  const output = options.json === true ? io.stderr : io.stdout;
  const statistics = from?.checkpoint.preparation.statistics;
  const data = await openData(contractOf(model), mapping, statistics === undefined ? {} : { statistics }, io);
  let unlock = () => {};
  try {
    if (before !== null && from !== null) await requireSameData(before.description, from, data, options);
    const files = specFiles(resolve(spec), checked.dependencies, libraryFolder());
    const settings = { model, plan, data, engine, backend: options.backend ?? null, spec: files.spec };
    const run = { ...settings, fingerprint: await data.fingerprint(), started: new Date().toISOString() };
    const fresh = describeRun(run, plecVersion());
    const description = from === null || before === null ? fresh : { ...before.description, engine, phases: fresh.phases };
    unlock = lockRun(folder.path);
    const rows = data.splits.map(({ name, rows: count }) => `${name} ${formatCount(count)}`).join(", ");
    const size = model.parameters.reduce((total, { value }) => total + sizeOf(value.type.shape.map(Number)), 0);
    const display = new TrainDisplay(
      output,
      description.phases.reduce((total, { epochs }) => total + epochs, 0),
    );
    const watch: RunWatcher = {
      step: (at) => display.step(at),
      record: (record) => {
        display.record(record);
        if (record.kind === "epoch" || (record.kind === "event" && ends.has(record.event))) writeReport(folder.path);
      },
    };
    const outcome = await untilInterrupted((signal) =>
      withDataErrors(options.data, io, () =>
        trainRun({
          model,
          plan,
          data,
          folder,
          description,
          factory: announcing(engineFactory(engine, options.backend), options, io),
          from,
          checkpointEvery: options.checkpointEvery ?? null,
          memory: totalmem(),
          begin: () => {
            if (from === null) folder.create(description, files);
            else folder.describe(description);
            output.write(`${model.name}: ${plural(size, "parameter")}, ${engine}; rows: ${rows}\n`);
          },
          signal,
          watch,
        }),
      ),
    );
    return report(outcome, model, spec, options, io);
  } catch (error) {
    throw describeFailure(error, model, folder);
  } finally {
    unlock();
    data.close();
  }
}

/** After these, the report is written for a last time. */
const ends: ReadonlySet<string> = new Set(["end", "interrupted", "not_finite"]);

/** The run that a folder holds, when it is to go on; null for a new one. */
function existingRun(folder: RunFolder, { resume }: TrainOptions): { readonly description: RunDescription } | null {
  const { path } = folder;
  if (folder.isInTheWay) throw new CommandError(`${path} is a file; name a folder for the run`);
  if (resume !== true) {
    const { firstItem } = folder;
    if (folder.isRun) throw new CommandError(`${path} holds a run: go on with it by --resume, or name another folder`);
    if (firstItem !== null) throw new CommandError(`${path} holds ${firstItem}, which is no part of a run; name another folder`);
    return null;
  }
  if (!folder.isRun) throw new CommandError(`${path} holds no run to go on with; leave --resume out to begin one`);
  try {
    return { description: folder.description() };
  } catch (error) {
    if (error instanceof SyntaxError) throw new CommandError(`${path}/run.json is broken: ${error.message}`, exitCodes.findings);
    throw error;
  }
}

/** Where to go on; null for a run that was ended before its first checkpoint. */
function checkpointToResume(folder: RunFolder, model: CheckedModel): StoredCheckpoint | null {
  const path = checkpointPath(folder.path, "last");
  try {
    const stored = readLastCheckpoint(folder, path);
    if (stored !== null) requireCheckpointOf(stored, model, path);
    return stored;
  } catch (error) {
    throw describeFailure(error, model, folder);
  }
}

/** @throws CheckpointError for one that is broken or gone; it says how to go on from the best one */
function readLastCheckpoint({ path: run }: RunFolder, path: string): StoredCheckpoint | null {
  const best = readableCheckpoint(run, "best");
  const remedy = best === null ? "" : `; copy ${checkpointPath(run, "best")} there to go on from epoch ${best.checkpoint.progress.epoch}`;
  try {
    const stored = readCheckpoint(run, "last");
    if (stored === null && best !== null) throw new CheckpointError(`${path} is gone`);
    return stored;
  } catch (error) {
    throw error instanceof CheckpointError ? new CheckpointError(`${error.message}${remedy}`) : error;
  }
}

/** The spec's plan with what the command line changes. What a run was begun with holds when it goes on. */
function planOf(model: CheckedModel, before: RunDescription | null, { epochs, seed }: TrainOptions): TrainingPlan {
  const plan = trainingPlan(model);
  if (before !== null && seed !== undefined && seed !== before.seed)
    throw new CommandError(`the run was begun with seed ${before.seed}; leave --seed out, or begin another run`);
  const phases = epochs === undefined ? (before?.phases ?? plan.phases) : cutPhases(plan, epochs);
  return { ...plan, seed: before?.seed ?? seed ?? plan.seed, phases };
}

function requireEpochsAhead(from: StoredCheckpoint | null, { epochs, out }: TrainOptions): void {
  const { epoch = 0, batch = 0 } = from?.checkpoint.progress ?? {};
  const begun = epoch + (batch > 0 ? 1 : 0);
  if (epochs !== undefined && epochs < begun) throw new CommandError(`--epochs ${epochs}: ${out} is in epoch ${begun} already`);
}

/** One phase is as long as asked for; of several, those are trained that begin before. */
function cutPhases({ phases }: TrainingPlan, epochs: number): TrainingPlan["phases"] {
  if (epochs === 0) throw new CommandError("--epochs 0 trains nothing");
  const total = phases.reduce((sum, phase) => sum + phase.epochs, 0);
  if (phases.length === 1) return phases.map((phase) => ({ ...phase, epochs }));
  if (epochs > total) throw new CommandError(`--epochs ${epochs}: the phases of the spec have ${total}; make one of them longer there`);
  return phases.filter(({ start }) => start < epochs).map((phase) => ({ ...phase, epochs: Math.min(phase.epochs, epochs - phase.start) }));
}

async function requireSameData(before: RunDescription, from: StoredCheckpoint, data: Dataset, { data: path }: TrainOptions): Promise<void> {
  if (!sameMapping(from.checkpoint.preparation, data.preparation))
    throw new CommandError(`${path} is not the mapping that the run was begun with; put it back, or begin another run`, exitCodes.findings);
  for (const { name, rows } of data.splits) {
    const expected = before.rows[name] ?? 0;
    if (rows !== expected)
      throw new CommandError(
        `split ${name} has ${plural(rows, "row")}, and the run was begun with ${formatCount(expected)}`,
        exitCodes.findings,
      );
  }
  if (!sameRows(await data.fingerprint(), before.data))
    throw new CommandError(
      `the values or the order of the rows in ${data.table.place} are not those that the run was begun with; put them back, or begin another run`,
      exitCodes.findings,
    );
}

/** The first signal lets the batch under way end and saves; the second ends at once. */
async function untilInterrupted<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(exitCodes.interrupted);
    controller.abort();
  };
  const signals = ["SIGINT", "SIGTERM"] as const;
  // With a handler, a limit on the size of files is an error of the write and not the end of the process.
  const limited = () => {};
  process.on("SIGXFSZ", limited);
  for (const signal of signals) process.on(signal, stop);
  try {
    return await run(controller.signal);
  } finally {
    for (const signal of signals) process.off(signal, stop);
    process.off("SIGXFSZ", limited);
  }
}

function report(outcome: TrainOutcome, model: CheckedModel, spec: string, { out, data, json }: TrainOptions, io: Io): number {
  if (json === true) {
    const { kind } = outcome;
    const body =
      outcome.kind === "not_finite"
        ? { step: outcome.failure.step, terms: outcome.failure.terms, origin: originOf(outcome.failure) }
        : { step: outcome.progress.step, best: outcome.progress.best, splits: outcome.kind === "finished" ? outcome.splits : {} };
    io.stdout.write(`${JSON.stringify({ version: 1, run: out, outcome: kind, ...body })}\n`);
  }
  const resume = `plec train ${spec} --data ${data} --out ${out} --resume`;
  switch (outcome.kind) {
    case "finished":
      if (json !== true)
        io.stdout.write(
          `${out}: ${plural(outcome.progress.step, "step")}; weights in ${checkpointPath(out, "best")}, report in ${join(out, "report.html")}\n`,
        );
      return exitCodes.clean;
    case "interrupted":
      io.stderr.write(`plec: stopped after step ${outcome.progress.step}, all of it saved; go on with\n  ${resume}\n`);
      return exitCodes.interrupted;
    case "not_finite": {
      const { step, terms } = outcome.failure;
      const shown = terms.length > 4 ? `${terms.slice(0, 4).join(", ")} and ${terms.length - 4} more` : terms.join(", ");
      io.stderr.write(`plec: training stopped at step ${step}: not a finite number: ${shown}\n`);
      if (outcome.failure.origin !== null) printFindings([describeNonFinite(model, outcome.failure.origin)], io.stderr, io);
      io.stderr.write(`The weights before it are in ${checkpointPath(out, "last")}.\n`);
      return exitCodes.findings;
    }
  }
}

/** The op that made a NaN or an infinity, for machines. */
function originOf({ origin }: NotFinite) {
  if (origin === null) return null;
  const { op, path, span, found } = origin;
  return { op, path, found, file: span?.source.name ?? null, line: span === null ? null : span.source.position(span.start).line };
}

function describeFailure(error: unknown, model: CheckedModel, folder: RunFolder): unknown {
  if (error instanceof PlanError) return new CommandError(`${model.name}: ${error.message}`, exitCodes.findings);
  if (error instanceof EngineMissing || error instanceof CheckpointError || error instanceof RunLocked)
    return new CommandError(error.message, exitCodes.findings);
  if (error instanceof SyntaxError) return new CommandError(`${folder.metricsPath} is broken: ${error.message}`, exitCodes.findings);
  if (!isSystemError(error)) return error;
  const kept = readableCheckpoint(folder.path, "last") !== null ? "; the last checkpoint is as it was, and --resume goes on from it" : "";
  return new CommandError(`cannot write to ${folder.path}: ${describeSystemError(error)}${kept}`, exitCodes.findings);
}

/** null where there is none, and for one that is broken. */
function readableCheckpoint(run: string, name: CheckpointName): StoredCheckpoint | null {
  try {
    return readCheckpoint(run, name);
  } catch {
    return null;
  }
}
