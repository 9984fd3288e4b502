import { fitsFloat16, largestFloat16 } from "../ir/float16.ts";
import type { Graph, Node, Value } from "../ir/graph.ts";
import type { OpName } from "../ops/attributes.ts";
import type { WeightSource } from "../weights.ts";

/** What of a graph is in float16; everything else is in float32. */
export interface Precision {
  /** Nodes whose operands and results are float16. */
  readonly half: ReadonlySet<Node>;
  /** Names of params that are stored as float16. */
  readonly stored: ReadonlySet<string>;
}

export const singlePrecision: Precision = { half: new Set(), stored: new Set() };

/** Ops that move values. */
const moves: ReadonlySet<OpName> = new Set(["concat", "slice", "reshape", "transpose", "expand", "reverse", "gather"]);
/** Cheap ops without cancellation of their own, that may stand in float16 between two products. */
const cheap: ReadonlySet<OpName> = new Set(["add", "sub", "mul", "neg", "min", "max", "relu", "sigmoid", "tanh"]);
/** Ops whose results are as large as an input is. */
const unbounded: ReadonlySet<OpName> = new Set([...moves, "add", "sub", "mul", "neg", "min", "max", "relu", "abs", "where", "floor"]);

/**
 * Which nodes compute in float16: products with a stored weight and reads of a stored table, and the moves and cheap ops that stand between float16 on
 * both sides. All else stays in float32: exp, log, roots, quotients, softmax, norms, sums, scans, products of two computed matrices, and products that
 * read an input before anything has bounded it.
 *
 * @see docs/decisions/0009-float16.md
 */
export function choosePrecision(graph: Graph, weights: WeightSource): Precision {
  const storable = storableWeights(graph, weights);
  const consumers = findConsumers(graph);
  const raw = findRaw(graph);
  const isStored = (value: Value | undefined) => value?.node.op === "param" && storable.has(value.node.attributes.name);
  const half = new Set<Node>();
  for (const node of graph.nodes) if (startsHalf(node, isStored, raw)) half.add(node);
  const between = graph.nodes.filter((node) => !half.has(node) && isFloat(node.outputs[0]) && (moves.has(node.op) || cheap.has(node.op)));
  for (const node of between) half.add(node);
  // Taking one node out may leave its neighbours with float32 on one side: both directions, until nothing changes.
  for (let before = -1; before !== half.size; ) {
    before = half.size;
    for (const node of between) if (half.has(node) && !readsHalf(node, half, isStored)) half.delete(node);
    for (const node of between.toReversed()) if (half.has(node) && !feedsHalf(node, half, consumers)) half.delete(node);
  }
  const stored = [...storable].filter(([, { value, isWeight }]) => {
    const readers = consumers.get(value) ?? [];
    return isWeight || (readers.length > 0 && readers.every((reader) => reader !== "output" && half.has(reader)));
  });
  return { half, stored: new Set(stored.map(([name]) => name)) };
}

interface Storable {
  readonly value: Value;
  /** A factor of a product, or a table. */
  readonly isWeight: boolean;
}

/** Params whose values float16 can hold, those too small for it rounding to almost 0. */
function storableWeights(graph: Graph, weights: WeightSource): ReadonlyMap<string, Storable> {
  const factors = new Set<Value>(graph.nodes.flatMap((node) => weightsOf(node)));
  const found = graph.params.flatMap(({ name, value }): (readonly [string, Storable])[] => {
    const values = weights.get(name);
    if (values === undefined) throw new Error(`the param ${name} has no weights`);
    return values.every((weight) => Math.abs(weight) <= largestFloat16) ? [[name, { value, isWeight: factors.has(value) }]] : [];
  });
  return new Map(found);
}

/** Operands of a node that are weights by their place. */
function weightsOf(node: Node): readonly Value[] {
  const places = node.op === "matmul" ? node.inputs : node.op === "gather" ? node.inputs.slice(0, 1) : [];
  return places.filter((value) => value.node.op === "param");
}

/** A product of a weight and bounded values, or a read of a table. */
function startsHalf(node: Node, isStored: (value: Value | undefined) => boolean, raw: ReadonlySet<Value>): boolean {
  if (node.op === "gather") return isStored(node.inputs[0]);
  if (node.op !== "matmul" || !node.inputs.some(isStored)) return false;
  return node.inputs.every((value) => !raw.has(value) && (value.node.op !== "param" || isStored(value)));
}

/** Float operands are float16 or can be without loss, and at least one of them is. */
function readsHalf(node: Node, half: ReadonlySet<Node>, isStored: (value: Value | undefined) => boolean): boolean {
  const operands = node.inputs.filter(isFloat);
  const isHalf = (value: Value) => half.has(value.node);
  return operands.some(isHalf) && operands.every((value) => isHalf(value) || isStored(value) || isFittingConstant(value));
}

/** Everything that reads the node reads float16. */
function feedsHalf(node: Node, half: ReadonlySet<Node>, consumers: ReadonlyMap<Value, readonly (Node | "output")[]>): boolean {
  const readers = node.outputs.flatMap((value) => consumers.get(value) ?? []);
  return readers.every((reader) => reader !== "output" && half.has(reader));
}

function isFittingConstant({ node }: Value): boolean {
  if (node.op === "full") return fitsFloat16(node.attributes.value);
  return node.op === "constant" && node.attributes.data.every(fitsFloat16);
}

function isFloat(value: Value | undefined): boolean {
  return value?.type.dtype === "f32";
}

/** Who reads each value; a loop reads what its body captures. */
function findConsumers(graph: Graph): ReadonlyMap<Value, readonly (Node | "output")[]> {
  const consumers = new Map<Value, (Node | "output")[]>();
  const read = (value: Value, reader: Node | "output") => {
    const before = consumers.get(value);
    if (before === undefined) consumers.set(value, [reader]);
    else before.push(reader);
  };
  for (const node of graph.nodes) {
    for (const value of node.inputs) read(value, node);
    if (node.op === "scan") for (const value of node.attributes.body.captures) read(value, node);
  }
  for (const { value } of graph.outputs) read(value, "output");
  return consumers;
}

/** Inputs, and what is computed of them without a bound. */
function findRaw(graph: Graph): ReadonlySet<Value> {
  const raw = new Set<Value>();
  for (const node of graph.nodes) {
    const passes = node.op === "input" || (unbounded.has(node.op) && node.inputs.some((value) => raw.has(value)));
    const [output] = node.outputs;
    if (passes && output !== undefined && isFloat(output)) raw.add(output);
  }
  return raw;
}
