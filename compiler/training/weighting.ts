import type { Value } from "../ir/graph.ts";
import type { Formula } from "./formula.ts";
import type { TrainingPlan, UncertaintyForm, Weighting } from "./plan.ts";
import type { StepGraph } from "./step-graph.ts";
import type { TaskTerm } from "./terms.ts";

/** The tasks' losses as they enter the total. */
export interface WeightedTerms {
  /** f32[] for each task, in the order of the terms. */
  readonly terms: readonly Value[];
  /** f32[] for each task: the factor of its mean loss. */
  readonly factors: readonly Value[];
  /** What becomes of the weighting's state. */
  readonly next: readonly { readonly name: string; readonly value: Value }[];
  /** Trained beside the model's parameters, without decay, and kept within the range. */
  readonly trained: readonly LearnedWeights[];
}

export interface LearnedWeights {
  readonly name: string;
  readonly value: Value;
  readonly low: number;
  readonly high: number;
}

/** What a weighting trains beside the model: s of each task for uncertainty, nothing for others. */
export function learnedWeights(weighting: Weighting, tasks: number, graph: StepGraph): readonly LearnedWeights[] {
  if (weighting.form !== "uncertainty") return [];
  const name = "weighting/log_variance";
  return [{ name, value: graph.state({ name, shape: [tasks], initial: 0 }), low: -weighting.clamp, high: weighting.clamp }];
}

/**
 * Weighs the tasks' losses as the plan says. PCGrad weighs by the spec alone and changes gradients later.
 *
 * @param normsOf  gives the norms of the gradients of scalars, which only some weightings ask for
 */
export function weighTerms(
  weighting: TrainingPlan["weighting"],
  terms: readonly TaskTerm[],
  epoch: Value,
  graph: StepGraph,
  normsOf: (scaled: readonly Value[]) => readonly Value[],
): WeightedTerms {
  const f = graph.formula("weighting");
  switch (weighting.form) {
    case "fixed":
    case "pcgrad":
      return scaleTerms(
        f,
        terms,
        terms.map(() => f.scalar(1)),
      );
    case "uncertainty":
      return weighByUncertainty(weighting, terms, graph, f);
    case "dwa":
      return weighByProgress(weighting, terms, epoch, graph, f);
    case "gradnorm":
      return balanceNorms(weighting, terms, graph, f, normsOf);
  }
}

function scaleTerms(f: Formula, terms: readonly TaskTerm[], by: readonly Value[], next: WeightedTerms["next"] = []): WeightedTerms {
  const factors = terms.map(({ weight }, i) => f.mul(by[i] as Value, weight));
  return { terms: terms.map(({ loss }, i) => f.mul(factors[i] as Value, loss)), factors, next, trained: [] };
}

/**
 * s_k = log σ² of each task is learned. A task without a label in the batch gives no gradient to its s.
 *
 * @see Kendall, Gal & Cipolla, CVPR 2018; Liebel & Körner, arXiv 1805.06334, for the positive form
 */
function weighByUncertainty(
  weighting: Extract<Weighting, { form: "uncertainty" }>,
  terms: readonly TaskTerm[],
  graph: StepGraph,
  f: Formula,
): WeightedTerms {
  const trained = learnedWeights(weighting, terms.length, graph);
  const s = (trained[0] as LearnedWeights).value;
  const weighed = terms.map(({ loss, weight, present, regression }, i) => {
    const { precision, price } = uncertaintyForms[weighting.variant](f, f.element(s, i), regression);
    return { term: f.mul(f.mul(weight, present), f.add(f.mul(precision, loss), price)), factor: f.mul(weight, precision) };
  });
  return {
    terms: weighed.map(({ term }) => term),
    factors: weighed.map(({ factor }) => factor),
    next: [],
    trained,
  };
}

/** precision · L + price, by s. */
const uncertaintyForms: Readonly<
  Record<UncertaintyForm, (f: Formula, s: Value, regression: boolean) => { readonly precision: Value; readonly price: Value }>
> = {
  /** e^-s L + s */
  sum: (f, s) => ({ precision: f.exp(f.neg(s)), price: s }),
  /** ½ e^-s L + ½ s for regressions, e^-s L + ½ s for classifications */
  kendall: (f, s, regression) => ({ precision: f.mul(regression ? 0.5 : 1, f.exp(f.neg(s))), price: f.mul(0.5, s) }),
  /** ½ e^-s L + log(1 + e^s), which is never negative */
  positive: (f, s) => ({ precision: f.mul(0.5, f.exp(f.neg(s))), price: f.softplus(s) }),
};

