import { GraphBuilder } from "../ir/builder.ts";
import { symbolsOf } from "../ir/dim.ts";
import type { Graph, Node, Value } from "../ir/graph.ts";
import { evaluateNode } from "../ir/interpreter.ts";
import { makeArray } from "../ir/ndarray.ts";
import type { OpName } from "../ops/attributes.ts";
import type { WeightSource } from "../weights.ts";
import { KnownFinite } from "./known-finite.ts";
import { prune } from "./prune.ts";
import { copyGraph, type Rewriter, type Rule, rewriteGraph } from "./rewrite.ts";
import { equalities, simplifications } from "./simplify.ts";

/** Optional inputs that are never given. */
export interface AbsentInputs {
  readonly names: ReadonlySet<string>;
  /** Of the model: a product with zero is folded only where the other factor is known to be finite. */
  readonly weights: WeightSource;
}

/** The graph without some optional inputs: each becomes its fill, and what follows from that is folded. Equal to feeding the fill, up to rounding. */
export function foldAbsentInputs(graph: Graph, absent: AbsentInputs): Graph {
  return prune(withoutInputs(rewriteGraph(graph, absenceRules(graph, absent, simplifications)), absent));
}

/** A copy of the graph, dropout and gradient stops included, without some optional inputs, and the copy of each value. Nothing is pruned. */
export function copyWithoutAbsent(graph: Graph, absent: AbsentInputs): { readonly graph: Graph; readonly copyOf: (value: Value) => Value } {
  const builder = new GraphBuilder();
  const copyOf = copyGraph(graph, builder, absenceRules(graph, absent, equalities));
  const withCopy = <T extends { readonly value: Value }>(items: readonly T[]): T[] =>
    items.map((item) => ({ ...item, value: copyOf(item.value) }));
  const { name, inputs, params, outputs } = graph;
  const copy = { name, inputs: withCopy(inputs), params: withCopy(params), nodes: builder.nodes, outputs: withCopy(outputs) };
  return { graph: withoutInputs(copy, absent), copyOf };
}

function withoutInputs(graph: Graph, { names }: AbsentInputs): Graph {
  return { ...graph, inputs: graph.inputs.filter(({ name }) => !names.has(name)) };
}

function absenceRules(graph: Graph, { names, weights }: AbsentInputs, cleanUps: readonly Rule[]): readonly Rule[] {
  const finite = new KnownFinite(graph, weights);
  const fills = new Map(graph.inputs.filter(({ name }) => names.has(name)).map(({ name, fill }) => [name, fill]));
  return [
    (node, _, rewriter) =>
      node.op === "input" && fills.has(node.attributes.name) ? [uniform(rewriter, node, fills.get(node.attributes.name) ?? 0)] : null,
    ...cleanUps,
    uniformOperands,
    chosenBranch,
    neutralStretched,
    (node, inputs, rewriter) => zeroTimes(node, inputs, rewriter, finite),
    (node, inputs, rewriter) => normalisedZeros(node, inputs, rewriter, finite),
  ];
}

/** Dim symbols of the graph that no input carries any more, so that nothing says how long they are. */
export function unboundSymbols(graph: Graph): readonly string[] {
  const bound = new Set(graph.inputs.flatMap(({ value }) => value.type.shape.flatMap(symbolsOf)));
  const used = graph.nodes.flatMap((node) => node.outputs.flatMap((value) => value.type.shape.flatMap(symbolsOf)));
  return [...new Set(used)].filter((symbol) => !bound.has(symbol));
}

/** The number that every element is, where that is known. */
function uniformValue({ node }: Value): number | null {
  if (node.op === "full") return node.attributes.value;
  if (node.op !== "constant") return null;
  const [first] = node.attributes.data;
  return first !== undefined && node.attributes.data.every((value) => value === first) ? first : null;
}

/** A tensor of one number in the place of a node. */
function uniform(rewriter: Rewriter, node: Node, value: number): Value {
  const { dtype, shape } = (node.outputs[0] as Value).type;
  return rewriter.add("full", [], { dtype, shape, value });
}

const elementwise: ReadonlySet<OpName> = new Set([
  "neg",
  "exp",
  "log",
  "sqrt",
  "tanh",
  "atanh",
  "sigmoid",
  "softplus",
  "relu",
  "abs",
  "sign",
  "floor",
  "sin",
  "cos",
  "not",
  "cast",
  "add",
  "sub",
  "mul",
  "div",
  "pow",
  "min",
  "max",
  "eq",
  "ne",
  "lt",
  "le",
  "gt",
  "ge",
  "and",
  "or",
  "where",
]);

