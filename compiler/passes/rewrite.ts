import { findCaptures, GraphBuilder, type Origin } from "../ir/builder.ts";
import type { Body, Graph, Node, Value } from "../ir/graph.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError } from "../ops/op.ts";
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
 * the rules again. Equal nodes are made once, dead ones not at all.
 */
export function rewriteGraph(graph: Graph, rules: readonly Rule[]): Graph {
  const pruned = prune(graph);
  const copy = new Copy(rules);
  copy.nodes(pruned.nodes);
  const withCopy = <T extends { readonly value: Value }>(items: readonly T[]): T[] =>
    items.map((item) => ({ ...item, value: copy.valueOf(item.value) }));
  return prune({
    name: graph.name,
    inputs: withCopy(pruned.inputs),
    params: withCopy(pruned.params),
    nodes: copy.builder.nodes,
    outputs: withCopy(pruned.outputs),
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
  readonly #copies = new Map<Value, Value>();

  constructor(rules: readonly Rule[], builder = new GraphBuilder()) {
    this.#rules = rules;
    this.builder = builder;
  }

  nodes(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.op === "body_input") continue;
      const copies = this.#copy(node);
      for (const [index, output] of node.outputs.entries()) this.#copies.set(output, copies[index] as Value);
    }
  }

  valueOf(value: Value): Value {
    const copy = this.#copies.get(value);
    if (copy === undefined) throw new Error(`${value.node.op} at ${value.node.path} is used before it is made`);
    return copy;
  }

  #copy(node: Node): readonly Value[] {
    const inputs = node.inputs.map((value) => this.valueOf(value));
    const attributes = node.op === "scan" ? { ...node.attributes, body: this.#body(node.attributes.body, node) } : node.attributes;
    return this.#make(node.op, inputs, attributes as OpAttributes[OpName], node);
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

  #body(body: Body, scan: Node): Body {
    const types = body.inputs.map((value) => value.type);
    const copy = this.builder.body(types, scan, (inputs) => {
      for (const [position, value] of body.inputs.entries()) this.#copies.set(value, inputs[position] as Value);
      const live = liveNodes(body.nodes, body.results);
      this.nodes(body.nodes.filter((node) => live.has(node)));
      return body.results.map((value) => this.valueOf(value));
    });
    if (copy === null) throw new Error("a copied body always has results");
    // Rules may have left nodes without use.
    const live = liveNodes(copy.nodes, copy.results);
    for (const { node } of copy.inputs) live.add(node);
    const nodes = copy.nodes.filter((node) => live.has(node));
    return { ...copy, nodes, captures: findCaptures(nodes, copy.results) };
  }
}
