import { type Dim, dimsEqual, evaluateDim, formatDim, symbolDim } from "../ir/dim.ts";
import type { Body, DType, Graph, Node, TensorType, Value } from "../ir/graph.ts";
import { castNumber } from "../ir/ndarray.ts";
import type { OpName } from "../ops/attributes.ts";
import type { OpDefinition } from "../ops/op.ts";
import { opDefinition } from "../ops/table.ts";
import type { WeightSource } from "../weights.ts";
import { findSymbol } from "./onnx-graph.ts";
import type { TensorFlowAttributes, TensorFlowContext, TensorFlowLowering, TensorFlowNode } from "./tensorflow-lowering.ts";
import { UniqueNames } from "./unique-names.ts";

/** Constants up to this many values are shared between nodes. */
const largestShared = 64;

export interface TensorFlowConstant {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** A TensorFlow graph as plain data: what a GraphModel holds, and what the engine runs. */
export interface TensorFlowGraph {
  readonly nodes: readonly TensorFlowNode[];
  readonly constants: readonly TensorFlowConstant[];
}

/** Lowers a graph: the names of inputs and outputs are kept, all others are made of source paths. */
export function lowerToTensorFlow(graph: Graph, weights: WeightSource): TensorFlowGraph {
  const lowering = new Lowering(graph, weights);
  lowering.lowerNodes(graph.nodes);
  return lowering.finish();
}

class Lowering implements TensorFlowContext {
  readonly #graph: Graph;
  readonly #weights: WeightSource;
  readonly #names = new UniqueNames();
  readonly #nodes: TensorFlowNode[] = [];
  readonly #constants: TensorFlowConstant[] = [];
  readonly #valueNames = new Map<Value, string>();
  /** Params, small constants and computed dims by content. */
  readonly #shared = new Map<string, string>();
  #path = "";

  constructor(graph: Graph, weights: WeightSource) {
    this.#graph = graph;
    this.#weights = weights;
    for (const { name } of [...graph.inputs, ...graph.outputs]) {
      if (this.#names.has(name)) throw new Error(`the name ${name} is used twice among inputs and outputs`);
      this.#names.take(name);
    }
    for (const { name, value } of graph.inputs) {
      const { dtype, shape } = value.type;
      this.#nodes.push({ op: "Placeholder", name, inputs: [], attributes: { dtype: { dtype }, shape: { shape } } });
    }
  }

  lowerNodes(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.op === "body_input") continue;
      const enclosing = this.#path;
      this.#path = node.path === "" ? node.op : node.path;
      // The row of the node's own op: the table guarantees it, a union of rows cannot say it.
      const lower = (opDefinition(node.op) as OpDefinition<OpName>).tfjs as (
        ...args: Parameters<TensorFlowLowering<OpName>>
      ) => string | readonly string[];
      const inputs = node.inputs.map((value) => this.#nameOf(value));
      const result = lower(this, inputs, node);
      const names = typeof result === "string" ? [result] : result;
      for (const [index, output] of node.outputs.entries()) this.#valueNames.set(output, names[index] as string);
      this.#path = enclosing;
    }
  }

  finish(): TensorFlowGraph {
    for (const { name, value } of this.#graph.outputs) {
      this.#nodes.push({ op: "Identity", name, inputs: [this.#nameOf(value)], attributes: {} });
    }
    return { nodes: this.#nodes, constants: this.#constants };
  }

  op(type: string, inputs: readonly string[], attributes: TensorFlowAttributes = {}): string {
    const name = this.#unique(this.#path);
    this.#nodes.push({ op: type, name, inputs, attributes });
    return name;
  }

  constant(dtype: DType, shape: readonly number[], data: readonly number[]): string {
    const values = data.map((value) => castNumber(value, dtype));
    const hint = shape.length === 0 ? `constant/${dtype}_${values[0]}` : `constant/${dtype}_${shape.join("x")}`;
    if (values.length > largestShared) return this.#constant(hint, dtype, shape, values);
    const key = `${dtype}[${shape.join()}]${values.map((value) => (Object.is(value, -0) ? "-0" : value)).join()}`;
    return this.#once(key, () => this.#constant(hint, dtype, shape, values));
  }

  ints(values: readonly number[]): string {
    return this.constant("i32", [values.length], values);
  }

  dim(dim: Dim): string {
    if (typeof dim === "number") return this.constant("i32", [], [dim]);
    return this.#once(`dim ${dim.key}`, () => this.#named(`dim/${dim.key.replaceAll(" ", "")}`, () => this.#computeDim(dim)));
  }

  shape(dims: readonly Dim[]): string {
    const numbers = dims.filter((dim) => typeof dim === "number");
    if (numbers.length === dims.length) return this.ints(numbers);
    const key = dims.map(formatDim).join();
    return this.#once(`shape ${key}`, () =>
      this.#named(`shape/${key.replaceAll(" ", "")}`, () =>
        this.op(
          "Pack",
          dims.map((dim) => this.dim(dim)),
          { N: dims.length, axis: 0 },
        ),
      ),
    );
  }

