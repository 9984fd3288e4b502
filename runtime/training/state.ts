import type { TrainingGraph } from "../../compiler/training/step.ts";
import type { StateEntry, StepTable } from "../../compiler/training/step-graph.ts";
import type { WeightSource } from "../../compiler/weights.ts";
import { type Batch, type Engine, makeTensor, type Tensor } from "../engine.ts";
import { findBatchRows, readRows, writeRows } from "../table-rows.ts";

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
  // Tables are written in place.
  return values.slice();
}

export interface StepResult {
  readonly state: State;
  /** Losses, penalties and metrics by name. */
  readonly report: ReadonlyMap<string, number>;
}

/**
 * Runs a training graph once: feeds are the batch, the labels and the scalars. What the graph does not read is left out, and state that it does not change
 * stays as it is. Of a table the rows that the batch uses are read and written, in place: whoever keeps a state of before copies it (`copyState`).
 */
export async function runStep(engine: Engine, { graph, tables }: TrainingGraph, state: State, feeds: Batch): Promise<StepResult> {
  const rows = tables.map((table) => takeRows(table, state, feeds));
  const given = new Map([...state, ...feeds, ...rows.flatMap(({ inputs }) => [...inputs])]);
  const read = graph.inputs.flatMap(({ name }): (readonly [string, Tensor])[] => {
    const tensor = given.get(name);
    return tensor === undefined ? [] : [[name, tensor]];
  });
  const results = await engine.run(new Map(read));
  const next = new Map(state);
  const report = new Map<string, number>();
  for (const [name, tensor] of results) {
    if (name.startsWith(nextPrefix)) next.set(name.slice(nextPrefix.length), tensor);
    else report.set(name, tensor.data[0] as number);
  }
  for (const taken of rows) giveRows(taken, state, next);
  return { state: next, report };
}

interface TakenRows {
  readonly table: StepTable;
  readonly numbers: Int32Array;
  /** The rows of each state of the table, and the places of ids among them. */
  readonly inputs: Batch;
}

function takeRows(table: StepTable, state: State, feeds: Batch): TakenRows {
  const waiting = state.get(waitingRows(table));
  const { numbers, places } =
    table.ids.length > 0 ? findBatchRows(table.ids, feeds) : { numbers: Int32Array.from(waiting?.data ?? []), places: new Map() };
  const rows = table.states.map((name): [string, Tensor] => {
    const whole = state.get(name);
    if (whole === undefined) throw new Error(`there is no state ${name}`);
    return [name, readRows(name, whole, numbers)];
  });
  return { table, numbers, inputs: new Map([...rows, ...places]) };
}

/** Writes what a step made of the rows into the tables. Rows whose gradients are buffered wait for the graph that takes the step. */
function giveRows({ table, numbers }: TakenRows, state: State, next: Map<string, Tensor>): void {
  for (const name of table.states) {
    const [whole, rows] = [state.get(name), next.get(name)];
    if (whole === undefined || rows === undefined) throw new Error(`there is no state ${name}`);
    if (rows !== whole) writeRows(whole, numbers, rows);
    next.set(name, whole);
  }
  if (!table.states.some((name) => name.startsWith("gradient/"))) return;
  const before = state.get(waitingRows(table))?.data ?? [];
  const waiting = table.ids.length > 0 ? Float32Array.from(new Set([...before, ...numbers])).sort() : new Float32Array(0);
  next.set(waitingRows(table), makeTensor("f32", [waiting.length], waiting));
}

/** The state that holds which rows have a buffered gradient; f32 like all state, which checkpoints hold. */
function waitingRows({ param }: StepTable): string {
  return `gradient/rows/${param}/numbers`;
}

/** The same tensors, in memory of their own. */
export function copyState(state: State): State {
  return new Map([...state].map(([name, { dtype, shape, data }]) => [name, makeTensor(dtype, shape, data.slice())]));
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
