import { differentiate } from "../autodiff/differentiate.ts";
import { findMixes } from "../check/lint/analysis/mixes.ts";
import { type ColumnRange, readColumns } from "../check/read-columns.ts";
import type { GraphInput, Node, Value } from "../ir/graph.ts";
import type { CheckedModel, ModelEntry } from "../model.ts";
import type { AbsentInputs } from "../passes/fold-absent.ts";
import { prune } from "../passes/prune.ts";
import { predictionsAndLosses } from "./evaluation.ts";
import type { Formula } from "./formula.ts";
import { buildForward } from "./forward.ts";
import type { TrainingGraph } from "./step.ts";
import { StepGraph } from "./step-graph.ts";
import { taskTerms } from "./terms.ts";
import { isPartOf } from "./trainable.ts";

/** The graph that looks inside a model, and what its outputs are about. All outputs are means over the batch's rows, or sums of squares. */
export interface ObservationGraph {
  readonly graph: TrainingGraph;
  readonly gates: readonly ObservedGate[];
  /** Names of experts: `expert_square/`, `gradient_square/` and `missing/`, f32[]. */
  readonly experts: readonly string[];
  /** Names of route entries: `missing/routes/`, f32[]. */
  readonly routes: readonly string[];
  /** Names of edges, `ctr->cvr`: `transfer_added/` and `transfer_own/`, mean squares, f32[]. */
  readonly transfers: readonly string[];
  /** Names of tasks: `labels/`, the share of rows with a label, f32[]. */
  readonly tasks: readonly string[];
}

/** Its outputs are `gate/`, f32[slots], shares of the weights' sum, and `gate_entropy/`, f32[], 1 where weights are even. */
export interface ObservedGate {
  readonly name: string;
  /** What each slot weighs; several slots may weigh one expert. */
  readonly slots: readonly string[];
}

/**
 * Builds from the wiring of a model what is worth watching: which gate weighs which expert, what experts give and learn, how many rows bring them nothing,
 * what transfer edges add, which tasks have labels. Inputs are the model's batch, `label/<task>` and the parameters. Dropout is off.
 */
export function observationGraph(model: CheckedModel, absent: AbsentInputs | null = null): ObservationGraph {
  const whole = predictionsAndLosses(model);
  const step = new StepGraph();
  const { copyOf, params } = buildForward({ training: whole }, step, { dropout: false, absent });
  const f = step.formula("observe");
  const there = new Set(whole.nodes);
  const live = (entries: readonly ModelEntry[]) => entries.filter(({ value }) => there.has(value.node));
  const entriesOf = (role: "experts" | "routes") =>
    live(model.banks.filter((bank) => bank.role === role).flatMap((bank) => bank.instances));
  const output = (name: string, value: Value) => step.output(name, value, null);
  const experts = entriesOf("experts");
  const expertNames = shortNames(experts);

  const tasks = taskTerms(model, copyOf, f);
  const total = f.total(tasks.map(({ loss, weight }) => f.mul(loss, weight)));
  for (const { task, rows } of tasks) output(`labels/${task}`, f.div(rows, rowsOf(f, copyOf(lossOf(model, task)))));

  const missing = (entry: ModelEntry) => missingShare(f, model, entry, whole.inputs, copyOf);
  const watched = experts.map(({ path, value }) => {
    const own = params.filter(({ param }) => isPartOf(param, path)).map((param) => param.value);
    return own.length > 0 ? own : [copyOf(value)];
  });
  const gradients = differentiate(f.builder, [{ value: total, cotangent: f.scalar(1) }], watched.flat());
  let at = 0;
  for (const [i, entry] of experts.entries()) {
    const count = watched[i]?.length ?? 0;
    const squares = gradients.slice(at, at + count).flatMap((gradient) => (gradient === null ? [] : [sumOfSquares(f, gradient)]));
    at += count;
    const name = expertNames[i] ?? entry.path;
    output(`expert_square/${name}`, meanSquare(f, copyOf(entry.value)));
    output(`gradient_square/${name}`, f.total(squares));
    output(`missing/${name}`, missing(entry));
  }

  const routes = entriesOf("routes");
  const routeNames = shortNames(routes);
  for (const [i, entry] of routes.entries()) output(`missing/routes/${routeNames[i]}`, missing(entry));

  const gates = findGates(model, whole.nodes, experts, expertNames);
  for (const { name, gate } of gates) {
    const { shares, entropy } = gateShares(f, gate, copyOf);
    output(`gate/${name}`, shares);
    output(`gate_entropy/${name}`, entropy);
  }

  const transfers = model.transfers.flatMap(({ from, to, applied }) => {
    if (applied === null || !there.has(applied.after.node) || !there.has(applied.before.node)) return [];
    const name = `${from}->${to}`;
    const { added, own } = edgeSquares(f, copyOf(applied.before), copyOf(applied.after));
    output(`transfer_added/${name}`, added);
    output(`transfer_own/${name}`, own);
    return [name];
  });

  return {
    graph: step.finish(`${model.name}/observation`),
    gates: gates.map(({ name, slots }) => ({ name, slots })),
    experts: expertNames,
    routes: routeNames,
    transfers,
    tasks: tasks.map(({ task }) => task),
  };
}

