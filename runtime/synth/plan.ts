import { readColumns } from "../../compiler/check/read-columns.ts";
import type { Value } from "../../compiler/ir/graph.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { inputForms } from "../data/input-forms.ts";
import { describeModel, type InputDescription, type TaskDescription } from "../description.ts";

/** What customers are made of. Plain data: it is written beside the table. */
export interface SynthPlan {
  readonly model: string;
  readonly hash: string;
  readonly rows: number;
  readonly seed: number;
  /** The share of rows in which an optional input is missing, each for itself. */
  readonly missing: number;
  /** Each source has independent standard normal factors of its own, which its columns show. */
  readonly sources: readonly FactorSource[];
  /** The source that stands for each expert: of the columns that it reads, those that the fewest other experts read. */
  readonly experts: Readonly<Record<string, string>>;
  readonly tasks: readonly PlannedTask[];
}

export interface FactorSource {
  readonly name: string;
  readonly factors: number;
  readonly columns: readonly InputColumns[];
}

/** Columns [start, start + width) of an input's last axis; the whole input where it is no vector. */
export interface InputColumns {
  readonly input: string;
  readonly start: number;
  readonly width: number;
}

export interface PlannedTask extends Pick<TaskDescription, "name" | "kind" | "width"> {
  /** The experts on which its labels depend. */
  readonly experts: readonly string[];
  readonly sources: readonly string[];
  /** Of a binary task the share of rows with label 1. */
  readonly positives: number | null;
  /** The more frequent binary task among whose positives its own lie, as conversions follow clicks. */
  readonly follows: string | null;
}

export interface SynthOptions {
  readonly rows: number;
  readonly seed: number;
  readonly missing: number;
}

/** Factors of a source that has columns enough. */
const mostFactors = 4;

/** Positives of a binary task for which the spec states none. */
const statedNowhere = 0.5;

/**
 * Plans customers for a model. A task depends on the experts that it prefers; one that prefers none, on the source whose turn it is. Inputs that no expert
 * reads carry nothing. A rare binary task to which an edge leads follows the other task, where that depends on nothing else.
 */
export function planCustomers(model: CheckedModel, { rows, seed, missing }: SynthOptions): SynthPlan {
  const { inputs } = describeModel(model);
  const readers = columnsOfExperts(model, inputs);
  const forms = inputForms(inputs);
  // a mask follows from the input that it is of, and shares belong to their category
  const drawn = inputs.filter(({ name }) => !["mask", "shares"].includes(forms.get(name)?.kind ?? ""));
  const { sources, experts } = partition(drawn, readers);
  let turn = 0;
  const planned = model.tasks.flatMap((task): PlannedTask[] => {
    const { name, kind, width, prefer, enabled, loss } = task;
    if (!enabled || loss === null) return [];
    const known = prefer.filter((expert) => experts[expert] !== undefined);
    const taken = known.length > 0 ? known.map((expert) => experts[expert] as string) : [sources[turn++ % sources.length]?.name ?? ""];
    const planted = known.length > 0 ? known : Object.keys(experts).filter((expert) => experts[expert] === taken[0]);
    const positives = kind === "binary" ? (task.positives ?? statedNowhere) : null;
    return [{ name, kind, width, experts: planted, sources: [...new Set(taken)], positives, follows: null }];
  });
  const tasks = planned.map((task) => ({ ...task, follows: followed(task, planned, model) }));
  return { model: model.name, hash: model.hash, rows, seed, missing, sources, experts, tasks };
}

function followed(task: PlannedTask, planned: readonly PlannedTask[], { transfers }: CheckedModel): string | null {
  const before = planned.find(
    ({ name, positives, sources }) =>
      transfers.some(({ from, to }) => from === name && to === task.name) &&
      (positives ?? 0) > (task.positives ?? 1) &&
      sources.every((source) => task.sources.includes(source)),
  );
  return before?.name ?? null;
}

