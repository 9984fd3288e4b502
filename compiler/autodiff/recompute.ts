import { makeNode } from "../ir/builder.ts";
import { type Dim, evaluateDim, multiplyDims, symbolsOf } from "../ir/dim.ts";
import type { Body, Graph, Node, Value } from "../ir/graph.ts";
import { operandsOf } from "../ir/reachable.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError } from "../ops/op.ts";
import { inferTypes } from "../ops/table.ts";
import { prune } from "../passes/prune.ts";
import { FlowNetwork } from "./min-cut.ts";

export interface RecomputeOptions {
  /** Rows of the batch that sizes are compared for. */
  readonly rows?: number;
  /** Bytes at so many rows from which on a tensor counts; all smaller ones are kept. */
  readonly smallest?: number;
}

/** Products over longer rows than this take too much time to be made again. */
const longestProduct = 32;
/** Gives what is there anyway, or is made again without any memory. */
const sources: ReadonlySet<OpName> = new Set(["input", "param", "constant", "full", "arange"]);
const costly: ReadonlySet<OpName> = new Set(["scan", "dropout", "random_uniform", "random_normal"]);

/**
 * Makes large tensors of the forward pass again where the backward pass needs them, in place of keeping them. What is kept is a cheapest cut, in bytes,
 * between what is there anyway and what the backward pass reads, through operations that are cheap for their size; among equals the one that makes least
 * again. A copy waits, by a data dependency, for the cotangent that it meets: engines order nodes as they like.
 *
 * The values are the same, bit for bit. A long chain of large tensors without a product is made again at once, from its start.
 *
 * @see Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016; the cut is as in PyTorch's min-cut partitioner
 */
export function recompute(graph: Graph, { rows = 256, smallest = 4 << 20 }: RecomputeOptions = {}): Graph {
  const sizes = new Sizes(rows);
  const isLarge = (value: Value) => !sources.has(value.node.op) && sizes.of(value) >= smallest;
  const timeline = new Timeline(graph.nodes, isLarge);
  const dropped = chooseDropped(graph, timeline, sizes, isLarge);
  return dropped.size === 0 ? graph : new Rewriting(graph, timeline, sizes, dropped).graph();
}

class Sizes {
  readonly #rows: number;
  readonly #known = new Map<Value, number>();

  constructor(rows: number) {
    this.#rows = rows;
  }

