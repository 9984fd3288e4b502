import { symbolsOf } from "../../compiler/ir/dim.ts";
import { peakMemory } from "../../compiler/ir/live-memory.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import type { AbsentInputs } from "../../compiler/passes/fold-absent.ts";
import type { TrainingPlan } from "../../compiler/training/plan.ts";
import { gradientGraph, type TrainingGraph, trainingStep, updateGraph } from "../../compiler/training/step.ts";
import type { WeightSource } from "../../compiler/weights.ts";
import { type Batch, makeTensor, type Tensor } from "../engine.ts";
import { carriedState, initialState, type State, type StepResult, stepScalars } from "../training/state.ts";
import type { EngineFactory } from "./engine-factory.ts";
import type { NonFinite } from "./find-non-finite.ts";
import { OpenGraph } from "./open-graph.ts";

/** Where a step stands. */
export interface StepTime {
  /** Counted over all phases; 3.25 is a quarter into the fourth. */
  readonly epoch: number;
  /** Counts batches from 0. */
  readonly step: number;
  /** The last batch of its epoch: gradients that wait for more batches are applied. */
  readonly last: boolean;
}

/** The steps of one phase, each on the graph that it needs. Graphs are opened when they are first used. */
export class PhaseSteps {
  readonly #model: CheckedModel;
  readonly #plan: TrainingPlan;
  readonly #phase: number;
  readonly #factory: EngineFactory;
  readonly #absent: AbsentInputs | null;
  readonly #open = new Map<string, Promise<OpenGraph>>();
  readonly #whole: readonly [TrainingGraph, TrainingGraph?];

  /** @throws PlanError when the plan asks for what the model cannot give */
  constructor(model: CheckedModel, plan: TrainingPlan, phase: number, factory: EngineFactory, absent: AbsentInputs | null = null) {
    this.#model = model;
    this.#plan = plan;
    this.#phase = phase;
    this.#factory = factory;
    this.#absent = absent;
    // What measures adaTT's affinities reads all of the state that other graphs read, too.
    this.#whole =
      plan.accumulate === 1
        ? [trainingStep(model, plan, { phase, absent })]
        : [gradientGraph(model, plan, { phase, absent }), updateGraph(model, plan, { phase })];
  }

  /** The state before the first step of the phase: weights are carried over from the phase before, the optimiser begins anew. */
  begin(weights: WeightSource, before: State): State {
    return this.resume(weights, carriedState(before));
  }

  /** The state of a step within the phase. */
  resume(weights: WeightSource, before: State): State {
    const entries = this.#whole.flatMap((graph) => graph?.state ?? []);
    return new Map([...before, ...initialState(entries, weights, before)]);
  }

  /** Trains on a batch. The report lacks what only an update tells where gradients wait for more batches. */
  async run(state: State, batch: Batch, { epoch, step, last }: StepTime): Promise<StepResult> {
    const { accumulate, seed } = this.#plan;
    const feeds = new Map([...batch, ...stepScalars({ epoch, step, seed })]);
    const measures = this.#measures(epoch, step);
    if (accumulate === 1) return (await this.#graph("step", measures)).step(state, feeds);
    const gradients = await (await this.#graph("gradients", measures)).step(state, feeds);
    const waiting = gradients.state.get("gradient/batches")?.data[0] ?? 0;
    if (waiting < accumulate && !last) return gradients;
    const update = await (await this.#graph("update", false)).step(gradients.state, feeds);
    return { state: update.state, report: new Map([...gradients.report, ...update.report]) };
  }

  /**
   * Finds the op of a step that made a NaN or an infinity, on as few rows as the engine needs to show it.
   *
   * @returns null where the interpreter, which runs the ops one by one, gets finite numbers
   */
  async findNonFinite(state: State, batch: Batch, { epoch, step }: StepTime): Promise<NonFinite | null> {
    const scalars = stepScalars({ epoch, step, seed: this.#plan.seed });
    const graph = await this.#graph(this.#plan.accumulate === 1 ? "step" : "gradients", this.#measures(epoch, step));
    const fails = async (rows: Batch) => isWrong(await graph.step(state, new Map([...rows, ...scalars])));
    let rows = batch;
    for (let half = await failingHalf(rows, fails); half !== null; half = await failingHalf(rows, fails)) rows = half;
    return graph.findNonFinite(state, new Map([...rows, ...scalars]));
  }

  /** Bytes that a batch of so many rows needs at least: tensors that are alive at once. */
  memoryOf(rows: number): number {
    const [{ graph }] = this.#whole;
    const symbols = graph.inputs.flatMap(({ value }) => value.type.shape.flatMap(symbolsOf));
    return peakMemory(graph, new Map([...symbols.map((symbol) => [symbol, 1] as const), ["B", rows]])).bytes;
  }

  async close(): Promise<void> {
    for (const graph of this.#open.values()) await (await graph).close();
    this.#open.clear();
  }

  #measures(epoch: number, step: number): boolean {
    const { adatt } = this.#plan;
    return adatt !== null && step % adatt.every === 0 && epoch < adatt.freeze;
  }

  #graph(part: "step" | "gradients" | "update", measure: boolean): Promise<OpenGraph> {
    const key = `${part} ${measure}`;
    const before = this.#open.get(key);
    if (before !== undefined) return before;
    const opened = OpenGraph.open(this.#build(part, measure), this.#factory, measure && this.#plan.adatt?.every !== 1 ? "seldom" : "often");
    this.#open.set(key, opened);
    return opened;
  }

  #build(part: "step" | "gradients" | "update", measure: boolean): TrainingGraph {
    const whole = this.#whole[part === "update" ? 1 : 0];
    if (whole !== undefined && (part === "update" || measure || this.#plan.adatt === null)) return whole;
    return (part === "step" ? trainingStep : gradientGraph)(this.#model, this.#plan, {
      phase: this.#phase,
      measure: false,
      absent: this.#absent,
    });
  }
}

/** Terms of a report that must be finite for a step to count. */
export function wrongTerms(report: ReadonlyMap<string, number>): readonly string[] {
  return ["metric/total", "metric/gradient_norm"].filter((name) => report.has(name) && !Number.isFinite(report.get(name)));
}

function isWrong({ state, report }: StepResult): boolean {
  if (wrongTerms(report).length > 0) return true;
  return [...state].some(([name, { data }]) => name.startsWith("gradient/") && data.some((value) => !Number.isFinite(value)));
}

/** Half of the rows that fails by itself; null where none does, and for one row. */
async function failingHalf(batch: Batch, fails: (rows: Batch) => Promise<boolean>): Promise<Batch | null> {
  const rows = Math.max(0, ...[...batch.values()].map(({ shape }) => shape[0] ?? 0));
  if (rows < 2) return null;
  const middle = rows >> 1;
  for (const [start, stop] of [
    [0, middle],
    [middle, rows],
  ] as const) {
    const half = new Map([...batch].map(([name, tensor]) => [name, rowsOf(tensor, start, stop)] as const));
    if (await fails(half)) return half;
  }
  return null;
}

function rowsOf({ dtype, shape, data }: Tensor, start: number, stop: number): Tensor {
  const [rows = 1, ...rest] = shape;
  const width = data.length / Math.max(1, rows);
  return makeTensor(dtype, [stop - start, ...rest], data.slice(start * width, stop * width));
}
