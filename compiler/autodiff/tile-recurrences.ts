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
 * Runs a linear recurrence whose states are large and are reduced at once, Σ f(h_t) over trailing axes with h = a·h + b, in chunks of time: a loop whose body
 * makes a, b, h and the reduction for one chunk. Of all that, the states between chunks and the reduced result alone are ever whole, and the reverse
 * loop computes the rest again; so a selective state space of [B, T, d, n] is trained in the memory of [B, √T, d, n].
 *
 * Equal up to rounding. For graphs that are differentiated afterwards. T must be known.
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
  if (!(factor >= smallestFactor)) return null;
  const size = chunkSize(steps);
  return size === null ? null : [new Tiling(new Algebra(builder, node), node, region, size).build()];
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

/** The divisor of the number of steps nearest to where T/c states between chunks and the few tensors of c steps that a chunk needs are about equal. */
function chunkSize(steps: number): number | null {
  const wanted = Math.sqrt(steps / 4);
  const divisors = Array.from({ length: steps - 2 }, (_, i) => i + 2).filter((size) => steps % size === 0 && size < steps);
  return divisors.sort((a, b) => Math.abs(a - wanted) - Math.abs(b - wanted))[0] ?? null;
}

class Tiling {
  readonly #g: Algebra;
  readonly #end: NodeOf<"reduce_sum"> | NodeOf<"reduce_mean">;
  readonly #region: Region;
  readonly #size: number;

  constructor(g: Algebra, end: NodeOf<"reduce_sum"> | NodeOf<"reduce_mean">, region: Region, size: number) {
    this.#g = g;
    this.#end = end;
    this.#region = region;
    this.#size = size;
  }

  build(): Value {
    const { axis } = this.#region.recurrence.attributes;
    const result = (this.#end.outputs[0] as Value).type;
    const state: TensorType = { ...result, shape: (this.#region.recurrence.outputs[0] as Value).type.shape.toSpliced(axis, 1) };
    const part: TensorType = { ...result, shape: result.shape.with(axis, this.#size) };
    const scanned = [...this.#region.outside].filter(([, own]) => own !== null).map(([value]) => value);
    const chunks = scanned.map((value) => this.#inChunks(value));
    const chunkTypes = chunks.map(({ type }): TensorType => ({ ...type, shape: type.shape.toSpliced(axis, 1) }));
    const body = this.#g.builder.body([state, part, ...chunkTypes], this.#end, ([before, , ...slices]) => {
      const copies = new Map(scanned.map((value, i) => [value, slices[i] as Value]));
      return this.#chunk(before as Value, copies);
    });
    if (body === null) throw new Error("the body of a tiled recurrence always has results");
    const start = [this.#g.full(state.shape, 0), this.#g.full(part.shape, 0)];
    const [, parts] = this.#g.ops("scan", [...start, ...chunks], { axis, states: 2, body });
    return this.#g.reshape(parts as Value, result.shape);
  }

  /** Time in two axes, chunks and steps, behind as many leading axes as the full shape has. */
  #inChunks(value: Value): Value {
    const own = this.#region.outside.get(value) ?? 0;
    const { shape } = value.type;
    const missing = this.#region.recurrence.attributes.axis - own;
    return this.#g.reshape(value, [
      ...new Array<Dim>(missing).fill(1),
      ...shape.slice(0, own),
      Number(shape[own]) / this.#size,
      this.#size,
      ...shape.slice(own + 1),
    ]);
  }

  /** The state after a chunk, and what the chunk gives. */
  #chunk(before: Value, copies: Map<Value, Value>): readonly Value[] {
    const g = this.#g;
    const { recurrence, nodes } = this.#region;
    const { axis } = recurrence.attributes;
    const copyOf = (value: Value) => copies.get(value) ?? value;
    for (const node of nodes) {
      const inputs = node.inputs.map(copyOf);
      const [output] = node.outputs as readonly [Value];
      const chunkShape = output.type.shape.with(axis, this.#size);
      if (node === (recurrence as Node)) copies.set(output, this.#recur(before, inputs[0] as Value, inputs[1] as Value));
      else if (node.op === "expand") copies.set(output, g.expand(inputs[0] as Value, chunkShape));
      else copies.set(output, g.op<OpName>(node.op, inputs, node.attributes as OpAttributes[OpName]));
    }
    const states = copyOf(recurrence.outputs[0] as Value);
    const last = g.reshape(g.slice(states, axis, this.#size - 1, this.#size), before.type.shape);
    return [last, g.op<OpName>(this.#end.op, [copyOf(this.#end.inputs[0] as Value)], this.#end.attributes)];
  }

  /** h = a·h + b from a state before: its first step joins a₀ · before to b₀. */
  #recur(before: Value, a: Value, b: Value): Value {
    const g = this.#g;
    const { axis } = this.#region.recurrence.attributes;
    const first = (x: Value) => g.slice(x, axis, 0, 1);
    const carried = g.mul(first(a), g.reshape(before, before.type.shape.toSpliced(axis, 0, 1)));
    const started = g.concat([g.add(first(b), carried), g.slice(b, axis, 1, this.#size)], axis);
    return g.op("linear_scan", [a, started], { axis });
  }
}