function lossOf({ losses }: CheckedModel, task: string): Value {
  const loss = losses.find((candidate) => candidate.task === task);
  if (loss === undefined) throw new Error(`${task} has no loss`);
  return loss.rows;
}

/** Names of entries: their own where no other has it, else the paths of their parameters. */
function shortNames(entries: readonly ModelEntry[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { name } of entries) counts.set(name, (counts.get(name) ?? 0) + 1);
  return entries.map(({ name, path }) => (counts.get(name) === 1 ? name : path));
}

// ── gates ───────────────────────────────────────────────────────────────────

interface FoundGate extends ObservedGate {
  readonly gate: Node;
}

/** Softmaxes and sigmoids whose slots weigh at least two experts. */
function findGates(
  model: CheckedModel,
  nodes: readonly Node[],
  experts: readonly ModelEntry[],
  names: readonly string[],
): readonly FoundGate[] {
  const nameOf = new Map(experts.map(({ value }, i) => [value, names[i] ?? ""]));
  const mixes = findMixes({ ...model.graph, nodes }, [...nameOf.keys()]);
  const slots = new Map<Node, Map<number, string>>();
  for (const { gate, slot, entry } of mixes.flatMap(({ pairs }) => pairs)) {
    const known = slots.get(gate) ?? new Map<number, string>();
    slots.set(gate, known.set(slot, nameOf.get(entry) ?? ""));
  }
  const found = [...slots].filter(([, weighed]) => new Set(weighed.values()).size > 1);
  const gateNames = shortestPaths(found.map(([gate]) => gate.path));
  return found.map(([gate, weighed], i) => {
    const [value] = gate.outputs;
    const count = Number(value?.type.shape[axisOf(gate)]);
    return {
      name: gateNames[i] ?? gate.path,
      gate,
      slots: Array.from({ length: count }, (_, slot) => weighed.get(slot) ?? `slot ${slot}`),
    };
  });
}

/** For each path the shortest beginning that no other one has. */
function shortestPaths(paths: readonly string[]): readonly string[] {
  return paths.map((path, i) => {
    const parts = path.split("/");
    for (let length = 1; length <= parts.length; length += 1) {
      const start = parts.slice(0, length).join("/");
      if (paths.every((other, j) => j === i || !`${other}/`.startsWith(`${start}/`))) return start;
    }
    return `${path} ${paths.slice(0, i).filter((other) => other === path).length + 1}`;
  });
}

function axisOf(gate: Node): number {
  return gate.op === "softmax" ? gate.attributes.axis : (gate.outputs[0]?.type.shape.length ?? 1) - 1;
}

