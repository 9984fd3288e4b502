import { type Dim, evaluateDim, formatDim, symbolDim, symbolsOf } from "../ir/dim.ts";
import type { Body, DType, Graph, GraphInput, Node, Value } from "../ir/graph.ts";
import { castNumber } from "../ir/ndarray.ts";
import type { OpName } from "../ops/attributes.ts";
import type { OpDefinition } from "../ops/op.ts";
import { opDefinition } from "../ops/table.ts";
import type { Precision } from "../passes/choose-precision.ts";
import type { WeightSource } from "../weights.ts";
import type { OnnxAttributes, OnnxContext, OnnxDType, OnnxLowering, OnnxNode, OnnxOutput, OnnxSubgraph } from "./onnx-lowering.ts";
import { UniqueNames } from "./unique-names.ts";

/** Constants up to this many values are shared between nodes. */
const largestShared = 64;

export interface OnnxInitializer {
  readonly name: string;
  readonly dtype: OnnxDType;
  readonly shape: readonly number[];
  /** Read when the tensor is written, so that not all weights need to be in memory at once. */
  readonly read: () => ArrayLike<number>;
}

/** An ONNX graph as plain data, before it is encoded. */
export interface OnnxGraph {
  readonly nodes: readonly OnnxNode[];
  readonly initializers: readonly OnnxInitializer[];
}

export interface LoweringOptions {
  readonly weights: WeightSource;
  readonly opset: number;
  readonly precision: Precision;
}

/** Lowers a graph: the names of inputs and outputs are kept, all others are made of source paths. */
export function lowerGraph(graph: Graph, options: LoweringOptions): OnnxGraph {
  const lowering = new GraphLowering(graph, options);
  lowering.lowerNodes(graph.nodes);
  return lowering.finish();
}

class GraphLowering implements OnnxContext {
  readonly opset: number;
  readonly #graph: Graph;
  readonly #weights: WeightSource;
  readonly #precision: Precision;
  /** Computed dims: these stand before all other nodes, where subgraphs can see them too. */
  readonly #dimNodes: OnnxNode[] = [];
  #nodes: OnnxNode[] = [];
  #path = "";
  readonly #initializers: OnnxInitializer[] = [];
  readonly #names = new UniqueNames();
  readonly #valueNames = new Map<Value, string>();
  /** Values in the float type that they are not made in, each cast once. */
  readonly #casts = new Map<Value, string>();
  readonly #paramNames = new Map<string, string>();
  /** Constants and computed dims by content. */
  readonly #shared = new Map<string, string>();

