import type { CheckedModel } from "../../compiler/model.ts";
import type { AbsentInputs } from "../../compiler/passes/fold-absent.ts";
import { annealings } from "../../compiler/training/annealings.ts";
import type { Phase, TrainingPlan } from "../../compiler/training/plan.ts";
import { PlanError } from "../../compiler/training/trainable.ts";
import { drawWeights } from "../../compiler/weights.ts";
import type { Dataset } from "../data/dataset.ts";
import { trainSplit } from "../data/mapping.ts";
import { makeTensor } from "../engine.ts";
import { EarlyStopping } from "../training/early-stopping.ts";
import type { State } from "../training/state.ts";
import { plecVersion } from "../version.ts";
import { absentInputs } from "./absent-inputs.ts";
import { type Checkpoint, type Progress, type StoredCheckpoint, writeCheckpoint } from "./checkpoint.ts";
import type { EngineFactory } from "./engine-factory.ts";
import { Evaluator, evaluationRows } from "./evaluator.ts";
import type { NonFinite } from "./find-non-finite.ts";
import { Monitors } from "./monitors/monitors.ts";
import { Observer, observedRows } from "./observe.ts";
import { PhaseSteps, type StepTime, wrongTerms } from "./phase-steps.ts";
import type { EventRecord, Observation, RunDescription, RunRecord, SplitMetrics } from "./records.ts";
import type { RunFolder } from "./run-folder.ts";
import { selectionLoss } from "./selection.ts";
import { TermSums } from "./term-sums.ts";
import { epochsOf, type Moment, timeline } from "./timeline.ts";

export interface TrainJob {
  readonly model: CheckedModel;
  /** Its seed is the run's. */
  readonly plan: TrainingPlan;
  readonly data: Dataset;
  readonly folder: RunFolder;
  readonly description: RunDescription;
  readonly factory: EngineFactory;
  /** Where to go on; null begins anew. */
  readonly from: StoredCheckpoint | null;
  /** Batches between two checkpoints within an epoch; null leaves it to the time that has passed. */
  readonly checkpointEvery: number | null;
  /** Bytes that the machine has. */
  readonly memory: number;
  /** Writes what a run begins or goes on with; called once nothing stands against it. */
  readonly begin: () => void;
  /** Ends the run after the batch under way, with a checkpoint. */
  readonly signal: AbortSignal;
  readonly watch: RunWatcher;
}

/** Sees a run while it goes on. */
export interface RunWatcher {
  /** After each batch. */
  step(at: StepView): void;
  /** For each line of metrics.jsonl. */
  record(record: RunRecord): void;
}

export interface StepView {
  readonly phase: Phase;
  readonly epoch: number;
  /** Of the whole run. */
  readonly step: number;
  /** Batches of this epoch, and of an epoch. */
  readonly batch: number;
  readonly batches: number;
  readonly rows: number;
  readonly report: ReadonlyMap<string, number>;
}

export type TrainOutcome =
  | { readonly kind: "finished"; readonly progress: Progress; readonly splits: SplitMetrics }
  | { readonly kind: "interrupted"; readonly progress: Progress }
  | { readonly kind: "not_finite"; readonly failure: NotFinite };

/** A loss or gradient that is no number. Weights are as they were before the step. */
export interface NotFinite {
  readonly phase: number;
  readonly epoch: number;
  readonly step: number;
  /** Terms of the report that are no numbers. */
  readonly terms: readonly string[];
  /** The first op that made one; null where it was not found. */
  readonly origin: NonFinite | null;
}

/** Steps records of an epoch. */
const recordsPerEpoch = 20;
/** Seconds between two checkpoints within an epoch, where their number is not given. */
const checkpointSeconds = 60;

/**
 * Trains as the plan says, phase by phase. The same model, plan, data and seed give the same weights, bit for bit, on one engine, whether the run is
 * interrupted and resumed or not.
 *
 * @throws DataError for a wrong value, PlanError, also for batches that do not fit into memory, EngineMissing, and errors of the file system; the last checkpoint is intact then.
 * What the first phase cannot do is found before anything is written.
 */
