import { type Dim, dimsEqual, multiplyDims } from "../../../ir/dim.ts";
import type { Graph, Node, Value } from "../../../ir/graph.ts";
import { elementwiseOps } from "./estimate.ts";

/** Where gate weights meet experts: a product, or a concatenation of products. */
export interface Mix {
  readonly node: Node;
  readonly pairs: readonly Pair[];
}

/** One weight of a gate, and the expert that it multiplies. */
export interface Pair {
  /** The softmax or sigmoid. */
  readonly gate: Node;
  /** Position along the last axis of the gate (its own axis for a softmax). */
  readonly slot: number;
  /** What the expert gives. */
  readonly entry: Value;
  /** The factor that holds the weights, and where in its columns those for the expert begin; null where one weight is for all of them. */
  readonly weights: Value;
  readonly weightStart: number | null;
  /** Columns that hold the expert beside others; null where it has all of them, or where experts lie along an axis of their own. */
  readonly columns: Columns | null;
}

export interface Columns {
  readonly start: number;
  readonly stop: number;
}

type Label = { readonly slot: number; readonly gate: Node } | { readonly entry: Value; readonly weighed: Pair | null };

interface Part {
  readonly start: number;
  readonly stop: number;
  readonly label: Label | null;
}

/** What a tensor holds: one thing, or several along an axis. */
type Mark = { readonly axis: null; readonly label: Label } | { readonly axis: number; readonly parts: readonly Part[] };

/** Softmaxes and sigmoids beyond this width are no gates over experts. */
const widestGate = 4096;

/**
 * Finds by data flow which gate weight multiplies which expert. The results of bank entries, and the slots of every softmax and sigmoid, are followed
 * through concatenations, slices, reshapes, repeats and elementwise ops; where the two meet in a product, the pair is noted. No module is known by name.
 */
export function findMixes(graph: Graph, experts: readonly Value[]): readonly Mix[] {
  const entries = new Set(experts);
  const marks = new Map<Value, Mark>();
  const mixes: Mix[] = [];
  for (const node of graph.nodes) {
    const output = node.outputs[0] as Value;
    const mark = markOf(node, output, marks, mixes);
    if (entries.has(output)) marks.set(output, { axis: null, label: { entry: output, weighed: null } });
    else if (mark !== null) marks.set(output, mark);
  }
  return mixes;
}

function markOf(node: Node, output: Value, marks: ReadonlyMap<Value, Mark>, mixes: Mix[]): Mark | null {
  const operands = node.inputs.map((value) => marks.get(value) ?? null);
  const [first = null] = operands;
  switch (node.op) {
    case "softmax":
      return slotsOf(node, output, node.attributes.axis);
    case "sigmoid":
      return holdsEntry(first) ? first : slotsOf(node, output, output.type.shape.length - 1);
    case "slice":
      return first === null ? null : cut(first, node.attributes.axis, node.attributes.start, node.attributes.stop);
    case "reshape":
      return first === null ? null : reshaped(first, (node.inputs[0] as Value).type.shape, output.type.shape);
    case "transpose":
      return first === null || first.axis === null ? first : { ...first, axis: node.attributes.permutation.indexOf(first.axis) };
    case "concat":
      return concatenated(node, operands, node.attributes.axis, mixes);
    case "gather":
      return first === null ? null : gathered(first, node.inputs[1] as Value, node.attributes.axis);
    case "reduce_sum":
    case "reduce_mean":
    case "reduce_max":
    case "reduce_min":
      return first === null ? null : reduced(first, node.attributes.axes, node.attributes.keep);
    case "mul":
      return pairUp(node, operands, mixes) ? weighed(mixes.at(-1) as Mix, operands) : kept(node, output, operands);
    case "matmul":
      contract(node, operands, mixes);
      return operands.filter((mark) => mark !== null).length === 1 ? whole(operands) : null;
    case "layer_norm":
      return first;
    default:
      return elementwiseOps.has(node.op) ? kept(node, output, operands) : null;
  }
}

function holdsEntry(mark: Mark | null): boolean {
  if (mark === null) return false;
  return mark.axis === null ? "entry" in mark.label : mark.parts.some(({ label }) => label !== null && "entry" in label);
}

function slotsOf(gate: Node, { type }: Value, axis: number): Mark | null {
  const count = type.shape[axis];
  if (typeof count !== "number" || count > widestGate || type.shape.length < 2) return null;
  if (count === 1) return { axis: null, label: { gate, slot: 0 } };
  return { axis, parts: Array.from({ length: count }, (_, slot) => ({ start: slot, stop: slot + 1, label: { gate, slot } })) };
}

