import type { Graph, Node, Value } from "../ir/graph.ts";
import { interpret } from "../ir/interpreter.ts";
import type { CheckedModel } from "../model.ts";

/** Terms of what is minimised that the epoch alone scales up to one moment, and no more from there on. */
export interface Annealing {
  /** The epoch from which on the scale stands still. */
  readonly end: number;
  /** Names of the training graph's outputs, `penalty/evidence/ctr` or `loss/ctr`. */
  readonly terms: readonly string[];
}

/** Epochs of a plan that are tried, and how exact a moment between two of them is. */
const mostTried = 1000;
const exact = 1e-3;

/**
 * Finds what losses and penalties anneal, as `min(1, epoch / 10)` does: numbers that follow from the epoch alone, each with the epoch at which it comes to
 * rest. Those that never rest within the epochs of the plan are left out.
 */
export function annealings(model: CheckedModel, epochs: number): readonly Annealing[] {
  const epoch = model.trainingInputs.find(({ name }) => name === "train/epoch")?.value;
  if (epoch === undefined || !(epochs > 0)) return [];
  const { training } = model;
  const followers = followersOf(epoch, training.nodes);
  const ends = new Map<Value, number>();
  for (const value of frontier(followers, training)) {
    const end = restOf(training, epoch, followers, value, epochs);
    if (end !== null) ends.set(value, end);
  }
  const byEnd = new Map<number, string[]>();
  for (const { name, value } of training.outputs)
    for (const end of new Set(reached(value, followers, ends))) byEnd.set(end, [...(byEnd.get(end) ?? []), name]);
  return [...byEnd].map(([end, terms]) => ({ end, terms })).sort((a, b) => a.end - b.end);
}

const operandsOf = (node: Node): readonly Value[] => [...node.inputs, ...(node.op === "scan" ? node.attributes.body.captures : [])];

interface Followers {
  /** What the epoch and constants alone decide, in order. */
  readonly closed: ReadonlySet<Node>;
  /** Of these, what the epoch has a part in. */
  readonly moving: ReadonlySet<Node>;
}

function followersOf(epoch: Value, nodes: readonly Node[]): Followers {
  const closed = new Set<Node>([epoch.node]);
  const moving = new Set<Node>([epoch.node]);
  const isOfRows = ({ type }: Value) => type.shape.some((dim) => typeof dim !== "number");
  for (const node of nodes) {
    if (node.op === "input" || node.op === "param" || node.outputs.some(isOfRows)) continue;
    const operands = operandsOf(node);
    if (!operands.every((value) => closed.has(value.node))) continue;
    closed.add(node);
    if (operands.some((value) => moving.has(value.node))) moving.add(node);
  }
  return { closed, moving };
}

/** Where what follows from the epoch alone meets the rest. */
function frontier({ moving }: Followers, { nodes, outputs }: Graph): readonly Value[] {
  const read = nodes.filter((node) => !moving.has(node)).flatMap(operandsOf);
  return [...new Set([...read, ...outputs.map(({ value }) => value)])].filter((value) => moving.has(value.node));
}

/** The epoch from which on a value is what it is at the end; null where it changes up to the end, or never. */
function restOf(training: Graph, epoch: Value, { closed }: Followers, value: Value, epochs: number): number | null {
  const graph: Graph = {
    name: "annealing",
    inputs: training.inputs.filter((input) => input.value === epoch),
    params: [],
    nodes: training.nodes.filter((node) => closed.has(node)),
    outputs: [{ name: "value", value, doc: null }],
  };
  const at = (time: number) =>
    interpret(graph, { inputs: new Map([["train/epoch", { shape: [], data: Float64Array.of(time) }]]), params: new Map() })
      .get("value")
      ?.data.join();
  const last = at(epochs);
  const rests = (time: number) => at(time) === last;
  const tried = Math.min(mostTried, Math.ceil(epochs));
  const timeOf = (i: number) => (i * epochs) / tried;
  let i = tried;
  while (i > 0 && rests(timeOf(i - 1))) i -= 1;
  if (i === 0 || i === tried) return null;
  let [before, end] = [timeOf(i - 1), timeOf(i)];
  while (end - before > exact) {
    const middle = (before + end) / 2;
    if (rests(middle)) end = middle;
    else before = middle;
  }
  return end;
}

/** The ends of what the epoch alone decides of what a value is made of. */
function reached(value: Value, { moving }: Followers, ends: ReadonlyMap<Value, number>): readonly number[] {
  const found: number[] = [];
  const seen = new Set<Node>();
  const pending = [value];
  for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
    const end = ends.get(at);
    if (end !== undefined) found.push(end);
    if (seen.has(at.node) || moving.has(at.node)) continue;
    seen.add(at.node);
    pending.push(...operandsOf(at.node));
  }
  return found;
}
