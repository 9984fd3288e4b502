import { differentiate } from "../autodiff/differentiate.ts";
import { recompute } from "../autodiff/recompute.ts";
import { rowTables } from "../autodiff/table-rows.ts";
import type { Graph, GraphParam, Value } from "../ir/graph.ts";
import type { CheckedModel } from "../model.ts";
import type { AbsentInputs } from "../passes/fold-absent.ts";
import { type AdaTTWeights, adattWeights } from "./adatt.ts";
import { buildForward, type Forward, stateOfParam } from "./forward.ts";
import { diagonal, projectConflicts, taskGradients } from "./gradients.ts";
import { nextLossScale } from "./loss-scale.ts";
import { applyUpdate, type GradedGroup, type Group, globalNorm, groupState, type Part, pack } from "./optimizer.ts";
import type { Phase, TrainingPlan } from "./plan.ts";
import { learningRate } from "./schedule.ts";
import { type StateEntry, StepGraph, type StepTable } from "./step-graph.ts";
import { type TaskTerm, taskTerms } from "./terms.ts";
import { checkPlan, freezesWith, reachedParams, sharedValues, trainedParams } from "./trainable.ts";
import { learnedWeights, type WeightedTerms, weighTerms } from "./weighting.ts";

export interface StepOptions {
  /** The phase of the plan, from 0. */
  readonly phase?: number;
  /** False leaves dropout out. */
  readonly dropout?: boolean;
  /** False leaves out adaTT's measuring: for the steps between two measurements, whose weights follow from the state alone. */
  readonly measure?: boolean;
  /** Multiplies the loss by a factor that adapts, for engines that compute gradients in float16. */
  readonly lossScale?: boolean;
  /** Embedding tables with at least so many rows are trained by the rows that a batch uses; 4,096 by default. */
  readonly smallestTable?: number;
  /** False keeps every tensor of the forward pass for the backward pass, which takes more memory and less time. */
  readonly recompute?: boolean;
  /** Optional inputs that no batch has: what only they reach is folded. Gradients by its parameters are zero. */
  readonly absent?: AbsentInputs | null;
}

/** A graph of training, and the state that it reads; what it changes it gives as `next/` and the name. */
export interface TrainingGraph {
  readonly graph: Graph;
  readonly state: readonly StateEntry[];
  readonly tables: readonly StepTable[];
}

export interface TrainingGraphs {
  /** A batch to new weights: `gradients` and `update` in one. */
  readonly step: TrainingGraph;
  /** Adds the gradient of a batch to buffers, `gradient/` and the name of what is trained; `gradient/batches` counts. */
  readonly gradients: TrainingGraph;
  /** Takes one step along the mean of the buffered gradients, and empties the buffers. */
  readonly update: TrainingGraph;
}

/**
 * The graphs of one phase of training. Inputs: the model's batch, `label/<task>`, the scalars `train/epoch` (which may be a fraction), `train/step` and
 * `train/seed`, and the state. Outputs: the state's successors, and every term of the loss under its own name.
 *
 * @throws PlanError when the plan asks for what the model cannot give
 */
export function trainingGraphs(model: CheckedModel, plan: TrainingPlan, options: StepOptions = {}): TrainingGraphs {
  return {
    step: trainingStep(model, plan, options),
    gradients: gradientGraph(model, plan, options),
    update: updateGraph(model, plan, options),
  };
}

/** The fused step. */
export function trainingStep(model: CheckedModel, plan: TrainingPlan, options: StepOptions = {}): TrainingGraph {
  const step = new StepBuilder(model, plan, options);
  const batch = step.gradients();
  step.remember(batch, step.update(batch.groups));
  return step.finish("step");
}

/** The first half, for batches that are taken in parts. */
export function gradientGraph(model: CheckedModel, plan: TrainingPlan, options: StepOptions = {}): TrainingGraph {
  const step = new StepBuilder(model, plan, options);
  const batch = step.gradients();
  step.remember(batch, step.accumulate(batch.groups));
  return step.finish("gradients");
}

/** The second half. */
export function updateGraph(model: CheckedModel, plan: TrainingPlan, options: StepOptions = {}): TrainingGraph {
  const step = new StepBuilder(model, plan, options);
  step.update(step.buffered());
  return step.finish("update");
}

/** Something that the optimiser moves; `param` is null for what the weighting learns. */
interface Target extends Part {
  readonly param: GraphParam | null;
}