/** The mark of an elementwise result: that of its one marked operand, or what all of them agree on. */
function kept(node: Node, output: Value, operands: readonly (Mark | null)[]): Mark | null {
  const marked = operands.flatMap((mark, i) => (mark === null ? [] : [alignToResult(mark, node.inputs[i] as Value, output)]));
  const [first] = marked;
  if (first === undefined || first === null) return null;
  return marked.every((mark) => mark !== null && sameMark(mark, first)) ? first : null;
}

/** With the axis counted in the result, whose leading axes an operand of lower rank does not have. */
function alignToResult(mark: Mark, operand: Value, result: Value): Mark | null {
  if (mark.axis === null) return mark;
  const axis = mark.axis + result.type.shape.length - operand.type.shape.length;
  return dimsEqual(operand.type.shape[mark.axis] as Dim, result.type.shape[axis] as Dim) ? { ...mark, axis } : null;
}

function whole(operands: readonly (Mark | null)[]): Mark | null {
  const mark = operands.find((candidate) => candidate !== null) ?? null;
  return mark?.axis === null ? mark : null;
}

function sameLabel(a: Label | null, b: Label | null): boolean {
  if (a === null || b === null) return a === b;
  if ("entry" in a) return "entry" in b && a.entry === b.entry && a.weighed === b.weighed;
  return "gate" in b && a.gate === b.gate && a.slot === b.slot;
}

function sameMark(a: Mark, b: Mark): boolean {
  if (a.axis === null || b.axis === null) return a.axis === null && b.axis === null && sameLabel(a.label, b.label);
  return (
    a.axis === b.axis &&
    a.parts.length === b.parts.length &&
    a.parts.every((part, i) => part.stop === b.parts[i]?.stop && sameLabel(part.label, b.parts[i]?.label ?? null))
  );
}

// ── ops that move values ────────────────────────────────────────────────────

/** A mark of parts, or of the one part that is left. */
function ofParts(axis: number, parts: readonly Part[]): Mark | null {
  const merged: Part[] = [];
  for (const part of parts) {
    const last = merged.at(-1);
    if (last !== undefined && sameLabel(last.label, part.label)) merged[merged.length - 1] = { ...last, stop: part.stop };
    else merged.push(part);
  }
  const [only] = merged;
  if (merged.length === 1) return only?.label == null ? null : { axis: null, label: only.label };
  return merged.some(({ label }) => label !== null) ? { axis, parts: merged } : null;
}

function cut(mark: Mark, axis: number, start: Dim, stop: Dim): Mark | null {
  if (mark.axis === null || mark.axis !== axis) return mark;
  if (typeof start !== "number" || typeof stop !== "number") return null;
  const parts = mark.parts.flatMap((part) => {
    const from = Math.max(part.start, start);
    const to = Math.min(part.stop, stop);
    return from < to ? [{ start: from - start, stop: to - start, label: part.label }] : [];
  });
  return ofParts(axis, parts);
}

/** The axis in the new shape before which as many elements stand; later axes may have been joined to it. */
function reshaped(mark: Mark, from: readonly Dim[], to: readonly Dim[]): Mark | null {
  if (mark.axis === null) return mark;
  const before = product(from.slice(0, mark.axis));
  const size = from[mark.axis] as Dim;
  for (let axis = 0; axis < to.length; axis += 1) {
    if (!dimsEqual(product(to.slice(0, axis)), before) || to[axis] === 1) continue;
    if (dimsEqual(to[axis] as Dim, size)) return { ...mark, axis };
    const inner = product(from.slice(mark.axis + 1));
    if (typeof inner !== "number" || !dimsEqual(to[axis] as Dim, multiplyDims(size, inner))) return null;
    return { axis, parts: mark.parts.map(({ start, stop, label }) => ({ start: start * inner, stop: stop * inner, label })) };
  }
  return null;
}

function product(dims: readonly Dim[]): Dim {
  return dims.reduce(multiplyDims, 1);
}

/** Experts that were weighed one by one, side by side. */
function concatenated(node: Node, operands: readonly (Mark | null)[], axis: number, mixes: Mix[]): Mark | null {
  const mark = joined(node.inputs, operands, axis);
  const last = (node.outputs[0]?.type.shape.length ?? 0) - 1;
  const parts = mark !== null && mark.axis === last ? mark.parts : [];
  const pairs = parts.flatMap(({ start, stop, label }): Pair[] =>
    label !== null && "entry" in label && label.weighed !== null ? [{ ...label.weighed, columns: { start, stop } }] : [],
  );
  if (pairs.length > 1) mixes.push({ node, pairs });
  return mark;
}