  /** Bytes. */
  of(value: Value): number {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const size = value.type.shape.reduce<number>((product, dim) => product * this.#length(dim), value.type.dtype === "bool" ? 1 : 4);
    this.#known.set(value, size);
    return size;
  }

  #length(dim: Dim): number {
    return evaluateDim(dim, new Map(symbolsOf(dim).map((symbol) => [symbol, this.#rows])));
  }
}

/** Tells the forward pass from the backward pass, whose nodes depend on the last one of the forward pass that reads a large tensor. */
class Timeline {
  /** For each node the last node of the forward pass that it depends on. */
  readonly #reach = new Map<Node, number>();
  readonly #turn: number;

  constructor(nodes: readonly Node[], isLarge: (value: Value) => boolean) {
    const end = nodes.findIndex(isGradient);
    let turn = -1;
    for (const [index, node] of nodes.entries()) {
      const operands = operandsOf(node);
      const own = sources.has(node.op) ? -1 : index;
      this.#reach.set(node, isGradient(node) ? Math.max(-1, ...operands.map((value) => this.#reach.get(value.node) ?? -1)) : own);
      if (index < end && operands.some(isLarge)) turn = index;
    }
    this.#turn = turn;
  }

  isLate({ node }: Pick<Value, "node">): boolean {
    return isGradient(node) && (this.#reach.get(node) ?? -1) >= this.#turn;
  }
}

function isGradient({ path }: Node): boolean {
  return path.startsWith("gradient/");
}

/** Whether a node is cheap to run again for what it gives. */
function isCheap(node: Node): boolean {
  if (costly.has(node.op) || node.outputs.length !== 1) return false;
  return node.op !== "matmul" || Number((node.inputs[0] as Value).type.shape.at(-1)) <= longestProduct;
}

/** Large values that the backward pass reads and that are not to be kept for it. */
function chooseDropped(graph: Graph, timeline: Timeline, sizes: Sizes, isLarge: (value: Value) => boolean): ReadonlySet<Value> {
  const network = new FlowNetwork();
  const [source, sink] = [network.place(), network.place()];
  const places = new Map<Value, readonly [before: number, after: number]>();
  const placesOf = (value: Value): readonly [before: number, after: number] => {
    const known = places.get(value);
    if (known !== undefined) return known;
    const made = [network.place(), network.place()] as const;
    places.set(value, made);
    network.connect(...made, sizes.of(value));
    if (!isCheap(value.node)) network.connect(source, made[0], Number.POSITIVE_INFINITY);
    else
      for (const operand of value.node.inputs)
        if (isLarge(operand)) network.connect(placesOf(operand)[1], made[0], Number.POSITIVE_INFINITY);
    return made;
  };
  const read = new Set<Value>();
  for (const node of graph.nodes) {
    if (!timeline.isLate({ node })) continue;
    for (const value of operandsOf(node)) if (isLarge(value) && !timeline.isLate(value)) read.add(value);
  }
  const outputs = new Set(graph.outputs.map(({ value }) => value));
  for (const value of read) network.connect(placesOf(value)[1], sink, Number.POSITIVE_INFINITY);
  const behind = network.cut(source, sink);
  return new Set([...places].filter(([value, [before]]) => behind.has(before) && !outputs.has(value)).map(([value]) => value));
}

/** Copies a graph with nodes of its own for what is made again. */
class Rewriting {
  readonly #graph: Graph;
  readonly #timeline: Timeline;
  readonly #sizes: Sizes;
  readonly #dropped: ReadonlySet<Value>;
  readonly #nodes: Node[] = [];
  /** Nodes that read something else than before, by what they gave. */
  readonly #changed = new Map<Value, Value>();
  readonly #again = new Map<Value, Value>();
  #nextId: number;

  constructor(graph: Graph, timeline: Timeline, sizes: Sizes, dropped: ReadonlySet<Value>) {
    this.#graph = graph;
    this.#timeline = timeline;
    this.#sizes = sizes;
    this.#dropped = dropped;
    this.#nextId = largestId(graph.nodes) + 1;
  }

  graph(): Graph {
    for (const node of this.#graph.nodes) this.#take(node);
    const outputs = this.#graph.outputs.map((output) => ({ ...output, value: this.#now(output.value) }));
    return prune({ ...this.#graph, nodes: this.#nodes, outputs });
  }

  #take(node: Node): void {
    const isLate = (value: Value) => this.#timeline.isLate(value);
    const operands = operandsOf(node);
    const signal = this.#timeline.isLate({ node }) ? operands.findLast(isLate) : undefined;
    const changes = new Map<Value, Value>();
    for (const value of operands) {
      const isMadeAgain = signal !== undefined && !isLate(value) && this.#dropped.has(value);
      const now = isMadeAgain ? this.#makeAgain(value, this.#now(signal)) : this.#now(value);
      if (now !== value) changes.set(value, now);
    }
    if (changes.size === 0) {
      this.#nodes.push(node);
      return;
    }
    const inputs = node.inputs.map((value) => changes.get(value) ?? value);
    const attributes = node.op === "scan" ? { ...node.attributes, body: this.#body(node.attributes.body, changes) } : node.attributes;
    const made = this.#add(node.op, inputs, attributes as OpAttributes[OpName], node);
    for (const [i, output] of node.outputs.entries()) this.#changed.set(output, made[i] as Value);
  }

  /** A loop body that captures other values. */
  #body(body: Body, captured: ReadonlyMap<Value, Value>): Body {
    if (!body.captures.some((value) => captured.has(value))) return body;
    const copies = new Map(captured);
    const copyOf = (value: Value) => copies.get(value) ?? value;
    const copyNode = (node: Node): Node => {
      const attributes = node.op === "scan" ? { ...node.attributes, body: this.#body(node.attributes.body, copies) } : node.attributes;
      const types = node.outputs.map(({ type }) => type);
      const copy = makeNode<OpName>(this.#nextId++, node.op, node.inputs.map(copyOf), attributes as OpAttributes[OpName], types, node);
      for (const [i, output] of node.outputs.entries()) copies.set(output, copy.outputs[i] as Value);
      return copy;
    };
    const own = new Set(body.nodes);
    for (const { node } of body.inputs) if (!own.has(node)) copyNode(node);
    const nodes = body.nodes.map(copyNode);
    return { inputs: body.inputs.map(copyOf), nodes, results: body.results.map(copyOf), captures: body.captures.map(copyOf) };
  }

  #now(value: Value): Value {
    return this.#changed.get(value) ?? value;
  }

  /** A copy of a value that is made after the signal, once for all that read it. */
  #makeAgain(value: Value, signal: Value): Value {
    const before = this.#again.get(value);
    if (before !== undefined) return before;
    const { node } = value;
    const inputs = node.inputs.map((operand) => (this.#dropped.has(operand) ? this.#makeAgain(operand, signal) : this.#now(operand)));
    const waits = inputs.some((_, i) => this.#dropped.has(node.inputs[i] as Value));
    const [copy] = this.#add(node.op, waits ? inputs : this.#after(signal, inputs), node.attributes as OpAttributes[OpName], node);
    this.#again.set(value, copy as Value);
    return copy as Value;
  }

  /** The same operands, the smallest of which is there after the signal only: where(s = s, x, x). */
  #after(signal: Value, operands: readonly Value[]): readonly Value[] {
    const ranked = operands.filter(({ type, node }) => type.shape.length > 0 && node.op !== "constant" && node.op !== "full");
    const smallest = ranked.sort((a, b) => this.#sizes.of(a) - this.#sizes.of(b))[0];
    if (smallest === undefined) return operands;
    const origin = { path: `${signal.node.path}/wait`, span: null };
    const count = signal.type.shape.reduce<Dim>((product, dim) => multiplyDims(product, dim), 1);
    const [flat] = this.#add("reshape", [signal], { shape: [count] }, origin);
    const [first] = this.#add("slice", [flat as Value], { axis: 0, start: 0, stop: 1 }, origin);
    const [there] = this.#add("eq", [first as Value, first as Value], {}, origin);
    const [waiting] = this.#add("where", [there as Value, smallest, smallest], {}, origin);
    return operands.map((operand) => (operand === smallest ? (waiting as Value) : operand));
  }

  #add<K extends OpName>(
    op: K,
    inputs: readonly Value[],
    attributes: OpAttributes[K],
    origin: Pick<Node, "path" | "span">,
  ): readonly Value[] {
    const types = inferTypes(
      op,
      inputs.map(({ type }) => type),
      attributes,
    );
    if (isShapeError(types)) throw new Error(`${op} at ${origin.path} does not fit what is made again: ${types.message}`);
    const node = makeNode(this.#nextId++, op, inputs, attributes, types, origin);
    this.#nodes.push(node);
    return node.outputs;
  }
}

function largestId(nodes: readonly Node[]): number {
  return nodes.reduce((largest, node) => Math.max(largest, node.id, node.op === "scan" ? largestId(node.attributes.body.nodes) : 0), 0);
}