/** What a batch gives. */
interface BatchGradients {
  readonly groups: readonly GradedGroup[];
  /** What becomes of the state beside the model (of the weighting, of adaTT), where the total and the gradient are finite. */
  readonly beside: WeightedTerms["next"];
  /** f32[]: the loss. */
  readonly total: Value;
}

const lossScaleState = "loss_scale/factor";
const bufferCount = "gradient/batches";

class StepBuilder {
  readonly #model: CheckedModel;
  readonly #plan: TrainingPlan;
  readonly #phase: Phase;
  readonly #options: StepOptions;
  readonly #graph = new StepGraph();
  readonly #epoch: Value;
  readonly #tables: readonly GraphParam[];

  constructor(model: CheckedModel, plan: TrainingPlan, options: StepOptions) {
    checkPlan(model, plan);
    this.#model = model;
    this.#plan = plan;
    this.#options = options;
    const phase = plan.phases[options.phase ?? 0];
    if (phase === undefined) throw new Error(`the plan has no phase ${options.phase}`);
    this.#phase = phase;
    this.#epoch = this.#graph.input("train/epoch", []);
    // What is done to whole columns needs all rows.
    this.#tables = rowTables(model.training, options.smallestTable).filter(({ tag }) => tag !== "unit_columns");
  }

  finish(part: string): TrainingGraph {
    const finished = this.#graph.finish(`${this.#model.name}/${this.#phase.name}/${part}`);
    return this.#options.recompute === false ? finished : { ...finished, graph: recompute(finished.graph) };
  }

  // ── a batch to gradients ──────────────────────────────────────────────────