/** What an op makes of operands that are one number each, where the result is one number too. */
const uniformOperands: Rule = (node, inputs, rewriter) => {
  if (inputs.length === 0 || node.op === "scan") return null;
  const values = inputs.map(uniformValue);
  const result = uniformResult(node, values);
  return result === null || !Number.isFinite(result) ? null : [uniform(rewriter, node, result)];
};

function uniformResult(node: Node, values: readonly (number | null)[]): number | null {
  const [first] = values;
  if (first === null || first === undefined) return null;
  const dims = (node.inputs[0] as Value).type.shape;
  const known = values.filter((value) => value !== null);
  if (elementwise.has(node.op)) return known.length === values.length ? evaluateScalar(node, known) : null;
  switch (node.op) {
    case "reshape":
    case "transpose":
    case "expand":
    case "slice":
    case "reverse":
    case "gather":
    case "reduce_max":
    case "reduce_min":
    case "reduce_mean":
      return first;
    case "concat":
      return values.every((value) => value === first) ? first : null;
    case "stop_gradient":
      return first;
    case "dropout":
    case "cumsum":
      return first === 0 ? 0 : null;
    case "reduce_sum": {
      const counts = node.attributes.axes.map((axis) => dims[axis]);
      if (first === 0) return 0;
      return counts.every((count) => typeof count === "number") ? counts.reduce((total, count) => total * count, first) : null;
    }
    case "softmax":
    case "log_softmax": {
      const count = dims[node.attributes.axis];
      if (typeof count !== "number") return null;
      return node.op === "softmax" ? 1 / count : -Math.log(count);
    }
    default:
      return null;
  }
}

function evaluateScalar(node: Node, values: readonly number[]): number | null {
  const operands = new Map(node.inputs.map((value, i) => [value, makeArray([], Float64Array.of(values[i] as number))]));
  const never = () => {
    throw new Error("elementwise ops need neither loops nor chance");
  };
  const [result] = evaluateNode(node, (value) => operands.get(value) ?? never(), { symbols: new Map(), runBody: never, random: never });
  return result?.data[0] ?? null;
}

/** where(true, a, b) → a, whatever b is. */
const chosenBranch: Rule = (node, inputs, rewriter) => {
  if (node.op !== "where") return null;
  const [condition, a, b] = inputs as readonly [Value, Value, Value];
  const value = uniformValue(condition);
  return value === null ? null : [stretch(rewriter, node, value === 0 ? b : a)];
};

/** x + 0, 0 + x, x - 0, x · 1, 1 · x, x / 1 → x, stretched to the shape of the result. */
const neutralStretched: Rule = (node, inputs, rewriter) => {
  const [a, b] = inputs as readonly [Value, Value];
  const isNeutral = (value: Value, neutral: number) => uniformValue(value) === neutral;
  switch (node.op) {
    case "add":
      if (isNeutral(b, 0)) return [stretch(rewriter, node, a)];
      return isNeutral(a, 0) ? [stretch(rewriter, node, b)] : null;
    case "mul":
      if (isNeutral(b, 1)) return [stretch(rewriter, node, a)];
      return isNeutral(a, 1) ? [stretch(rewriter, node, b)] : null;
    case "sub":
      return isNeutral(b, 0) ? [stretch(rewriter, node, a)] : null;
    case "div":
      return isNeutral(b, 1) ? [stretch(rewriter, node, a)] : null;
    default:
      return null;
  }
};

/** 0 · x, 0 @ x, and h = a·h + 0 → 0, where x or a is known to be finite. */
function zeroTimes(node: Node, inputs: readonly Value[], rewriter: Rewriter, finite: KnownFinite): readonly Value[] | null {
  if (node.op !== "mul" && node.op !== "matmul" && node.op !== "linear_scan") return null;
  const [a, b] = inputs as readonly [Value, Value];
  const vanishes = (zero: Value, other: Value) => uniformValue(zero) === 0 && finite.holds(other);
  const isZero = vanishes(b, a) || (node.op !== "linear_scan" && vanishes(a, b));
  return isZero ? [uniform(rewriter, node, 0)] : null;
}

/** layer_norm(0) → beta */
function normalisedZeros(node: Node, inputs: readonly Value[], rewriter: Rewriter, finite: KnownFinite): readonly Value[] | null {
  if (node.op !== "layer_norm") return null;
  const [x, gamma, beta] = inputs as readonly [Value, Value, Value];
  return uniformValue(x) === 0 && finite.holds(gamma) ? [stretch(rewriter, node, beta)] : null;
}

function stretch(rewriter: Rewriter, node: Node, value: Value): Value {
  return rewriter.add("expand", [value], { shape: (node.outputs[0] as Value).type.shape });
}
