import { Algebra, shapesEqual } from "../ir/algebra.ts";
import { type Dim, dimsEqual } from "../ir/dim.ts";
import type { Node, NodeOf, TensorType, Value } from "../ir/graph.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { elementwise } from "../ops/elementwise.ts";
import type { Rule } from "../passes/rewrite.ts";

/** Recurrences of fewer steps are left as they are. */
const fewestSteps = 16;
/** A reduction must make the tensors smaller by this factor, or their size is no concern. */
const smallestFactor = 4;

/**
 * Runs a linear recurrence whose states are large and are reduced at once, Σ f(h_t) over trailing axes with h = a·h + b, as a loop whose body makes a, b, h
 * and the reduction for one step: what is as large as all the states is never written to memory, and what a step makes stays near the processor. The loop
 * stands in another one over chunks of about √T steps, of which the states between chunks alone are kept; the reverse loop computes the rest again, so
 * a selective state space of [B, T, d, n] is trained in the memory of [B, √T, d, n].
 *
 * Equal up to rounding. For graphs that are differentiated afterwards, and for engines that have loops. T must be known.
 */
export const tileRecurrence: Rule = (node, [x], { builder }) => {
  if ((node.op !== "reduce_sum" && node.op !== "reduce_mean") || x === undefined) return null;
  const region = findRegion(x);
  if (region === null) return null;
  const { axes } = node.attributes;
  const { axis } = region.recurrence.attributes;
  const { shape } = x.type;
  const steps = shape[axis];
  if (typeof steps !== "number" || steps < fewestSteps || axes.some((reduced) => reduced <= axis)) return null;
  const factor = axes.reduce((product, reduced) => product * (shape[reduced] === undefined ? 1 : Number(shape[reduced])), 1);
  return factor >= smallestFactor ? [new Stepwise(new Algebra(builder, node), node, region).build(steps)] : null;
};

/** Elementwise ops around one recurrence, all of the same shape. */
interface Region {
  readonly recurrence: NodeOf<"linear_scan">;
  /** In topological order. */
  readonly nodes: readonly Node[];
  /** What the nodes read and do not make, with where the axis of time stands in it; null where it has none. */
  readonly outside: ReadonlyMap<Value, number | null>;
}

function findRegion(end: Value): Region | null {
  const { shape } = end.type;
  const nodes = new Set<Node>();
  const outside = new Set<Value>();
  const pending = [end];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const { node, type } = at;
    const isPart = node.op === "linear_scan" || node.op === "expand" || Object.hasOwn(elementwise, node.op);
    if (!isPart || !shapesEqual(type.shape, shape)) outside.add(at);
    else if (!nodes.has(node)) {
      nodes.add(node);
      pending.push(...node.inputs);
    }
  }
  const recurrences = [...nodes].filter((node) => node.op === "linear_scan");
  const [recurrence] = recurrences;
  if (recurrence === undefined || recurrences.length > 1) return null;
  const { axis } = recurrence.attributes;
  const steps = shape[axis] as Dim;
  const placed = new Map<Value, number | null>();
  for (const value of outside) {
    const own = axis - shape.length + value.type.shape.length;
    placed.set(value, own >= 0 && dimsEqual(value.type.shape[own] as Dim, steps) ? own : null);
  }
  return { recurrence, nodes: [...nodes].sort((a, b) => a.id - b.id), outside: placed };
}

/** The divisor of the number of steps nearest to its square root; all steps where that is far away. */
function chunkSize(steps: number): number {
  const root = Math.sqrt(steps);
  const sizes = Array.from({ length: steps }, (_, i) => i + 1).filter((size) => steps % size === 0 && size >= root / 3 && size <= root * 3);
  return sizes.sort((a, b) => Math.abs(a - root) - Math.abs(b - root))[0] ?? steps;
}

type Reduce = NodeOf<"reduce_sum"> | NodeOf<"reduce_mean">;

class Stepwise {
  readonly #g: Algebra;
  readonly #end: Reduce;
  readonly #region: Region;
  /** Of the recurrence. */
  readonly #axis: number;
  /** The types of a step's state and of what it gives. */
  readonly #state: TensorType;
  readonly #result: TensorType;