  reshape(x: string, shape: readonly Dim[]): string {
    const symbolic = shape.filter((dim) => typeof dim !== "number").length;
    const target =
      symbolic > 1 || shape.includes(0) ? this.shape(shape) : this.ints(shape.map((dim) => (typeof dim === "number" ? dim : -1)));
    return this.op("Reshape", [x, target]);
  }

  broadcast(x: string, from: TensorType, shape: readonly Dim[]): string {
    const missing = shape.length - from.shape.length;
    const isSame = missing === 0 && shape.every((dim, axis) => dimsEqual(dim, from.shape[axis] as Dim));
    return isSame ? x : this.op("BroadcastTo", [x, this.shape(shape)]);
  }

  param(name: string): string {
    return this.#once(`param ${name}`, () => {
      const param = this.#graph.params.find((candidate) => candidate.name === name);
      const data = this.#weights.get(name);
      if (param === undefined || data === undefined) throw new Error(`the param ${name} has no weights`);
      const shape = param.value.type.shape.map((dim) => evaluateDim(dim, new Map()));
      return this.#constant(name, "f32", shape, data);
    });
  }

  lowerBody(body: Body, inputs: readonly string[]): readonly string[] {
    for (const [position, value] of body.inputs.entries()) this.#valueNames.set(value, inputs[position] as string);
    this.lowerNodes(body.nodes);
    return body.results.map((value) => this.#nameOf(value));
  }

  #nameOf(value: Value): string {
    const name = this.#valueNames.get(value);
    if (name === undefined) throw new Error(`${value.node.op} at ${value.node.path} is used before it is lowered`);
    return name;
  }

  /** In names of nodes a colon would stand for "output number". */
  #unique(name: string): string {
    return this.#names.take(name.replaceAll(":", "_"));
  }

  #constant(hint: string, dtype: DType, shape: readonly number[], data: ArrayLike<number>): string {
    const name = this.#unique(hint);
    this.#nodes.push({ op: "Const", name, inputs: [], attributes: { dtype: { dtype } } });
    this.#constants.push({ name, dtype, shape, data });
    return name;
  }

  #once(key: string, make: () => string): string {
    const before = this.#shared.get(key);
    if (before !== undefined) return before;
    const name = make();
    this.#shared.set(key, name);
    return name;
  }

  #named(path: string, build: () => string): string {
    const enclosing = this.#path;
    this.#path = path;
    const name = build();
    this.#path = enclosing;
    return name;
  }

  /** i32[]: the polynomial over symbols, each read from the shape of an input. */
  #computeDim(dim: Exclude<Dim, number>): string {
    const [only] = dim.terms;
    if (dim.terms.length === 1 && only?.coefficient === 1 && only.symbols.length === 1) return this.#readSymbol(only.symbols[0] as string);
    const terms = dim.terms.map(({ coefficient, symbols }) => {
      const factors = symbols.map((symbol) => this.dim(symbolDim(symbol)));
      const all = coefficient === 1 && factors.length > 0 ? factors : [this.dim(coefficient), ...factors];
      return all.reduce((a, b) => this.op("Mul", [a, b]));
    });
    return terms.reduce((a, b) => this.op("AddV2", [a, b]));
  }

  #readSymbol(symbol: string): string {
    const { input, axis, slope, offset } = findSymbol(this.#graph.inputs, symbol);
    const size = this.op("GatherV2", [this.op("Shape", [input.name]), this.dim(axis), this.dim(0)]);
    const scaled = offset === 0 ? size : this.op("Sub", [size, this.dim(offset)]);
    return slope === 1 ? scaled : this.op("FloorDiv", [scaled, this.dim(slope)]);
  }
}
