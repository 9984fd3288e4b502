import type { Value } from "../ir/graph.ts";
import type { ModelGroup } from "../model.ts";
import type { Formula } from "./formula.ts";
import { diagonal, identity, type TaskGradients, taskGradients } from "./gradients.ts";
import type { AdaTT } from "./plan.ts";
import type { StepGraph } from "./step-graph.ts";
import type { TaskTerm } from "./terms.ts";

/** Strength of tasks in one group whose group does not state `intra`. */
const defaultIntra = 0.7;

const affinityState = "adatt/affinity";
const seenState = "adatt/seen";
const weightsState = "adatt/weights";

export interface AdaTTWeights {
  /** f32[]: the factor of each task's weighted loss, in the order of the terms. */
  readonly factors: readonly Value[];
  readonly next: readonly { readonly name: string; readonly value: Value }[];
  /** f32[]: 1 once everything is frozen. */
  readonly frozen: Value;
}

/**
 * Loss weights from the affinity of the tasks' gradients: c_j = 1 + Σ_i α_ij A_ij ρ_ij over the other tasks, A the moving average of the gradients'
 * cosines, ρ the ratio of their norms, and α the strength between the tasks' groups, 0 where A is below the threshold.
 *
 * Epochs before `warmup` measure only; from `freeze` on nothing changes. Affinities are measured at every `every`-th step, and weights follow them
 * there. A pair is measured when both tasks have labels in the batch.
 *
 * @param terms  the tasks' weighted losses
 * @param over  what the gradients are taken of; null in a graph for the steps between two measurements
 */
export function adattWeights(
  settings: AdaTT,
  tasks: readonly TaskTerm[],
  terms: readonly Value[],
  over: readonly Value[] | null,
  groups: readonly ModelGroup[],
  { epoch, step }: { readonly epoch: Value; readonly step: Value },
  graph: StepGraph,
): AdaTTWeights {
  const f = graph.formula("adatt");
  const count = tasks.length;
  const state = graph.state({ name: weightsState, shape: [count], initial: 1 });
  const warm = f.ge(epoch, settings.warmup);
  const frozen = Number.isFinite(settings.freeze) ? f.f32(f.ge(epoch, settings.freeze)) : f.scalar(0);
  const use = (c: Value) => Array.from({ length: count }, (_, i) => f.stop(f.element(f.where(warm, c, 1), i)));
  if (over === null) return { factors: use(state), next: [], frozen };

  const affinity = graph.state({ name: affinityState, shape: [count, count], initial: 0 });
  const seen = graph.state({ name: seenState, shape: [count, count], initial: 0 });
  const gradients = taskGradients(f, terms, over);
  const norms = f.sqrt(f.max(diagonal(f, gradients.products), 0));
  const turn = f.sub(step, f.mul(f.floor(f.div(step, settings.every)), settings.every));
  const measures = f.mul(f.f32(f.lt(turn, 0.5)), f.sub(1, frozen));
  const present = f.stack(tasks.map((task) => task.present));
  const pair = f.mul(measures, f.mul(f.reshape(present, [count, 1]), present));
  const cosines = cosinesOf(f, gradients, norms);
  const averaged = f.add(f.mul(affinity, settings.momentum), f.mul(cosines, 1 - settings.momentum));
  const newAffinity = f.where(f.gt(pair, 0), f.where(f.gt(seen, 0), averaged, cosines), affinity);
  const measured = weightsFrom(settings, newAffinity, norms, strengths(settings, tasks, groups, f), f);
  const follows = f.and(f.gt(f.mul(measures, present), 0), warm);
  const weights = f.where(follows, measured, state);
  return {
    factors: use(weights),
    next: [
      { name: affinityState, value: newAffinity },
      { name: seenState, value: f.max(seen, pair) },
      { name: weightsState, value: weights },
    ],
    frozen,
  };
}

/** A_ij = <g_i, g_j> / (|g_i| |g_j|), with ones on the diagonal. */
function cosinesOf(f: Formula, { products }: TaskGradients, norms: Value): Value {
  const count = Number(norms.type.shape[0]);
  const lengths = f.add(norms, 1e-8);
  const cosines = f.div(products, f.mul(f.reshape(lengths, [count, 1]), lengths));
  const unit = identity(f, count);
  return f.add(f.mul(cosines, f.sub(1, unit)), unit);
}

/** c_j, by column sums of α ∘ A ∘ ρ; entry (i, j) is what task i adds to the weight of task j. */
function weightsFrom(settings: AdaTT, affinity: Value, norms: Value, strength: Value, f: Formula): Value {
  const count = Number(norms.type.shape[0]);
  const column = f.reshape(norms, [count, 1]);
  const alpha = f.mul(strength, f.f32(f.ge(affinity, settings.negativeBelow)));
  // "source" and "bounded" project g_i on g_j, "direction" g_j on g_i, which adds up to factors of g_i: its sums run along rows.
  const ratio = f.div(column, f.add(norms, 1e-8));
  const bounded = settings.mode === "source" ? ratio : f.min(settings.mode === "direction" ? f.transposeLast(ratio) : ratio, 1);
  const all = f.mul(f.mul(alpha, affinity), bounded);
  const scale = settings.mode === "source" || count < 2 ? 1 : 1 / (count - 1);
  const c = f.add(f.mul(f.sum(all, [settings.mode === "direction" ? 1 : 0]), scale), 1);
  return f.min(f.max(c, settings.clampLow), settings.clampHigh);
}

/** S_ij: `intra` of a group that both tasks are in, else `inter` of the group of task j; 0 on the diagonal. */
function strengths(settings: AdaTT, tasks: readonly TaskTerm[], groups: readonly ModelGroup[], f: Formula): Value {
  const setting = (group: string | null, name: string): number | null => {
    const value = groups.find((candidate) => candidate.name === group)?.settings[name];
    return typeof value === "number" ? value : null;
  };
  const between = (from: TaskTerm, to: TaskTerm): number => {
    if (from === to) return 0;
    if (from.group !== null && from.group === to.group) return setting(to.group, "intra") ?? defaultIntra;
    return setting(to.group, "inter") ?? settings.inter;
  };
  return f.matrix(tasks.map((from) => tasks.map((to) => between(from, to))));
}