function gateShares(f: Formula, gate: Node, copyOf: (value: Value) => Value) {
  const weights = copyOf(gate.outputs[0] as Value);
  const axis = axisOf(gate);
  const sum = f.op("reduce_sum", [weights], { axes: [axis], keep: true });
  const shares = f.div(weights, f.max(sum, 1e-12));
  const count = Number(weights.type.shape[axis]);
  const others = weights.type.shape.map((_, i) => i).filter((i) => i !== axis);
  // -Σ p log p / log n
  const entropy = f.mul(f.sum(f.mul(shares, f.log(f.max(shares, 1e-12))), [axis]), -1 / Math.log(count));
  return { shares: f.op("reduce_mean", [shares], { axes: others, keep: false }), entropy: meanOfAll(f, entropy) };
}

// ── experts and routes ──────────────────────────────────────────────────────

/** The share of rows in which everything that an entry reads is absent: zeros, or the fill of an optional input. Ids that must be given never are. */
function missingShare(
  f: Formula,
  model: CheckedModel,
  { value }: ModelEntry,
  inputs: readonly GraphInput[],
  copyOf: (value: Value) => Value,
): Value {
  const reads = readColumns(prune({ ...model.graph, outputs: [{ name: "entry", value, doc: null }] }));
  let absent: Value | null = null;
  for (const input of inputs) {
    const ranges = reads.get(input.name);
    if (ranges === undefined) continue;
    if (!input.optional && (input.vocabulary !== null || input.value.type.dtype !== "f32")) return f.scalar(0);
    for (const range of merged(ranges)) {
      const rows = absentRows(f, columnsOf(f, copyOf(input.value), range), input.fill);
      absent = absent === null ? rows : f.mul(absent, rows);
    }
  }
  return absent === null ? f.scalar(0) : meanOfAll(f, absent);
}

function columnsOf(f: Formula, x: Value, { start, stop }: ColumnRange): Value {
  const axis = x.type.shape.length - 1;
  const width = x.type.shape[axis];
  return axis === 0 || typeof width !== "number" || (start === 0 && stop >= width) ? x : f.slice(x, axis, start, stop);
}

/** f32[B]: 1 where every number of the row is `fill`. */
function absentRows(f: Formula, x: Value, fill: number): Value {
  const numbers = x.type.dtype === "f32" ? x : f.f32(x);
  const axes = x.type.shape.map((_, i) => i).slice(1);
  const differs = f.f32(f.gt(f.abs(f.sub(numbers, fill)), 0));
  return f.sub(1, f.largest(differs, axes));
}

function merged(ranges: readonly ColumnRange[]): readonly ColumnRange[] {
  const found: ColumnRange[] = [];
  for (const range of [...ranges].sort((a, b) => a.start - b.start)) {
    const last = found.at(-1);
    if (last === undefined || range.start > last.stop) found.push(range);
    else found[found.length - 1] = { start: last.start, stop: Math.max(last.stop, range.stop) };
  }
  return found;
}

// ── edges ───────────────────────────────────────────────────────────────────

/** Mean squares of what an edge adds, and of what was there before: the difference, or the further columns of a wider result. */
function edgeSquares(f: Formula, before: Value, after: Value): { readonly added: Value; readonly own: Value } {
  const [narrow, wide] = [before, after].map(({ type }) => Number(type.shape.at(-1)));
  if (narrow === undefined || wide === undefined || wide <= narrow)
    return { added: meanSquare(f, narrow === wide ? f.sub(after, before) : after), own: meanSquare(f, before) };
  const own = meanSquare(f, before);
  const further = f.sub(f.mul(meanSquare(f, after), wide), f.mul(own, narrow));
  return { added: f.max(f.mul(further, 1 / (wide - narrow)), 0), own };
}

// ── sums ────────────────────────────────────────────────────────────────────

function meanSquare(f: Formula, x: Value): Value {
  return meanOfAll(f, f.mul(x, x));
}

function meanOfAll(f: Formula, x: Value): Value {
  return x.type.shape.length === 0 ? x : f.op("reduce_mean", [x], { axes: x.type.shape.map((_, i) => i), keep: false });
}

function sumOfSquares(f: Formula, x: Value): Value {
  return f.sumAll(f.mul(x, x));
}

/** f32[]: the number of rows of the batch. */
function rowsOf(f: Formula, rows: Value): Value {
  return f.sumAll(f.full(rows.type.shape, 1));
}
