import type { Dim } from "../ir/dim.ts";
import type { GraphParam, Value } from "../ir/graph.ts";
import { sizeOf } from "../ir/ndarray.ts";
import type { Formula } from "./formula.ts";
import type { Optimizer } from "./plan.ts";
import type { StepGraph } from "./step-graph.ts";

/** A tensor that an optimiser moves. */
export interface Part {
  /** The name of the state that holds it. */
  readonly name: string;
  readonly value: Value;
  readonly shape: readonly Dim[];
  /** Puts a moved tensor back where it may be; null for anywhere. */
  readonly project: ((moved: Value) => Value) | null;
}

/** Tensors that are moved alike, as one vector: engines run few large operations faster than many small ones, and plan them faster too. */
export interface Group {
  readonly name: string;
  readonly parts: readonly Part[];
  readonly decay: boolean;
  /** f32[]: 1 while they stand still with all that the optimiser keeps of them; null for never. */
  readonly frozen: Value | null;
  /** The table whose rows are the group's only part; it keeps its shape. Null for a vector of parts. */
  readonly table: GraphParam | null;
}

/** A group with its gradient, packed. */
export interface GradedGroup extends Group {
  readonly gradient: Value;
}

/** Tensors, in the shapes of the parts, one after another in a vector; the rows of a table as they are. */
export function pack(f: Formula, { parts, table }: Group, values: readonly Value[]): Value {
  if (table !== null) return values[0] as Value;
  return f.concat(
    values.map((value, i) => f.reshape(value, [partSize(parts[i] as Part)])),
    0,
  );
}

function unpack(f: Formula, { parts, table }: Group, packed: Value): readonly Value[] {
  if (table !== null) return [packed];
  let start = 0;
  return parts.map((part) => {
    const size = partSize(part);
    start += size;
    return f.reshape(f.slice(packed, 0, start - size, start), part.shape);
  });
}

/** A state that has a number for each of the group's, packed; 0 before the first step. */
export function groupState(graph: StepGraph, { parts, table }: Group, name: string): Value {
  if (table !== null) return graph.rowsOf(table, { name, initial: 0 });
  return graph.state({ name, shape: [parts.reduce((total, part) => total + partSize(part), 0)], initial: 0 });
}

function partSize({ shape }: Part): number {
  return sizeOf(shape as readonly number[]);
}

export interface Update {
  /** f32[]: the global norm of the gradient before clipping. */
  readonly norm: Value;
  /** f32[]: 1 if the gradient was finite and the step was taken, else 0. */
  readonly taken: Value;
}

/**
 * One step of the optimiser: clips the gradient by its global norm, moves what is not frozen, and leaves everything as it was where the norm is not finite.
 *
 * @param unscale  f32[]: what gradients are multiplied by first
 */
export function applyUpdate(
  optimizer: Optimizer,
  groups: readonly GradedGroup[],
  { rate, clip, unscale }: { readonly rate: Value; readonly clip: number | null; readonly unscale: Value | null },
  graph: StepGraph,
): Update {
  const f = graph.formula("update");
  const gradients = groups.map(({ gradient, frozen }) => {
    const unscaled = unscale === null ? gradient : f.mul(gradient, unscale);
    return frozen === null ? unscaled : f.where(f.gt(frozen, 0), 0, unscaled);
  });
  const norm = globalNorm(f, gradients);
  const taken = f.isFinite(norm);
  const scale = clip === null ? null : f.min(f.div(clip, f.add(norm, 1e-6)), 1);
  const moves = optimizer.form === "adamw" ? adamw(optimizer, rate, taken, graph, f) : sgd(optimizer, rate, graph, f);
  for (const [i, group] of groups.entries()) {
    const gradient = gradients[i] as Value;
    const before = pack(
      f,
      group,
      group.parts.map(({ value }) => value),
    );
    const moved = moves(group, before, scale === null ? gradient : f.mul(gradient, scale));
    const still = group.frozen === null ? taken : f.and(taken, f.lt(group.frozen, 0.5));
    const after = f.where(still, moved.theta, before);
    const parts = unpack(f, group, after);
    for (const [i, { name, value, project }] of group.parts.entries()) {
      const part = parts[i] as Value;
      graph.next(name, project === null ? part : f.where(still, project(part), value));
    }
    for (const { name, before: old, after: next } of moved.state) graph.next(name, f.where(still, next, old));
  }
  return { norm, taken: f.f32(taken) };
}

