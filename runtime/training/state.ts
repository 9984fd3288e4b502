import type { StateEntry } from "../../compiler/training/step-graph.ts";
import type { WeightSource } from "../../compiler/weights.ts";
import { type Batch, type Engine, makeTensor, type Tensor } from "../engine.ts";

/** The tensors that steps hand on, by name. */
export type State = ReadonlyMap<string, Tensor>;

const nextPrefix = "next/";

/** What stands before the first step. Entries that `before` has are taken from there: weights move from phase to phase, optimiser state begins anew. */
export function initialState(entries: readonly StateEntry[], weights: WeightSource, before: State = new Map()): State {
  return new Map(
    entries.map(({ name, shape, initial }) => {
      const kept = before.get(name);
      return [name, kept ?? makeTensor("f32", shape, initialValues(name, shape, initial, weights))];
    }),
  );
}

/** What moves from phase to phase: the weights, and what weighs the tasks. Optimiser state and waiting gradients stay behind. */
export function carriedState(state: State): State {
  return new Map([...state].filter(([name]) => /^(param|weighting|adatt)\//.test(name)));
}

function initialValues(name: string, shape: readonly number[], initial: StateEntry["initial"], weights: WeightSource): Float32Array {
  if (typeof initial === "number") return new Float32Array(shape.reduce((size, dim) => size * dim, 1)).fill(initial);
  const values = weights.get(initial.param);
  if (values === undefined) throw new Error(`there are no weights for ${name}`);
  return values;
}

export interface StepResult {
  readonly state: State;
  /** Losses, penalties and metrics by name. */
  readonly report: ReadonlyMap<string, number>;
}

/** Runs a training graph once: feeds are the batch, the labels and the scalars. State that the graph does not change stays as it is. */
export async function runStep(engine: Engine, state: State, feeds: Batch): Promise<StepResult> {
  const results = await engine.run(new Map([...state, ...feeds]));
  const next = new Map(state);
  const report = new Map<string, number>();
  for (const [name, tensor] of results) {
    if (name.startsWith(nextPrefix)) next.set(name.slice(nextPrefix.length), tensor);
    else report.set(name, tensor.data[0] as number);
  }
  return { state: next, report };
}

/** The scalars of a step. `epoch` may be a fraction: 3.25 is a quarter into the fourth. */
export function stepScalars({ epoch, step, seed }: { readonly epoch: number; readonly step: number; readonly seed: number }): Batch {
  const scalar = (value: number) => makeTensor("f32", [], [value]);
  return new Map([
    ["train/epoch", scalar(epoch)],
    ["train/step", scalar(step)],
    ["train/seed", scalar(seed)],
  ]);
}

/** The model's weights within a state, under the names that weight files use. */
export function trainedWeights(state: State): ReadonlyMap<string, Float32Array> {
  return new Map(
    [...state].flatMap(([name, { dtype, data }]) => (name.startsWith("param/") && dtype === "f32" ? [[name.slice(6), data] as const] : [])),
  );
}