  constructor(g: Algebra, end: Reduce, region: Region) {
    this.#g = g;
    this.#end = end;
    this.#region = region;
    this.#axis = region.recurrence.attributes.axis;
    const typeOfStep = ({ type }: Value): TensorType => ({ ...type, shape: type.shape.toSpliced(this.#axis, 1) });
    this.#state = typeOfStep(region.recurrence.outputs[0] as Value);
    this.#result = typeOfStep(end.outputs[0] as Value);
  }

  build(steps: number): Value {
    const g = this.#g;
    const scanned = [...this.#region.outside].flatMap(([value, own]) => (own === null ? [] : [{ value, own }]));
    const start = g.full(this.#state.shape, 0);
    const overSteps = scanned.map(({ value, own }) => timeFirst(g, value, own));
    const values = scanned.map(({ value }) => value);
    const size = chunkSize(steps);
    const results = size === steps ? this.#steps(start, values, overSteps)[0] : this.#chunks(start, values, overSteps, size);
    return timeBack(g, g.reshape(results as Value, [steps, ...this.#result.shape]), this.#axis);
  }

  /** Results of all steps, stacked twice: in chunks of `size`. */
  #chunks(start: Value, scanned: readonly Value[], overSteps: readonly Value[], size: number): Value {
    const g = this.#g;
    const overChunks = overSteps.map((value) => {
      const [steps, ...rest] = value.type.shape;
      return g.reshape(value, [Number(steps) / size, size, ...rest]);
    });
    const part: TensorType = { ...this.#result, shape: [size, ...this.#result.shape] };
    const slices = overChunks.map(({ type }): TensorType => ({ ...type, shape: type.shape.slice(1) }));
    const body = g.builder.body([this.#state, part, ...slices], this.#end, ([before, , ...chunk]) => {
      const [parts, last] = this.#steps(before as Value, scanned, chunk);
      return [last as Value, parts as Value];
    });
    if (body === null) throw new Error("the body of a loop over chunks always has results");
    const [, parts] = g.ops("scan", [start, g.full(part.shape, 0), ...overChunks], { axis: 0, states: 2, body });
    return parts as Value;
  }

  /** What the steps give, stacked, and the state after the last. */
  #steps(start: Value, scanned: readonly Value[], overSteps: readonly Value[]): readonly Value[] {
    const g = this.#g;
    const slices = overSteps.map(({ type }): TensorType => ({ ...type, shape: type.shape.slice(1) }));
    const body = g.builder.body([this.#result, this.#state, ...slices], this.#end, ([, before, ...step]) =>
      this.#step(before as Value, new Map(scanned.map((value, i) => [value, step[i] as Value]))),
    );
    if (body === null) throw new Error("the body of a loop over steps always has results");
    return g.ops("scan", [g.full(this.#result.shape, 0), start, ...overSteps], { axis: 0, states: 2, final: 1, body });
  }

  /** What one step gives, and the state after it; `copies` has the step's slice of what is scanned. */
  #step(before: Value, copies: Map<Value, Value>): readonly Value[] {
    const g = this.#g;
    const { recurrence, nodes, outside } = this.#region;
    for (const [value, own] of outside) if (own === null) copies.set(value, this.#withoutTime(value));
    const copyOf = (value: Value) => copies.get(value) as Value;
    for (const node of nodes) {
      const inputs = node.inputs.map(copyOf);
      const [output] = node.outputs as readonly [Value];
      if (node === (recurrence as Node)) copies.set(output, g.add(g.mul(inputs[0] as Value, before), inputs[1] as Value));
      else if (node.op === "expand") copies.set(output, g.expand(inputs[0] as Value, output.type.shape.toSpliced(this.#axis, 1)));
      else copies.set(output, g.op<OpName>(node.op, inputs, node.attributes as OpAttributes[OpName]));
    }
    const { axes, keep } = this.#end.attributes;
    const reduced = { axes: axes.map((axis) => axis - 1), keep };
    return [g.op(this.#end.op, [copyOf(this.#end.inputs[0] as Value)], reduced), copyOf(recurrence.outputs[0] as Value)];
  }

  /** A value that is the same at all steps, without the axis of length 1 that it may have in the place of time. */
  #withoutTime(value: Value): Value {
    const { shape } = value.type;
    const own = this.#axis - (this.#state.shape.length + 1 - shape.length);
    return own < 0 ? value : this.#g.reshape(value, shape.toSpliced(own, 1));
  }
}

function timeFirst(g: Algebra, value: Value, axis: number): Value {
  const others = value.type.shape.map((_, i) => i).toSpliced(axis, 1);
  return axis === 0 ? value : g.transpose(value, [axis, ...others]);
}

function timeBack(g: Algebra, value: Value, axis: number): Value {
  const others = value.type.shape.map((_, i) => i).slice(1);
  return axis === 0 ? value : g.transpose(value, others.toSpliced(axis, 0, 0));
}