/** What each expert reads, as one flag for each column of each input. Experts of a task or a group of their own count as one. */
function columnsOfExperts(model: CheckedModel, inputs: readonly InputDescription[]): ReadonlyMap<string, ReadonlyMap<string, Uint8Array>> {
  const experts = new Map<string, ReadonlyMap<string, Uint8Array>>();
  for (const { name, role, per, entries, instances } of model.banks) {
    if (role !== "experts") continue;
    const values = instances.map(({ value }) => value);
    if (per === null)
      for (const [i, entry] of entries.entries()) experts.set(entry.name, columnsRead(model, inputs, values.slice(i, i + 1)));
    else experts.set(name, columnsRead(model, inputs, values));
  }
  if (experts.size === 0)
    experts.set(
      "all inputs",
      columnsRead(
        model,
        inputs,
        model.tasks.flatMap(({ logit }) => logit ?? []),
      ),
    );
  return experts;
}

function columnsRead(model: CheckedModel, inputs: readonly InputDescription[], values: readonly Value[]): ReadonlyMap<string, Uint8Array> {
  const outputs = values.map((value, i) => ({ name: String(i), value, doc: null }));
  const reads = readColumns(prune({ ...model.graph, outputs }));
  return new Map(
    inputs.flatMap((input) => {
      const ranges = reads.get(input.name);
      if (ranges === undefined) return [];
      const flags = new Uint8Array(columnCount(input));
      for (const { start, stop } of ranges) flags.fill(1, flags.length === 1 ? 0 : start, Math.min(stop, flags.length));
      return [[input.name, flags] as const];
    }),
  );
}

/** Columns that can be told apart: those of a vector; anything else is one. */
function columnCount({ shape, dtype, vocabulary }: InputDescription): number {
  const [, width] = shape;
  return shape.length === 2 && dtype === "f32" && vocabulary === null && typeof width === "number" ? width : 1;
}

/** Columns by the set of experts that read them. */
function partition(
  inputs: readonly InputDescription[],
  readers: ReadonlyMap<string, ReadonlyMap<string, Uint8Array>>,
): Pick<SynthPlan, "sources" | "experts"> {
  const parts = new Map<string, { readonly readers: readonly string[]; readonly columns: InputColumns[] }>();
  for (const input of inputs) {
    const count = columnCount(input);
    let open: { key: string; start: number } | null = null;
    for (let column = 0; column <= count; column++) {
      const names = column < count ? [...readers].flatMap(([name, reads]) => (reads.get(input.name)?.[column] === 1 ? [name] : [])) : [];
      const key = names.join(" + ");
      if (open !== null && open.key === key && column < count) continue;
      if (open !== null) parts.get(open.key)?.columns.push({ input: input.name, start: open.start, width: column - open.start });
      open = names.length === 0 ? null : { key, start: column };
      if (open !== null && !parts.has(key)) parts.set(key, { readers: names, columns: [] });
    }
  }
  const experts: Record<string, string> = {};
  for (const expert of readers.keys()) {
    const own = [...parts].filter(([, part]) => part.readers.includes(expert));
    const [best] = own.sort(([, a], [, b]) => a.readers.length - b.readers.length || widthOf(b.columns) - widthOf(a.columns));
    if (best !== undefined) experts[expert] = best[0];
  }
  const used = new Set(Object.values(experts));
  const sources = [...parts]
    .filter(([key]) => used.has(key))
    .map(([name, { columns }]) => ({ name, factors: factorCount(columns, inputs), columns }));
  return { sources, experts };
}

function widthOf(columns: readonly InputColumns[]): number {
  return columns.reduce((total, { width }) => total + width, 0);
}

/** Ids show one factor each, and so do the columns of a vector; steps show all that there are. */
function factorCount(columns: readonly InputColumns[], inputs: readonly InputDescription[]): number {
  const places = columns.reduce((total, { input, width }) => {
    const shape = inputs.find(({ name }) => name === input)?.shape ?? [];
    return total + (shape.length > 2 ? mostFactors : width);
  }, 0);
  return Math.max(1, Math.min(mostFactors, places));
}