export async function train(job: TrainJob): Promise<TrainOutcome> {
  const run = new Run(job);
  try {
    return await run.train();
  } finally {
    await run.close();
  }
}

class Run {
  readonly #job: TrainJob;
  readonly #batches: number;
  readonly #timeline: readonly Moment[];
  readonly #weights: ReturnType<typeof drawWeights>;
  readonly #absent: AbsentInputs;
  #state: State;
  #progress: Progress;
  #sums: TermSums;
  #early: EarlyStopping;
  readonly #monitors: Monitors;
  #evaluator: Evaluator | null = null;
  #observer: Observer | null = null;
  #splits: SplitMetrics = {};
  /** The steps of the phase that the run begins with, until that begins. */
  #first: PhaseSteps | null;

  constructor(job: TrainJob) {
    const { model, plan, data, from } = job;
    this.#job = job;
    this.#monitors = new Monitors(job.description);
    this.#batches = Math.ceil((data.splits[0]?.rows ?? 0) / plan.batch);
    this.#timeline = timeline(plan, annealings(model, epochsOf(plan)));
    this.#weights = drawWeights({ params: model.parameters }, plan.seed);
    this.#absent = absentInputs(model, data.bound, this.#weights);
    this.#state = from?.state ?? this.#freshWeights();
    this.#progress = from?.checkpoint.progress ?? atBeginning;
    this.#sums = new TermSums(this.#progress.sums);
    this.#early = new EarlyStopping(plan.earlyStop, this.#progress.early);
    this.#first = this.#isOver(this.#phase) ? null : this.#makeSteps();
  }

  async close(): Promise<void> {
    await this.#evaluator?.close();
    await this.#observer?.close();
  }