function joined(inputs: readonly Value[], operands: readonly (Mark | null)[], axis: number): Mark | null {
  const parts: Part[] = [];
  let at = 0;
  for (const [i, value] of inputs.entries()) {
    const size = value.type.shape[axis];
    const mark = operands[i] ?? null;
    if (typeof size !== "number") return null;
    if (mark !== null && mark.axis !== null && mark.axis !== axis) return null;
    if (mark === null || mark.axis === null) parts.push({ start: at, stop: at + size, label: mark?.label ?? null });
    else for (const part of mark.parts) parts.push({ start: at + part.start, stop: at + part.stop, label: part.label });
    at += size;
  }
  return ofParts(axis, parts);
}

/** Positions known while compiling pick parts: how `repeat` spreads the weights of a gate over columns. */
function gathered(mark: Mark, indices: Value, axis: number): Mark | null {
  if (mark.axis === null) return mark;
  if (mark.axis !== axis || indices.node.op !== "constant" || indices.type.shape.length !== 1) return null;
  const labels = mark.parts.flatMap(({ start, stop, label }) => new Array<Label | null>(stop - start).fill(label));
  return ofParts(
    axis,
    indices.node.attributes.data.map((index, i) => ({ start: i, stop: i + 1, label: labels[index] ?? null })),
  );
}

function reduced(mark: Mark, axes: readonly number[], keep: boolean): Mark | null {
  const { axis } = mark;
  if (axis === null) return mark;
  if (axes.includes(axis)) return null;
  return keep ? mark : { ...mark, axis: axis - axes.filter((gone) => gone < axis).length };
}

// ── products ────────────────────────────────────────────────────────────────

/** Notes the pairs of a product; false where it is none of weights and experts. */
function pairUp(node: Node, operands: readonly (Mark | null)[], mixes: Mix[]): boolean {
  const result = node.outputs[0] as Value;
  const marks = operands.map((mark, i) => (mark === null ? null : alignToResult(mark, node.inputs[i] as Value, result)));
  const entrySide = marks.findIndex(holdsEntry);
  const [entries, weights] = [marks[entrySide] ?? null, marks[1 - entrySide] ?? null];
  if (entrySide < 0 || entries === null || weights === null || holdsEntry(weights)) return false;
  if (entries.axis !== null && weights.axis !== null && entries.axis !== weights.axis) return false;
  const factor = node.inputs[1 - entrySide] as Value;
  const axis = entries.axis ?? weights.axis ?? 0;
  const width = result.type.shape[axis];
  const all = { start: 0, stop: typeof width === "number" ? width : 1 };
  const partsOf = (mark: Mark): readonly Part[] => (mark.axis === null ? [{ ...all, label: mark.label }] : mark.parts);
  const columnar = entries.axis !== null && axis === result.type.shape.length - 1;
  const pairs = partsOf(entries).flatMap((part) =>
    partsOf(weights).flatMap((weight): Pair[] => {
      if (part.label === null || weight.label === null || !("entry" in part.label) || !("gate" in weight.label)) return [];
      if (weight.start >= part.stop || part.start >= weight.stop) return [];
      const columns = columnar ? { start: part.start, stop: part.stop } : null;
      const weightStart = columnar && weights.axis !== null ? part.start : null;
      return [{ ...weight.label, entry: part.label.entry, weights: factor, weightStart, columns }];
    }),
  );
  if (pairs.length > 0) mixes.push({ node, pairs });
  return pairs.length > 0;
}

/** What a product holds: one expert with one weight may yet be joined to others. */
function weighed({ pairs }: Mix, operands: readonly (Mark | null)[]): Mark | null {
  const [pair] = pairs;
  const alone = operands.every((mark) => mark?.axis === null);
  return alone && pair !== undefined ? { axis: null, label: { entry: pair.entry, weighed: pair } } : null;
}

/** A weighted sum as a product of matrices: the axis of the experts is the one that is summed over. */
function contract(node: Node, operands: readonly (Mark | null)[], mixes: Mix[]): void {
  const [left, right] = operands;
  const [a, b] = node.inputs as readonly [Value, Value];
  if (left == null || right == null || left.axis === null || right.axis === null) return;
  if (left.axis !== a.type.shape.length - 1 || right.axis !== b.type.shape.length - 2) return;
  const [entries, weights, factor] = holdsEntry(left) ? [left, right, b] : [right, left, a];
  const pairs = entries.parts.flatMap(({ start, label }): Pair[] => {
    const weight = weights.parts.find((part) => part.start === start)?.label ?? null;
    if (label === null || weight === null || !("entry" in label) || !("gate" in weight)) return [];
    return [{ ...weight, entry: label.entry, weights: factor, weightStart: null, columns: null }];
  });
  if (pairs.length > 0) mixes.push({ node, pairs });
}
