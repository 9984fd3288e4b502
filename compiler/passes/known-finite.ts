import { evaluateDim, symbolsOf } from "../ir/dim.ts";
import type { Graph, GraphParam, Node, Value } from "../ir/graph.ts";
import { interpret } from "../ir/interpreter.ts";
import { evaluateShape, fullArray, makeArray } from "../ir/ndarray.ts";
import { randomStream, type WeightSource } from "../weights.ts";

/** Far below the largest float32, so that float32 does not overflow where float64 did not. */
const largest = 1e30;

/**
 * Tells values that are finite whatever is fed: those that no input reaches, by computing them from the weights, and flags. Such a value may be multiplied by
 * zero and dropped; a value that an input reaches may become NaN or infinite, and 0 times that is not 0.
 */
export class KnownFinite {
  readonly #graph: Graph;
  readonly #weights: WeightSource;
  readonly #verdicts = new Map<Node, boolean>();

  constructor(graph: Graph, weights: WeightSource) {
    this.#graph = graph;
    this.#weights = weights;
  }

  holds({ node }: Value): boolean {
    if (node.op === "one_hot" || (node.op === "cast" && node.inputs[0]?.type.dtype !== "f32")) return true;
    const before = this.#verdicts.get(node);
    if (before !== undefined) return before;
    const needed = dataFreeAncestors(node, this.#verdicts);
    const verdict = needed !== null && this.#compute(needed);
    this.#verdicts.set(node, verdict);
    if (verdict) for (const ancestor of needed) this.#verdicts.set(ancestor, true);
    return verdict;
  }

  /** Computes the nodes for a batch of one: every row is like it, because no node mixes rows. */
  #compute(nodes: readonly Node[]): boolean {
    const symbols = new Map(
      this.#graph.inputs.flatMap(({ value }) => value.type.shape.flatMap(symbolsOf)).map((symbol) => [symbol, 1] as const),
    );
    const known = new Map(this.#graph.params.map((param) => [param.name, param]));
    const used = nodes.flatMap((node): GraphParam[] => {
      const param = node.op === "param" ? known.get(node.attributes.name) : undefined;
      return param === undefined ? [] : [{ ...param, value: node.outputs[0] as Value }];
    });
    const params = used.map(({ name, value }) => {
      const shape = value.type.shape.map((dim) => evaluateDim(dim, symbols));
      return [name, makeArray(shape, Float64Array.from(this.#weights.get(name) ?? []))] as const;
    });
    const values = nodes.flatMap((node) => node.outputs);
    const results = interpret(
      { ...this.#graph, params: used, nodes, outputs: values.map((value, i) => ({ name: String(i), value, doc: null })) },
      {
        inputs: new Map(
          this.#graph.inputs.map(({ name, value, fill }) => [name, fullArray(evaluateShape(value.type.shape, symbols), fill)]),
        ),
        params: new Map(params),
        random: randomStream(0, "dropout"),
      },
    );
    return [...results.values()].every(({ data }) => data.every((x) => Math.abs(x) <= largest));
  }
}

/** A node and all that it depends on, in order; null when an input is among them, or a node whose rows depend on how many there are. */
function dataFreeAncestors(node: Node, verdicts: ReadonlyMap<Node, boolean>): readonly Node[] | null {
  const found = new Set<Node>([node]);
  for (const next of found) {
    if (next.op === "input" || next.op === "body_input" || verdicts.get(next) === false || mixesRows(next)) return null;
    for (const value of next.inputs) found.add(value.node);
    if (next.op !== "scan") continue;
    const { body } = next.attributes;
    if (body.nodes.some((inner) => inner.op !== "body_input" && mixesRows(inner))) return null;
    for (const value of body.captures) found.add(value.node);
  }
  return [...found].sort((a, b) => a.id - b.id);
}

/** Whether the node works along an axis of symbolic length, so that one row does not stand for all. */
function mixesRows(node: Node): boolean {
  const [x, y] = node.inputs;
  const isSymbolic = (value: Value | undefined, axis: number) => typeof value?.type.shape[axis] !== "number";
  switch (node.op) {
    case "reduce_sum":
    case "reduce_mean":
    case "reduce_max":
    case "reduce_min":
      return node.attributes.axes.some((axis) => isSymbolic(x, axis));
    case "softmax":
    case "log_softmax":
    case "cumsum":
    case "linear_scan":
      return isSymbolic(x, node.attributes.axis);
    case "layer_norm":
      return isSymbolic(y, 0);
    case "matmul":
      return isSymbolic(y, (y?.type.shape.length ?? 0) - 2);
    case "slice":
      return isSymbolic(x, node.attributes.axis);
    case "scan":
      return isSymbolic(node.inputs[node.attributes.states], node.attributes.axis);
    case "arange":
      return typeof node.attributes.length !== "number";
    case "one_hot":
      return typeof node.attributes.depth !== "number";
    case "gather":
      return isSymbolic(x, node.attributes.axis);
    case "scatter_add":
      return y?.type.shape.some((_, axis) => isSymbolic(y, axis)) ?? false;
    default:
      return false;
  }
}