  /** Every parameter, those that no loss reaches among them. */
  #freshWeights(): State {
    return new Map(
      this.#job.model.parameters.map(({ name, value }) => {
        const data = this.#weights.get(name);
        if (data === undefined) throw new Error(`there are no weights for ${name}`);
        return [`param/${name}`, makeTensor("f32", value.type.shape.map(Number), data)] as const;
      }),
    );
  }

  async train(): Promise<TrainOutcome> {
    const { plan, from, folder, begin } = this.#job;
    begin();
    if (from === null) {
      this.#tell("start", `${this.#job.model.name} with seed ${plan.seed}`);
      this.#save(["last"]);
    } else {
      folder.rewind(this.#progress.metricsBytes);
      for (const record of folder.records()) this.#monitors.take(record);
      this.#tell("resume", `from step ${this.#progress.step}`);
    }
    for (;;) {
      const end = await this.#trainPhase(this.#phase);
      if (end !== null) return end;
      const next = plan.phases[this.#progress.phase + 1];
      if (next === undefined) break;
      this.#early = new EarlyStopping(plan.earlyStop);
      this.#move({ phase: this.#progress.phase + 1, epoch: next.start, batch: 0, stopped: false, early: this.#early.progress });
    }
    this.#tell("end", `after ${this.#progress.step} steps`);
    this.#save(["last"]);
    return { kind: "finished", progress: this.#progress, splits: this.#splits };
  }

  get #phase(): Phase {
    const phase = this.#job.plan.phases[this.#progress.phase];
    if (phase === undefined) throw new Error(`the plan has no phase ${this.#progress.phase}`);
    return phase;
  }

  #isOver(phase: Phase): boolean {
    return this.#progress.stopped || this.#progress.epoch >= phase.start + phase.epochs;
  }

  /** The steps of the phase at hand. */
  #makeSteps(): PhaseSteps {
    const { model, plan, factory } = this.#job;
    const steps = new PhaseSteps(model, plan, this.#progress.phase, factory, this.#absent);
    this.#requireMemory(steps);
    return steps;
  }

  /** Trains what is left of a phase; null once it is over. */
  async #trainPhase(phase: Phase): Promise<TrainOutcome | null> {
    const { epoch, batch } = this.#progress;
    if (this.#isOver(phase)) return null;
    const steps = this.#first ?? this.#makeSteps();
    this.#first = null;
    try {
      const begins = epoch === phase.start && batch === 0;
      this.#state = begins ? steps.begin(this.#weights, this.#state) : steps.resume(this.#weights, this.#state);
      while (!this.#isOver(phase)) {
        const started = performance.now();
        const end = await this.#trainEpoch(phase, steps);
        if (end !== null) return end;
        await this.#finishEpoch(phase, (performance.now() - started) / 1000);
      }
      return null;
    } finally {
      await steps.close();
    }
  }

  /** Says so before a batch that cannot fit takes the machine down. A GPU has memory of its own. */
  #requireMemory(steps: PhaseSteps): void {
    const { plan, data, description, memory } = this.#job;
    if (description.engine !== "ort") return;
    const rows = Math.min(plan.batch, data.splits[0]?.rows ?? 0);
    const needed = steps.memoryOf(rows);
    if (needed <= memory) return;
    const gigabytes = (bytes: number) => (bytes / 1e9).toPrecision(2);
    throw new PlanError(
      `a batch of ${rows} rows needs ${gigabytes(needed)} GB at least, and this machine has ${gigabytes(memory)}; make \`batch\` smaller, and \`accumulate\` as many of them`,
    );
  }

  /** Trains what is left of an epoch; null once it is over. */
  async #trainEpoch(phase: Phase, steps: PhaseSteps): Promise<TrainOutcome | null> {
    const { plan, data, signal, watch } = this.#job;
    const { epoch, batch: from } = this.#progress;
    const recordEvery = Math.max(1, Math.floor(this.#batches / recordsPerEpoch));
    const recent = { sums: new TermSums(), rows: 0, since: performance.now() };
    let saved = performance.now();
    const shuffle = { seed: plan.seed, epoch };
    for await (const batch of data.batches({ split: trainSplit, size: plan.batch, shuffle, from })) {
      const time = { epoch: epoch + batch.index / this.#batches, step: this.#progress.step, last: batch.index === this.#batches - 1 };
      this.#tellMoments(time.epoch);
      const { state, report } = await steps.run(this.#state, batch.tensors, time);
      if (wrongTerms(report).length > 0)
        return this.#stopNotFinite(report, time, await steps.findNonFinite(this.#state, batch.tensors, time));
      this.#state = state;
      this.#sums.add(report);
      recent.sums.add(report);
      recent.rows += batch.rows;
      this.#move({ batch: batch.index + 1, step: this.#progress.step + 1 });
      watch.step({ phase, epoch, step: this.#progress.step, batch: batch.index + 1, batches: this.#batches, rows: batch.rows, report });
      if ((batch.index + 1) % recordEvery === 0 || time.last) {
        const now = performance.now();
        const seconds = (now - recent.since) / 1000;
        const at = epoch + (batch.index + 1) / this.#batches;
        this.#record({ kind: "steps", epoch: at, step: this.#progress.step, rows: recent.rows, seconds, terms: recent.sums.means() });
        Object.assign(recent, { sums: new TermSums(), rows: 0, since: now });
      }
      if (signal.aborted) {
        this.#tell("interrupted", `after step ${this.#progress.step}`);
        this.#save(["last"]);
        return { kind: "interrupted", progress: this.#progress };
      }
      if (!time.last && this.#isTimeToSave(saved)) {
        this.#save(["last"]);
        saved = performance.now();
      }
    }
    return null;
  }

  #isTimeToSave(saved: number): boolean {
    const { checkpointEvery } = this.#job;
    if (checkpointEvery !== null) return this.#progress.step % checkpointEvery === 0;
    return performance.now() - saved > 1000 * checkpointSeconds;
  }

  async #finishEpoch(phase: Phase, seconds: number): Promise<void> {
    const train = this.#sums.means();
    this.#splits = await this.#evaluate();
    const epoch = this.#progress.epoch + 1;
    const { step } = this.#progress;
    const observed = await this.#observe(epoch);
    this.#record({ kind: "epoch", epoch, step, phase: phase.name, seconds, train, splits: this.#splits, observed });
    const loss = selectionLoss(this.#job.description, { splits: this.#splits, train });
    const { stop } = this.#early.observe(loss);
    const best = this.#progress.best === null || loss < this.#progress.best.loss ? { epoch, loss } : this.#progress.best;
    const isBest = best !== this.#progress.best;
    this.#sums = new TermSums();
    this.#move({ epoch, batch: 0, stopped: stop, early: this.#early.progress, best });
    if (stop) this.#tell("early_stop", `nothing has improved for ${this.#job.plan.earlyStop} epochs: phase ${phase.name} is over`);
    // The best one first: should only it be written, the same epoch is trained again and gives it again.
    this.#save(isBest ? ["best", "last"] : ["last"]);
  }

  async #evaluate(): Promise<SplitMetrics> {
    const { model, data, description, factory } = this.#job;
    const held = data.splits.filter(({ name }) => name !== trainSplit);
    if (held.length === 0) return {};
    this.#evaluator ??= await Evaluator.open(model, description.tasks, factory, this.#absent);
    const splits: Record<string, SplitMetrics[string]> = {};
    for (const { name } of held)
      splits[name] = await this.#evaluator.evaluate(
        this.#state,
        data.batches({ split: name, size: evaluationRows }),
        this.#progress.epoch + 1,
      );
    return splits;
  }

  /** Looks inside on rows that are held out, where there are any: the same ones each time. */
  async #observe(epoch: number): Promise<Observation> {
    const { model, plan, data, factory } = this.#job;
    this.#observer ??= await Observer.open(model, factory, this.#absent);
    const split = data.splits.find(({ name }) => name !== trainSplit)?.name ?? trainSplit;
    const shuffle = { seed: plan.seed, epoch: 0, buffer: 8 * observedRows };
    return this.#observer.observe(this.#state, data.batches({ split, size: observedRows, shuffle }), epoch);
  }

  #stopNotFinite(report: ReadonlyMap<string, number>, { epoch }: StepTime, origin: NonFinite | null): TrainOutcome {
    const terms = [...report].flatMap(([name, value]) => (Number.isFinite(value) ? [] : [name]));
    const { step, phase } = this.#progress;
    const where = origin === null ? "" : `: ${origin.op} at ${origin.path} made ${origin.found}`;
    this.#tell("not_finite", `${terms.join(", ")} at step ${step}${where}`, epoch);
    return { kind: "not_finite", failure: { phase, epoch, step, terms, origin } };
  }

  #tellMoments(epoch: number): void {
    for (let moment = this.#timeline[this.#progress.told]; moment !== undefined && moment.epoch <= epoch; ) {
      this.#move({ told: this.#progress.told + 1 });
      if (moment.phase === null || moment.phase === this.#progress.phase) this.#tell(moment.event, moment.text, epoch);
      moment = this.#timeline[this.#progress.told];
    }
  }

  #tell(event: EventRecord["event"], text: string, epoch = this.#progress.epoch + this.#progress.batch / Math.max(1, this.#batches)): void {
    this.#record({ kind: "event", epoch, step: this.#progress.step, event, text });
  }

  #record(record: RunRecord): void {
    for (const each of [record, ...this.#monitors.take(record)]) {
      this.#job.folder.append(each);
      this.#job.watch.record(each);
    }
  }

  #move(changes: Partial<Progress>): void {
    this.#progress = { ...this.#progress, ...changes };
  }

  #save(names: readonly ("last" | "best")[]): void {
    const { model, plan, data, folder, description } = this.#job;
    this.#move({ sums: this.#sums.sums, metricsBytes: folder.metricsBytes });
    const checkpoint: Checkpoint = {
      version: 1,
      plec: plecVersion(),
      model: model.name,
      hash: model.hash,
      engine: description.engine,
      seed: plan.seed,
      progress: this.#progress,
      preparation: data.preparation,
    };
    writeCheckpoint(folder.path, names, checkpoint, this.#state);
  }
}

const atBeginning: Progress = {
  phase: 0,
  epoch: 0,
  batch: 0,
  step: 0,
  stopped: false,
  early: { best: null, since: 0 },
  best: null,
  sums: {},
  told: 0,
  metricsBytes: 0,
};