/** f32[]: the length of all gradients as one vector. */
export function globalNorm(f: Formula, gradients: readonly Value[]): Value {
  return f.sqrt(f.total(gradients.map((g) => sumOfSquares(f, g))));
}

/** Summed in blocks of about √n: engines that add millions of float32 numbers one after another lose three digits. */
function sumOfSquares(f: Formula, x: Value): Value {
  const [size] = x.type.shape;
  const squares = f.mul(x, x);
  if (x.type.shape.length !== 1 || typeof size !== "number") return f.sumAll(f.sum(squares, [x.type.shape.length - 1]));
  const width = Math.ceil(Math.sqrt(size));
  const count = Math.ceil(size / width);
  const missing = count * width - size;
  const filled = missing === 0 ? squares : f.concat([squares, f.full([missing], 0)], 0);
  return f.sumAll(f.sum(f.reshape(filled, [count, width]), [1]));
}

interface Moved {
  readonly theta: Value;
  readonly state: readonly { readonly name: string; readonly before: Value; readonly after: Value }[];
}

type Moves = (group: Group, value: Value, gradient: Value) => Moved;

/**
 * m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², θ ← θ (1 - lr · decay) - lr · m̂ / (√v̂ + ε), with m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ).
 *
 * @see Loshchilov & Hutter, Decoupled Weight Decay Regularization, ICLR 2019
 */
function adamw(
  { beta1, beta2, eps, weightDecay }: Extract<Optimizer, { form: "adamw" }>,
  rate: Value,
  taken: Value,
  graph: StepGraph,
  f: Formula,
): Moves {
  const steps = graph.state({ name: "adam/steps", shape: [], initial: 0 });
  const t = f.add(steps, 1);
  graph.next("adam/steps", f.where(taken, t, steps));
  const first = oneMinusPower(f, beta1, t);
  const second = oneMinusPower(f, beta2, t);
  const size = f.div(rate, first);
  return (group, value, gradient) => {
    const m = groupState(graph, group, `adam/m/${group.name}`);
    const v = groupState(graph, group, `adam/v/${group.name}`);
    const nextM = f.add(f.mul(m, beta1), f.mul(gradient, 1 - beta1));
    const nextV = f.add(f.mul(v, beta2), f.mul(f.mul(gradient, gradient), 1 - beta2));
    const move = f.div(f.mul(nextM, size), f.add(f.sqrt(f.div(nextV, second)), eps));
    return {
      theta: f.sub(decayed(f, value, rate, group.decay ? weightDecay : 0), move),
      state: [
        { name: `adam/m/${group.name}`, before: m, after: nextM },
        { name: `adam/v/${group.name}`, before: v, after: nextV },
      ],
    };
  };
}

/** 1 - βᵗ as 2h / (1 + h), h = tanh(-t log(β) / 2), which loses no digits where βᵗ is near 1. */
function oneMinusPower(f: Formula, beta: number, t: Value): Value {
  if (beta === 0) return f.scalar(1);
  const h = f.tanh(f.mul(t, -0.5 * Math.log(beta)));
  return f.div(f.mul(h, 2), f.add(h, 1));
}

/** u ← momentum · u + g, θ ← θ (1 - lr · decay) - lr · u. */
function sgd({ momentum, weightDecay }: Extract<Optimizer, { form: "sgd" }>, rate: Value, graph: StepGraph, f: Formula): Moves {
  return (group, value, gradient) => {
    const from = decayed(f, value, rate, group.decay ? weightDecay : 0);
    if (momentum === 0) return { theta: f.sub(from, f.mul(gradient, rate)), state: [] };
    const u = groupState(graph, group, `sgd/u/${group.name}`);
    const next = f.add(f.mul(u, momentum), gradient);
    return { theta: f.sub(from, f.mul(next, rate)), state: [{ name: `sgd/u/${group.name}`, before: u, after: next }] };
  };
}

function decayed(f: Formula, value: Value, rate: Value, decay: number): Value {
  return decay === 0 ? value : f.mul(value, f.sub(1, f.mul(rate, decay)));
}