  /** Runs the model forward, weighs and reports the terms of the loss, and differentiates the total. */
  gradients(): BatchGradients {
    const graph = this.#graph;
    const f = graph.formula("total");
    const forward = buildForward(this.#model, graph, {
      dropout: this.#options.dropout !== false,
      tables: this.#tables,
      absent: this.#options.absent ?? null,
    });
    const tasks = taskTerms(this.#model, forward.copyOf, graph.formula("loss"));
    const weighted = this.#weigh(tasks, forward);
    const adatt = this.#adatt(tasks, weighted, forward);
    const terms = weighted.terms.map((term, i) => (adatt === null ? term : f.mul(term, adatt.factors[i] as Value)));
    const penalty = this.#penalties(forward, adatt);
    const total = f.add(f.total(terms), penalty);
    this.#report(tasks, weighted, adatt, total);
    const targets = this.#targets(forward.params, weighted.trained);
    const scale = this.#options.lossScale === true ? graph.state({ name: lossScaleState, shape: [], initial: 65536 }) : f.scalar(1);
    const gradients =
      this.#plan.weighting.form === "pcgrad"
        ? this.#projected(targets, terms, penalty, scale)
        : differentiate(
            graph.builder,
            [{ value: total, cotangent: scale }],
            targets.map(({ value }) => value),
          );
    const gradientOf = new Map(targets.map((target, i) => [target.name, gradients[i] ?? f.full(target.shape, 0)]));
    const groups = this.#groups(targets).map((group) => ({
      ...group,
      gradient: pack(
        f,
        group,
        group.parts.map(({ name }) => gradientOf.get(name) as Value),
      ),
    }));
    return { groups, beside: [...weighted.next, ...(adatt?.next ?? [])], total };
  }

  /** Moves the state beside the model, unless the batch spoilt the step; `finite` f32[] is 1 where its gradient did not. */
  remember({ beside, total }: BatchGradients, finite: Value): void {
    const f = this.#graph.formula("total");
    const sound = f.and(f.gt(finite, 0), f.isFinite(total));
    for (const { name, value } of beside) this.#graph.next(name, f.where(sound, value, this.#graph.input(name, [])));
  }

  #weigh(tasks: readonly TaskTerm[], forward: Forward): WeightedTerms {
    const { weighting } = this.#plan;
    const f = this.#graph.formula("weighting");
    return weighTerms(weighting, tasks, this.#epoch, this.#graph, (scalars) => {
      const over = sharedValues(this.#model, weighting.form === "gradnorm" ? weighting.over : null, "gradnorm").map(forward.copyOf);
      const norms = f.sqrt(f.max(diagonal(f, taskGradients(f, scalars, over).products), 0));
      return scalars.map((_, i) => f.element(norms, i));
    });
  }

  #adatt(tasks: readonly TaskTerm[], weighted: WeightedTerms, forward: Forward): AdaTTWeights | null {
    const { adatt } = this.#plan;
    if (adatt === null) return null;
    const over = this.#options.measure === false ? null : sharedValues(this.#model, adatt.over, "adatt").map(forward.copyOf);
    const time = { epoch: this.#epoch, step: this.#graph.input("train/step", []) };
    return adattWeights(adatt, tasks, weighted.terms, over, this.#model.groups, time, this.#graph);
  }

  /** The sum of the penalties. Those of an instance whose own parameters are all frozen are reported and do not count. */
  #penalties(forward: Forward, adatt: AdaTTWeights | null): Value {
    const f = this.#graph.formula("penalty");
    const byName = new Map<string, Value>();
    for (const { name, value } of this.#model.penalties) {
      const before = byName.get(name);
      byName.set(name, before === undefined ? forward.copyOf(value) : f.add(before, forward.copyOf(value)));
    }
    const moving = new Set(trainedParams(this.#model, this.#phase).map((param) => param.name));
    const counted = [...byName].flatMap(([name, value]) => {
      this.#graph.output(`penalty/${name}`, value, "A term of the total.");
      const own = this.#model.training.params.filter((param) => folderOf(param.name) === folderOf(name));
      const left = own.filter((param) => moving.has(param.name));
      if (own.length > 0 && left.length === 0) return [];
      const stops = adatt !== null && left.length > 0 && left.every((param) => freezesWith(param, this.#plan.adatt));
      return [stops ? f.mul(value, f.sub(1, adatt.frozen)) : value];
    });
    return f.total(counted);
  }

  #report(tasks: readonly TaskTerm[], weighted: WeightedTerms, adatt: AdaTTWeights | null, total: Value): void {
    const f = this.#graph.formula("report");
    const output = (name: string, value: Value, doc: string) => this.#graph.output(name, value, doc);
    for (const [i, { task, loss, rows }] of tasks.entries()) {
      const factor = weighted.factors[i] as Value;
      output(`loss/${task}`, loss, "Mean loss over the rows with a label, before it is weighed.");
      output(`rows/${task}`, rows, "Rows with a label.");
      output(`weight/${task}`, adatt === null ? factor : f.mul(factor, adatt.factors[i] as Value), "What the mean loss is multiplied by.");
    }
    output("metric/total", total, "What is minimised.");
    if (adatt === null) return;
    // Term by term: the difference of two totals would lose digits.
    const added = weighted.terms.map((term, i) => f.mul(term, f.sub(adatt.factors[i] as Value, 1)));
    output("metric/transfer", f.total(added), "What adaTT's weights add to the tasks' part of the total.");
  }

  #targets(params: Forward["params"], learned: WeightedTerms["trained"]): readonly Target[] {
    const f = this.#graph.formula("update");
    const trained = new Set(trainedParams(this.#model, this.#phase));
    const own = params.filter(({ param }) => trained.has(param));
    return [
      ...own.map(({ param, value }) => ({
        name: stateOfParam(param.name),
        value,
        shape: value.type.shape,
        param,
        project: param.tag === "unit_columns" ? (w: Value) => unitColumns(f, w) : null,
      })),
      ...learned.map(({ name, value, low, high }) => ({
        name,
        value,
        shape: value.type.shape,
        param: null,
        project: (moved: Value) => f.min(f.max(moved, low), high),
      })),
    ];
  }

  /** PCGrad: conflicts are projected away in the parameters that more than one task reaches. */
  #projected(targets: readonly Target[], terms: readonly Value[], penalty: Value, scale: Value): readonly (Value | null)[] {
    const { builder } = this.#graph;
    const f = this.#graph.formula("pcgrad");
    const reach = this.#model.losses.map(({ rows }) => reachedParams([rows]));
    const isShared = ({ param }: Target) => param !== null && reach.filter((names) => names.has(param.name)).length > 1;
    const shared = targets.filter(isShared).map(({ value }) => value);
    const values = targets.map(({ value }) => value);
    const { stacked, products } = taskGradients(f, terms, shared);
    const factors = f.reshape(f.mul(projectConflicts(f, products), scale), [1, terms.length]);
    const surgery = new Map(stacked.map(({ of, rows }) => [of, f.reshape(f.matmul(factors, rows), of.type.shape)]));
    const ofPenalties = differentiate(builder, [{ value: penalty, cotangent: scale }], values);
    const ofAll = differentiate(builder, [{ value: f.add(f.total(terms), penalty), cotangent: scale }], values);
    return targets.map((target, i) => {
      const sum = surgery.get(target.value);
      if (sum === undefined) return ofAll[i] ?? null;
      const rest = ofPenalties[i] ?? null;
      return rest === null ? sum : f.add(sum, rest);
    });
  }

  // ── gradients to an update ────────────────────────────────────────────────

  /** Parameters that decay and that do not, and of both those that adaTT freezes; each table of rows for itself. */
  #groups(targets: readonly Target[]): readonly Group[] {
    const { adatt } = this.#plan;
    const f = this.#graph.formula("update");
    const flag = adatt === null || !Number.isFinite(adatt.freeze) ? null : f.f32(f.ge(this.#epoch, adatt.freeze));
    const groups = new Map<
      string,
      {
        readonly name: string;
        readonly parts: Target[];
        readonly decay: boolean;
        readonly frozen: Value | null;
        readonly table: GraphParam | null;
      }
    >();
    for (const target of targets) {
      const decay = target.param?.decay ?? false;
      const frozen = target.param !== null && freezesWith(target.param, adatt) ? flag : null;
      const table = this.#tables.find((param) => param === target.param) ?? null;
      const name = table === null ? `${decay ? "decayed" : "undecayed"}${frozen === null ? "" : "_gates"}` : `rows/${table.name}`;
      const group = groups.get(name) ?? { name, parts: [], decay, frozen, table };
      group.parts.push(target);
      groups.set(name, group);
    }
    return [...groups.values()];
  }

  /** Adds gradients to the buffers. Gives f32[]: 1 if they are finite; others spoil the step of all parts. */
  accumulate(groups: readonly GradedGroup[]): Value {
    const f = this.#graph.formula("accumulate");
    for (const group of groups) this.#graph.next(bufferOf(group), f.add(this.#buffer(group), group.gradient));
    const count = this.#graph.state({ name: bufferCount, shape: [], initial: 0 });
    this.#graph.next(bufferCount, f.add(count, 1));
    return f.f32(
      f.isFinite(
        globalNorm(
          f,
          groups.map(({ gradient }) => gradient),
        ),
      ),
    );
  }

  /** The mean of the buffered gradients; leaves the buffers empty. */
  buffered(): readonly GradedGroup[] {
    const graph = this.#graph;
    const f = graph.formula("buffered");
    const count = graph.state({ name: bufferCount, shape: [], initial: 0 });
    graph.next(bufferCount, f.mul(count, 0));
    const params = trainedParams(this.#model, this.#phase).map((param) => {
      const entry = { name: stateOfParam(param.name), initial: { param: param.name } };
      if (this.#tables.includes(param)) return { param, value: graph.rowsOf(param, entry) };
      return { param, value: graph.state({ ...entry, shape: param.value.type.shape as readonly number[] }) };
    });
    const targets = this.#targets(params, learnedWeights(this.#plan.weighting, this.#model.losses.length, graph));
    return this.#groups(targets).map((group) => {
      const buffer = this.#buffer(group);
      graph.next(bufferOf(group), f.full(buffer.type.shape, 0));
      return { ...group, gradient: f.div(buffer, f.max(count, 1)) };
    });
  }

  #buffer(group: Group): Value {
    return groupState(this.#graph, group, bufferOf(group));
  }

  /** Gives f32[]: 1 if the step was taken. */
  update(groups: readonly GradedGroup[]): Value {
    const graph = this.#graph;
    const { optimizer, schedule, clip } = this.#plan;
    const f = graph.formula("update");
    const rate = learningRate(schedule, this.#phase, this.#epoch, graph.formula("learning_rate"));
    const factor = this.#options.lossScale === true ? graph.state({ name: lossScaleState, shape: [], initial: 65536 }) : null;
    const unscale = factor === null ? null : f.div(1, factor);
    const { norm, taken } = applyUpdate(optimizer, groups, { rate, clip, unscale }, graph);
    if (factor !== null) nextLossScale(lossScaleState, factor, taken, graph);
    graph.output("metric/learning_rate", rate, "The learning rate.");
    graph.output("metric/gradient_norm", norm, "The global norm of the gradient, before clipping.");
    graph.output("metric/taken", taken, "1 if the step was taken, 0 if the gradient was not finite and everything stays as it was.");
    return taken;
  }
}

function bufferOf({ name }: Group): string {
  return `gradient/${name}`;
}

function folderOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf("/")));
}

/** W with every column of length 1. */
function unitColumns(f: ReturnType<StepGraph["formula"]>, w: Value): Value {
  return f.div(w, f.sqrt(f.add(f.op("reduce_sum", [f.mul(w, w)], { axes: [0], keep: true }), 1e-12)));
}