/**
 * Dynamic weight average: λ_k = K softmax_k(r_k / T), r_k the ratio of the task's mean losses over the last epoch and the one before; 1 until there are two.
 *
 * @see Liu, Johns & Davison, CVPR 2019
 */
function weighByProgress(
  { temperature }: Extract<Weighting, { form: "dwa" }>,
  terms: readonly TaskTerm[],
  epoch: Value,
  graph: StepGraph,
  f: Formula,
): WeightedTerms {
  const count = terms.length;
  const vector = (name: string) => graph.state({ name: `weighting/${name}`, shape: [count], initial: 0 });
  const [sum, steps, last, before] = [vector("loss_sum"), vector("loss_steps"), vector("last_loss"), vector("loss_before")] as const;
  const epochs = graph.state({ name: "weighting/epochs", shape: [], initial: 0 });
  const current = graph.state({ name: "weighting/epoch", shape: [], initial: -1 });
  const now = f.floor(epoch);
  // 1 at the first step of an epoch that follows another one.
  const begins = f.and(f.gt(now, current), f.ge(current, 0));
  const mean = f.where(f.gt(steps, 0), f.div(sum, f.max(steps, 1)), last);
  const newLast = f.where(begins, mean, last);
  const newBefore = f.where(begins, last, before);
  const newEpochs = f.add(epochs, f.f32(begins));
  const ratio = f.where(f.gt(newBefore, 0), f.div(newLast, f.where(f.gt(newBefore, 0), newBefore, 1)), 1);
  const softmax = f.op("softmax", [f.mul(ratio, 1 / temperature)], { axis: 0 });
  const lambda = f.where(f.ge(newEpochs, 2), f.mul(softmax, count), 1);
  const present = f.stack(terms.map((term) => term.present));
  const losses = f.stack(terms.map((term) => f.stop(term.loss)));
  const restart = f.where(begins, 0, 1);
  return scaleTerms(
    f,
    terms,
    terms.map((_, i) => f.stop(f.element(lambda, i))),
    [
      { name: "weighting/loss_sum", value: f.add(f.mul(sum, restart), f.mul(present, losses)) },
      { name: "weighting/loss_steps", value: f.add(f.mul(steps, restart), present) },
      { name: "weighting/last_loss", value: newLast },
      { name: "weighting/loss_before", value: newBefore },
      { name: "weighting/epochs", value: newEpochs },
      { name: "weighting/epoch", value: now },
    ],
  );
}

/**
 * GradNorm: weights v of sum K follow the gradient of Σ |G_i - mean(G) r_i^α|, G_i = v_i |∇ w_i L_i| and r_i the task's loss relative to its first one,
 * divided by the mean of those. Tasks without a label in the batch keep their v.
 *
 * @see Chen et al., ICML 2018
 */
function balanceNorms(
  { alpha, lr }: Extract<Weighting, { form: "gradnorm" }>,
  terms: readonly TaskTerm[],
  graph: StepGraph,
  f: Formula,
  normsOf: (scaled: readonly Value[]) => readonly Value[],
): WeightedTerms {
  const count = terms.length;
  const v = graph.state({ name: "weighting/balance", shape: [count], initial: 1 });
  const first = graph.state({ name: "weighting/first_loss", shape: [count], initial: -1 });
  const weighted = scaleTerms(
    f,
    terms,
    terms.map((_, i) => f.stop(f.element(v, i))),
  );
  const present = f.stack(terms.map((term) => term.present));
  const losses = f.stack(terms.map((term) => f.stop(term.loss)));
  const newFirst = f.where(f.and(f.lt(first, 0), f.gt(present, 0)), losses, first);
  const bare = f.stack(normsOf(terms.map(({ loss, weight }) => f.mul(loss, weight))));
  const norms = f.mul(v, bare);
  const present0 = f.max(f.sumAll(present), 1);
  const meanNorm = f.div(f.sumAll(f.mul(present, norms)), present0);
  const progress = f.mul(present, f.div(losses, f.max(newFirst, 1e-12)));
  const rate = f.div(progress, f.max(f.div(f.sumAll(progress), present0), 1e-12));
  const target = f.mul(meanNorm, f.pow(f.max(rate, 1e-12), alpha));
  const moved = f.max(f.sub(v, f.mul(f.mul(present, f.mul(f.sign(f.sub(norms, target)), bare)), lr)), 1e-3);
  const renormalised = f.div(f.mul(moved, count), f.sumAll(moved));
  return {
    ...weighted,
    next: [
      { name: "weighting/balance", value: renormalised },
      { name: "weighting/first_loss", value: newFirst },
    ],
  };
}
