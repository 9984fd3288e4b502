import { findCaptures, GraphBuilder, type Origin } from "../ir/builder.ts";
import type { Body, Graph, Node, NodeOf, Value } from "../ir/graph.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError } from "../ops/op.ts";
import { Liveness } from "./liveness.ts";
import { liveNodes, prune } from "./prune.ts";

/** What a rule may do with the node that it sees. */
export interface Rewriter {
  /** For rules that make loops; what they add to it is not offered to the rules. */
  readonly builder: GraphBuilder;
  /** Appends a node at the place of the one that is rewritten; throws if its operands do not fit. */
  add<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K]): Value;
}

/** Values that stand for the outputs of `node`, whose operands are rewritten already; null leaves the node as it is. */
export type Rule = (node: Node, inputs: readonly Value[], rewriter: Rewriter) => readonly Value[] | null;

/**
 * Copies a graph from its inputs to its outputs, loop bodies included. The first rule that answers replaces the node, and a replacement is offered to
 * the rules again. Equal nodes are made once, dead ones and dead states of loops not at all.
 */
export function rewriteGraph(graph: Graph, rules: readonly Rule[]): Graph {
  const live = new Liveness(
    graph.nodes,
    graph.outputs.map((output) => output.value),
  );
  const copy = new Copy(rules, new GraphBuilder(), live);
  copy.nodes(graph.nodes);
  const withCopy = <T extends { readonly value: Value }>(items: readonly T[]): T[] =>
    items.map((item) => ({ ...item, value: copy.valueOf(item.value) }));
  return prune({
    name: graph.name,
    inputs: withCopy(graph.inputs),
    params: withCopy(graph.params.filter((param) => live.has(param.value.node))),
    nodes: copy.builder.nodes,
    outputs: withCopy(graph.outputs),
  });
}

/**
 * Copies a graph into a builder, to which more can then be added; the rules may add to it as well. Nothing is pruned.
 *
 * @returns the copy of each value of the graph
 */
export function copyGraph(graph: Graph, builder: GraphBuilder, rules: readonly Rule[]): (value: Value) => Value {
  const copy = new Copy(rules, builder);
  copy.nodes(graph.nodes);
  return (value) => copy.valueOf(value);
}

class Copy {
  readonly builder: GraphBuilder;
  readonly #rules: readonly Rule[];
  /** What is copied; all of it by default. */
  readonly #live: Liveness | null;
  readonly #copies = new Map<Value, Value>();

  constructor(rules: readonly Rule[], builder: GraphBuilder, live: Liveness | null = null) {
    this.#rules = rules;
    this.builder = builder;
    this.#live = live;
  }

  nodes(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.op === "body_input" || !(node.op === "input" || (this.#live?.has(node) ?? true))) continue;
      if (node.op === "scan") this.#loop(node);
      else this.#keep(node.outputs, this.#copy(node));
    }
  }

  valueOf(value: Value): Value {
    const copy = this.#copies.get(value);
    if (copy === undefined) throw new Error(`${value.node.op} at ${value.node.path} is used before it is made`);
    return copy;
  }

  #copy(node: Node): readonly Value[] {
    const inputs = node.inputs.map((value) => this.valueOf(value));
    return this.#make<OpName>(node.op, inputs, node.attributes as OpAttributes[OpName], node);
  }

  /** Copies a loop with the states and scanned tensors that count. */
  #loop(node: NodeOf<"scan">): void {
    const { states, final = 0 } = node.attributes;
    const kept = this.#live?.operandsOf(node) ?? [...node.inputs.keys()];
    const keptStates = kept.filter((i) => i < states);
    const operands = kept.map((i) => this.valueOf(node.inputs[i] as Value));
    const attributes = {
      ...node.attributes,
      states: keptStates.length,
      final: keptStates.filter((i) => i >= states - final).length,
      body: this.#body(node, kept, keptStates),
    };
    const made = this.#make("scan", operands, attributes, node);
    this.#keep(
      keptStates.map((i) => node.outputs[i] as Value),
      made,
    );
  }

  #keep(values: readonly Value[], copies: readonly Value[]): void {
    for (const [i, value] of values.entries()) this.#copies.set(value, copies[i] as Value);
  }

  /** Adds a node and lets the rules replace it. */
  #make<K extends OpName>(op: K, inputs: readonly Value[], attributes: OpAttributes[K], origin: Origin): readonly Value[] {
    const made = this.builder.add(op, inputs, attributes, origin);
    if (isShapeError(made)) throw new Error(`rewriting made a ${op} at ${origin.path} whose operands do not fit: ${made.message}`);
    const node = (made[0] as Value).node;
    const rewriter: Rewriter = {
      builder: this.builder,
      add: (next, operands, settings) => this.#make(next, operands, settings, origin)[0] as Value,
    };
    for (const rule of this.#rules) {
      const replacement = rule(node, inputs, rewriter);
      if (replacement !== null) return replacement;
    }
    return made;
  }

  #body(scan: NodeOf<"scan">, kept: readonly number[], keptStates: readonly number[]): Body {
    const { body } = scan.attributes;
    const own = kept.map((i) => body.inputs[i] as Value);
    const types = own.map((value) => value.type);
    const copy = this.builder.body(types, scan, (inputs) => {
      this.#keep(own, inputs);
      this.nodes(body.nodes);
      return keptStates.map((i) => this.valueOf(body.results[i] as Value));
    });
    if (copy === null) throw new Error("a copied body always has results");
    // Rules may have left nodes without use.
    const live = liveNodes(copy.nodes, copy.results);
    for (const { node } of copy.inputs) live[node.id] = 1;
    const nodes = copy.nodes.filter((node) => live[node.id] === 1);
    return { ...copy, nodes, captures: findCaptures(nodes, copy.results) };
  }
}
