import type { Graph, GraphParam, Node, Value } from "../../../ir/graph.ts";
import { evaluateNode } from "../../../ir/interpreter.ts";
import { broadcastTo, evaluateShape, fullArray, makeArray, type NdArray, sizeOf } from "../../../ir/ndarray.ts";
import type { OpName } from "../../../ops/attributes.ts";
import type { EvaluateContext } from "../../../ops/op.ts";
import { randomStream } from "../../../weights.ts";

/** What stands for the values of parameters: what their initialisers give on average, or one draw. */
export type ParamValues = "mean" | "drawn";

/** Tensors beyond this many values are not estimated. */
const largestEstimate = 2 ** 22;

/** Elementwise ops, and those that only move values. */
export const elementwiseOps: ReadonlySet<OpName> = new Set<OpName>([
  ...(["neg", "exp", "log", "sqrt", "tanh", "atanh", "sigmoid", "softplus", "relu", "abs", "sign", "floor", "sin", "cos", "not"] as const),
  ...(["add", "sub", "mul", "div", "pow", "min", "max", "eq", "ne", "lt", "le", "gt", "ge", "and", "or", "where", "cast"] as const),
  ...(["stop_gradient", "dropout", "reshape", "transpose", "expand", "slice", "concat", "reverse", "gather"] as const),
]);

/**
 * Values of a graph as they are before any training, without data: each value follows from constants, parameters and what is given, or is null. A product
 * with zeros is zero whatever the other factor is.
 */
export class Estimate {
  readonly #given: ReadonlyMap<Value, NdArray>;
  readonly #dependent: ReadonlySet<Node>;
  readonly #params: ReadonlyMap<Value, GraphParam>;
  readonly #kind: ParamValues;
  readonly #context: EvaluateContext;
  readonly #known = new Map<Value, NdArray | null>();

  /** `symbols` are the sizes of symbolic dims, `dependent` the nodes that data reaches. */
  constructor(
    graph: Graph,
    dependent: ReadonlySet<Node>,
    symbols: ReadonlyMap<string, number>,
    kind: ParamValues,
    given: ReadonlyMap<Value, NdArray>,
  ) {
    this.#params = new Map(graph.params.map((param) => [param.value, param]));
    this.#dependent = dependent;
    this.#kind = kind;
    this.#given = given;
    const runBody = () => {
      throw new Error("loops are not estimated");
    };
    this.#context = { symbols, runBody, random: randomStream(0, "estimate") };
  }

  /** The value, or null where it depends on data that is not given. */
  of(value: Value): NdArray | null {
    for (const node of this.#order(value)) {
      for (const output of node.outputs) if (!this.#known.has(output)) this.#known.set(output, this.#evaluate(node));
    }
    return this.#look(value);
  }

  #look(value: Value): NdArray | null {
    return this.#given.get(value) ?? this.#known.get(value) ?? null;
  }

  /** The nodes that have to be known for a value, operands first. */
  #order(value: Value): readonly Node[] {
    const seen = new Set<Node>();
    const pending: Value[] = [value];
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
      if (this.#given.has(next) || this.#known.has(next) || seen.has(next.node)) continue;
      seen.add(next.node);
      pending.push(...this.#operands(next.node));
    }
    return [...seen].sort((a, b) => a.id - b.id);
  }

  /** Operands worth knowing: data is followed only where something may still be known behind it. */
  #operands(node: Node): readonly Value[] {
    if (node.op === "scan") return [];
    if (this.#given.size > 0 || !this.#dependent.has(node)) return node.inputs;
    if (node.op === "matmul" || node.op === "mul") {
      const fixed = node.inputs.filter((input) => !this.#dependent.has(input.node));
      return fixed.some((input) => isZero(this.of(input))) || node.op === "matmul" ? fixed : node.inputs;
    }
    return elementwiseOps.has(node.op) || node.op === "softmax" ? node.inputs : [];
  }

  #evaluate(node: Node): NdArray | null {
    if (node.op === "input" || node.op === "body_input" || node.op === "scan") return null;
    const output = node.outputs[0] as Value;
    const size = () => evaluateShape(output.type.shape, this.#context.symbols);
    if (sizeOf(size()) > largestEstimate) return null;
    if (node.op === "param") return this.#paramValue(this.#params.get(output), size());
    const operands = node.inputs.map((input) => this.#look(input));
    if ((node.op === "matmul" || node.op === "mul") && operands.some(isZero)) return fullArray(size(), 0);
    if (operands.some((operand) => operand === null)) return null;
    return evaluateNode(node, (input) => this.#look(input) as NdArray, this.#context)[0] ?? null;
  }

  #paramValue(param: GraphParam | undefined, shape: readonly number[]): NdArray | null {
    if (param === undefined) return null;
    return broadcastTo(this.#kind === "mean" ? meanOf(param.initial) : drawOf(param), shape);
  }
}

function isZero(values: NdArray | null): boolean {
  return values?.data.every((value) => value === 0) ?? false;
}

/** An initialiser with every draw at its mean; what cannot be computed from means (0 / 0) counts as 0. */
function meanOf(initial: Graph): NdArray {
  const values = evaluateInitial(initial, (node) => {
    if (node.op === "random_uniform") return (node.attributes.low + node.attributes.high) / 2;
    return node.op === "random_normal" ? 0 : null;
  });
  return makeArray(
    values.shape,
    values.data.map((value) => (Number.isNaN(value) ? 0 : value)),
  );
}

function drawOf({ name, initial }: GraphParam): NdArray {
  return evaluateInitial(initial, () => null, randomStream(0, name));
}

function evaluateInitial(initial: Graph, override: (node: Node) => number | null, random: () => number = () => 0.5): NdArray {
  const values = new Map<Value, NdArray>();
  const symbols = new Map<string, number>();
  const runBody = () => {
    throw new Error("loops are not estimated");
  };
  for (const node of initial.nodes) {
    const fill = override(node);
    const output = node.outputs[0] as Value;
    const results =
      fill !== null
        ? [fullArray(evaluateShape(output.type.shape, symbols), fill)]
        : evaluateNode(node, (input) => values.get(input) as NdArray, { symbols, runBody, random });
    for (const [i, result] of results.entries()) values.set(node.outputs[i] as Value, result);
  }
  return values.get((initial.outputs[0] as Graph["outputs"][number]).value) as NdArray;
}
