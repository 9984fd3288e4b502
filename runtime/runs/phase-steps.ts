import type { CheckedModel } from "../../compiler/model.ts";
import type { TrainingPlan } from "../../compiler/training/plan.ts";
import { gradientGraph, type TrainingGraph, trainingStep, updateGraph } from "../../compiler/training/step.ts";
import type { WeightSource } from "../../compiler/weights.ts";
import type { Batch } from "../engine.ts";
import { carriedState, initialState, type State, type StepResult, stepScalars } from "../training/state.ts";
import type { EngineFactory } from "./engine-factory.ts";
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
  readonly #open = new Map<string, Promise<OpenGraph>>();
  readonly #whole: readonly TrainingGraph[];

  /** @throws PlanError when the plan asks for what the model cannot give */
  constructor(model: CheckedModel, plan: TrainingPlan, phase: number, factory: EngineFactory) {
    this.#model = model;
    this.#plan = plan;
    this.#phase = phase;
    this.#factory = factory;
    // What measures adaTT's affinities reads all of the state that other graphs read, too.
    this.#whole =
      plan.accumulate === 1
        ? [trainingStep(model, plan, { phase })]
        : [gradientGraph(model, plan, { phase }), updateGraph(model, plan, { phase })];
  }

  /** The state before the first step of the phase: weights are carried over from the phase before, the optimiser begins anew. */
  begin(weights: WeightSource, before: State): State {
    return this.resume(weights, carriedState(before));
  }

  /** The state of a step within the phase. */
  resume(weights: WeightSource, before: State): State {
    const entries = this.#whole.flatMap(({ state }) => state);
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
    const opened = OpenGraph.open(this.#build(part, measure), this.#factory);
    this.#open.set(key, opened);
    return opened;
  }

  #build(part: "step" | "gradients" | "update", measure: boolean): TrainingGraph {
    const whole = this.#whole[part === "update" ? 1 : 0];
    if (whole !== undefined && (part === "update" || measure || this.#plan.adatt === null)) return whole;
    return (part === "step" ? trainingStep : gradientGraph)(this.#model, this.#plan, { phase: this.#phase, measure: false });
  }
}
