import type { PlannedTask, SynthPlan } from "./plan.ts";
import { namedStream, normals } from "./random.ts";

/** The factors of all rows: those of each source stand together, in order of the plan. */
export interface Factors {
  readonly values: Float32Array;
  readonly width: number;
  /** Where the factors of a source begin in a row, by name. */
  readonly offsets: ReadonlyMap<string, number>;
}

/** Labels of a task, `width` for each row. */
export interface DrawnLabels {
  readonly task: PlannedTask;
  readonly width: number;
  readonly values: Float32Array;
}

export function drawFactors({ sources, rows, seed }: SynthPlan): Factors {
  const offsets = new Map<string, number>();
  let width = 0;
  for (const { name, factors } of sources) {
    offsets.set(name, width);
    width += factors;
  }
  const draw = normals(namedStream(seed, "factors"));
  return { values: Float32Array.from({ length: rows * width }, draw), width, offsets };
}

/** Of the variance of a score, what its factors explain. */
const explained = { binary: 0.9, regression: 0.8, classes: 0.95, embedding: 0.95 } as const;

/**
 * Labels of a task from directions in the space of its sources' factors, each source counting as much as another. Binary: the highest scores, as many as the
 * share of positives says; where the task follows another one, those among the other's positives. Classes: the highest of one score for each. Regression: the
 * score, of mean 0 and variance 1. Embedding: the unit vector of scores.
 */
export function drawLabels(plan: SynthPlan, task: PlannedTask, factors: Factors): DrawnLabels {
  const { rows } = plan;
  const scores = scoresOf(plan, task, factors);
  const { kind, width } = task;
  if (kind === "binary") {
    const count = Math.min(rows, Math.max(1, Math.round((task.positives ?? 0) * rows)));
    const before = plan.tasks.find(({ name }) => name === task.follows);
    const among = before === undefined ? null : drawLabels(plan, before, factors).values;
    // Scores have variance 1: a hundred more puts every positive of the other task before all else.
    const ranked = among === null ? scores : scores.map((score, row) => score + 100 * (among[row] as number));
    return { task, width: 1, values: highest(ranked, count) };
  }
  if (kind === "classes")
    return { task, width: 1, values: Float32Array.from({ length: rows }, (_, row) => largest(scores, row * width, width)) };
  if (kind === "embedding") {
    for (let row = 0; row < rows; row++) normalise(scores.subarray(row * width, (row + 1) * width));
  }
  return { task, width, values: scores };
}

/** As many scores for each row as the task has outputs. */
function scoresOf({ rows, seed, sources }: SynthPlan, task: PlannedTask, factors: Factors): Float32Array {
  const { width, kind } = task;
  const draw = normals(namedStream(seed, `label ${task.name}`));
  const taken = sources.filter(({ name }) => task.sources.includes(name));
  const directions = Array.from({ length: width }, () =>
    taken.flatMap(({ name, factors: count }) => {
      const direction = Array.from({ length: count }, draw);
      const length = Math.hypot(...direction) * Math.sqrt(taken.length);
      return direction.map((value, i) => [(factors.offsets.get(name) ?? 0) + i, value / length] as const);
    }),
  );
  const [signal, noise] = [Math.sqrt(explained[kind]), Math.sqrt(1 - explained[kind])];
  const scores = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (const [i, direction] of directions.entries()) {
      let sum = 0;
      for (const [at, weight] of direction) sum += weight * (factors.values[row * factors.width + at] as number);
      scores[row * width + i] = signal * sum + noise * draw();
    }
  }
  return scores;
}

/** 1 for so many rows of the highest scores; of equal ones the first. */
function highest(scores: Float32Array, count: number): Float32Array {
  const order = Array.from(scores.keys()).sort((a, b) => (scores[b] as number) - (scores[a] as number) || a - b);
  const labels = new Float32Array(scores.length);
  for (const row of order.slice(0, count)) labels[row] = 1;
  return labels;
}

function largest(scores: Float32Array, start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if ((scores[start + i] as number) > (scores[start + best] as number)) best = i;
  return best;
}

/** To length 1, in steps of 1/128, which compress well. */
function normalise(values: Float32Array): void {
  const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) || 1;
  for (let i = 0; i < values.length; i++) values[i] = Math.round((128 * (values[i] as number)) / length) / 128;
}
