import { GraphBuilder } from "../ir/builder.ts";
import { type Dim, evaluateDim, SymbolicDim, symbolsOf } from "../ir/dim.ts";
import type { Body, Graph, Node, TensorType, Value } from "../ir/graph.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError } from "../ops/op.ts";

/** The graph for one size of its symbols, such as one number of rows: every dim that they give is a number. */
export function fixDims(graph: Graph, symbols: ReadonlyMap<string, number>): Graph {
  const copy = new FixedCopy(symbols);
  copy.nodes(graph.nodes);
  const withCopy = <T extends { readonly value: Value }>(items: readonly T[]): T[] =>
    items.map((item) => ({ ...item, value: copy.valueOf(item.value) }));
  const { inputs, params, outputs } = graph;
  return { ...graph, inputs: withCopy(inputs), params: withCopy(params), outputs: withCopy(outputs), nodes: copy.builder.nodes };
}

class FixedCopy {
  readonly builder = new GraphBuilder();
  readonly #symbols: ReadonlyMap<string, number>;
  readonly #copies = new Map<Value, Value>();

  constructor(symbols: ReadonlyMap<string, number>) {
    this.#symbols = symbols;
  }

  nodes(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.op === "body_input") continue;
      const attributes =
        node.op === "scan" ? { ...node.attributes, body: this.#body(node.attributes.body, node) } : this.#fixed(node.attributes);
      const inputs = node.inputs.map((value) => this.valueOf(value));
      const made = this.builder.add<OpName>(node.op, inputs, attributes as OpAttributes[OpName], node);
      if (isShapeError(made)) throw new Error(`${node.op} at ${node.path} does not fit with fixed dims: ${made.message}`);
      for (const [index, output] of node.outputs.entries()) this.#copies.set(output, made[index] as Value);
    }
  }

  valueOf(value: Value): Value {
    const copy = this.#copies.get(value);
    if (copy === undefined) throw new Error(`${value.node.op} at ${value.node.path} is used before it is made`);
    return copy;
  }

  #body(body: Body, scan: Node): Body {
    const types = body.inputs.map(({ type }): TensorType => ({ ...type, shape: type.shape.map((dim) => this.#dim(dim)) }));
    const copy = this.builder.body(types, scan, (inputs) => {
      for (const [position, value] of body.inputs.entries()) this.#copies.set(value, inputs[position] as Value);
      this.nodes(body.nodes);
      return body.results.map((value) => this.valueOf(value));
    });
    if (copy === null) throw new Error("a copied body always has results");
    return copy;
  }

  #fixed(attributes: object): object {
    return Object.fromEntries(Object.entries(attributes).map(([name, value]: [string, unknown]) => [name, this.#value(value)]));
  }

  #value(value: unknown): unknown {
    if (value instanceof SymbolicDim) return this.#dim(value);
    return Array.isArray(value) && value.some((part) => part instanceof SymbolicDim) ? value.map((part) => this.#value(part)) : value;
  }

  #dim(dim: Dim): Dim {
    return symbolsOf(dim).every((symbol) => this.#symbols.has(symbol)) ? evaluateDim(dim, this.#symbols) : dim;
  }
}