  constructor(graph: Graph, { weights, opset, precision }: LoweringOptions) {
    this.opset = opset;
    this.#graph = graph;
    this.#weights = weights;
    this.#precision = precision;
    for (const { name } of [...graph.inputs, ...graph.outputs]) {
      if (this.#names.has(name)) throw new Error(`the name ${name} is used twice among inputs and outputs`);
      this.#names.take(name);
    }
  }

  lowerNodes(nodes: readonly Node[]): void {
    for (const node of nodes) {
      if (node.op === "body_input") continue;
      const enclosing = this.#path;
      this.#path = node.path === "" ? node.op : node.path;
      // The row of the node's own op: the table guarantees it, a union of rows cannot say it.
      const lower = (opDefinition(node.op) as OpDefinition<OpName>).onnx as (
        ...args: Parameters<OnnxLowering<OpName>>
      ) => string | readonly string[];
      // What a loop body reads is cast outside of the loop.
      if (node.op === "scan") for (const value of node.attributes.body.captures) this.#nameAs(value, "f32");
      const type = this.#precision.half.has(node) ? "f16" : "f32";
      const inputs = node.inputs.map((value) => this.#nameAs(value, type));
      const result = lower(this, inputs, node);
      const names = typeof result === "string" ? [result] : result;
      for (const [index, output] of node.outputs.entries()) this.#valueNames.set(output, names[index] as string);
      this.#path = enclosing;
    }
  }

  /** Gives the outputs their names and joins the parts. */
  finish(): OnnxGraph {
    for (const { name, value } of this.#graph.outputs) {
      this.#path = name;
      this.#nameAs(value, "f32");
    }
    const made = new Set(this.#nodes.flatMap((node) => node.outputs));
    const renamed = new Map<string, string>();
    for (const { name, value } of this.#graph.outputs) {
      const from = this.#nameAs(value, "f32");
      if (made.has(from) && !renamed.has(from)) renamed.set(from, name);
      else this.#nodes.push({ type: "Identity", name: this.#names.take(name), inputs: [from], outputs: [name], attributes: {} });
    }
    return { nodes: [...this.#dimNodes, ...renameValues(this.#nodes, renamed)], initializers: this.#initializers };
  }

  op(type: string, inputs: readonly string[], attributes: OnnxAttributes = {}): string {
    return this.ops(type, inputs, attributes, 1)[0] as string;
  }

  ops(type: string, inputs: readonly string[], attributes: OnnxAttributes, outputs: number): readonly string[] {
    const name = this.#names.take(this.#path);
    const names = outputs === 1 ? [name] : Array.from({ length: outputs }, (_, i) => this.#names.take(`${name}.${i}`));
    this.#nodes.push({ type, name, inputs, outputs: names, attributes });
    return names;
  }

  constant(dtype: OnnxDType, shape: readonly number[], data: readonly number[]): string {
    const values = dtype === "i64" || dtype === "f16" ? data : data.map((value) => castNumber(value, dtype));
    const hint = shape.length === 0 ? `constant/${dtype}_${values[0]}` : `constant/${dtype}_${shape.join("x")}`;
    if (values.length > largestShared) return this.#initializer(hint, dtype, shape, () => values);
    return this.#once(`${dtype}[${shape.join()}]${values.map((value) => (Object.is(value, -0) ? "-0" : value)).join()}`, () =>
      this.#initializer(hint, dtype, shape, () => values),
    );
  }

  ints(values: readonly number[]): string {
    return this.constant("i64", [values.length], values);
  }

  dim(dim: Dim): string {
    if (typeof dim === "number") return this.constant("i64", [], [dim]);
    return this.#once(`dim ${dim.key}`, () => this.#atStart(`dim/${dim.key.replaceAll(" ", "")}`, () => this.#computeDim(dim)));
  }

  shape(dims: readonly Dim[]): string {
    const numbers = dims.filter((dim) => typeof dim === "number");
    if (numbers.length === dims.length) return this.ints(numbers);
    const key = dims.map(formatDim).join();
    return this.#once(`shape ${key}`, () =>
      this.#atStart(`shape/${key.replaceAll(" ", "")}`, () => {
        const parts = dims.map((dim) =>
          typeof dim === "number" ? this.ints([dim]) : this.op("Unsqueeze", [this.dim(dim), this.ints([0])]),
        );
        return parts.length === 1 ? (parts[0] as string) : this.op("Concat", parts, { axis: 0 });
      }),
    );
  }

  input(name: string): string {
    return name;
  }

  param(name: string): string {
    const before = this.#paramNames.get(name);
    if (before !== undefined) return before;
    const param = this.#graph.params.find((candidate) => candidate.name === name);
    if (param === undefined) throw new Error(`the graph has no param ${name}`);
    const shape = param.value.type.shape.map((dim) => evaluateDim(dim, new Map()));
    const unique = this.#initializer(name, this.#precision.stored.has(name) ? "f16" : "f32", shape, () => this.#weightsOf(name));
    this.#paramNames.set(name, unique);
    return unique;
  }

  subgraph(inputs: readonly DType[], build: (names: readonly string[]) => readonly OnnxOutput[]): OnnxSubgraph {
    const enclosing = this.#nodes;
    this.#nodes = [];
    const taken = inputs.map((dtype, i) => ({ name: this.#names.take(`${this.#path}/in${i}`), dtype }));
    const results = build(taken.map((input) => input.name));
    // A subgraph's outputs must be values that it makes, each named once.
    const made = new Set(this.#nodes.flatMap((node) => node.outputs));
    const outputs = results.map((output) => (made.delete(output.name) ? output : { ...output, name: this.op("Identity", [output.name]) }));
    const nodes = this.#nodes;
    this.#nodes = enclosing;
    return { kind: "subgraph", nodes, inputs: taken, outputs };
  }

  lowerBody(body: Body, inputs: readonly string[]): readonly string[] {
    for (const [position, value] of body.inputs.entries()) this.#valueNames.set(value, inputs[position] as string);
    this.lowerNodes(body.nodes);
    return body.results.map((value) => this.#nameAs(value, "f32"));
  }

  #weightsOf(name: string): Float32Array {
    const values = this.#weights.get(name);
    if (values === undefined) throw new Error(`the param ${name} has no weights`);
    return values;
  }

  /** The name of a value, floats in the float type that is asked for. */
  #nameAs(value: Value, type: "f16" | "f32"): string {
    const { node } = value;
    if (value.type.dtype !== "f32" || this.#isHalf(value) === (type === "f16")) return this.#nameOf(value);
    if (node.op === "constant") return this.constant(type, node.attributes.shape, node.attributes.data);
    const before = this.#casts.get(value);
    if (before !== undefined) return before;
    const name = this.op("Cast", [this.#nameOf(value)], { to: type === "f16" ? 10 : 1 });
    this.#casts.set(value, name);
    return name;
  }

  #isHalf({ node }: Value): boolean {
    return node.op === "param" ? this.#precision.stored.has(node.attributes.name) : this.#precision.half.has(node);
  }

  #nameOf(value: Value): string {
    const name = this.#valueNames.get(value);
    if (name === undefined) throw new Error(`${value.node.op} at ${value.node.path} is used before it is lowered`);
    return name;
  }

  #initializer(hint: string, dtype: OnnxDType, shape: readonly number[], read: () => ArrayLike<number>): string {
    const name = this.#names.take(hint);
    this.#initializers.push({ name, dtype, shape, read });
    return name;
  }

  #once(key: string, make: () => string): string {
    const before = this.#shared.get(key);
    if (before !== undefined) return before;
    const name = make();
    this.#shared.set(key, name);
    return name;
  }

  /** Runs `build` with nodes going to the computed dims. */
  #atStart(path: string, build: () => string): string {
    const [nodes, enclosing] = [this.#nodes, this.#path];
    this.#nodes = this.#dimNodes;
    this.#path = path;
    const name = build();
    this.#nodes = nodes;
    this.#path = enclosing;
    return name;
  }

  /** i64[]: the polynomial over symbols, each read from the shape of an input. */
  #computeDim(dim: Exclude<Dim, number>): string {
    const [only] = dim.terms;
    if (dim.terms.length === 1 && only?.coefficient === 1 && only.symbols.length === 1) return this.#readSymbol(only.symbols[0] as string);
    const terms = dim.terms.map(({ coefficient, symbols }) => {
      const factors = symbols.map((symbol) => this.dim(symbolDim(symbol)));
      const all = coefficient === 1 && factors.length > 0 ? factors : [this.dim(coefficient), ...factors];
      return all.reduce((a, b) => this.op("Mul", [a, b]));
    });
    return terms.reduce((a, b) => this.op("Add", [a, b]));
  }

  #readSymbol(symbol: string): string {
    const { input, axis, slope, offset } = findSymbol(this.#graph.inputs, symbol);
    const size = this.op("Gather", [this.op("Shape", [this.input(input.name)]), this.dim(axis)], { axis: 0 });
    const scaled = offset === 0 ? size : this.op("Sub", [size, this.dim(offset)]);
    return slope === 1 ? scaled : this.op("Div", [scaled, this.dim(slope)]);
  }
}

/** An axis of an input whose dim is slope · symbol + offset, preferably the symbol itself. */
export function findSymbol(inputs: readonly GraphInput[], symbol: string) {
  const found = inputs.flatMap((input) =>
    input.value.type.shape.flatMap((dim, axis) => {
      const symbols = symbolsOf(dim);
      if (symbols.length !== 1 || symbols[0] !== symbol) return [];
      const at = (value: number) => evaluateDim(dim, new Map([[symbol, value]]));
      const slope = at(1) - at(0);
      return at(2) - at(1) === slope ? [{ input, axis, slope, offset: at(0) }] : [];
    }),
  );
  const best = found.find(({ slope, offset }) => slope === 1 && offset === 0) ?? found[0];
  if (best === undefined) throw new Error(`no input has the dim ${symbol} in its shape, so that a compiled model cannot compute it`);
  return best;
}

function renameValues(nodes: readonly OnnxNode[], names: ReadonlyMap<string, string>): readonly OnnxNode[] {
  const rename = (name: string) => names.get(name) ?? name;
  return nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    outputs: node.outputs.map(rename),
    attributes: Object.fromEntries(
      Object.entries(node.attributes).map(([key, value]) => {
        if (typeof value !== "object" || !("kind" in value)) return [key, value];
        const outputs = value.outputs.map((output) => ({ ...output, name: rename(output.name) }));
        return [key, { ...value, outputs, nodes: renameValues(value.nodes, names) }];
      }),
    ),
  }));
}
