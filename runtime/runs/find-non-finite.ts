import { bindDims } from "../../compiler/ir/bind-dims.ts";
import type { Body, Graph, Node, Value } from "../../compiler/ir/graph.ts";
import { evaluateNode } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import type { EvaluateContext } from "../../compiler/ops/op.ts";
import type { Span } from "../../dsl/source.ts";
import type { Batch } from "../engine.ts";

/** The first op whose result is no finite number although its operands are. */
export interface NonFinite {
  /** `input` where the fed tensor is not finite itself. */
  readonly op: string;
  /** The node's path, or the name of the input. */
  readonly path: string;
  readonly span: Span | null;
  readonly found: "NaN" | "an infinity";
}

/** Outputs that are looked behind, the first that is not finite being the one. */
const asked: readonly string[] = ["metric/total", "metric/gradient_norm"];

/**
 * Runs a graph node by node, rounding to float32 as engines do, and finds the first op that made what is not finite in the outputs. NaNs and infinities that a
 * `where` or a `min` takes away again do not count.
 *
 * @returns null where the outputs are finite
 */
export function findFirstNonFinite(graph: Graph, feeds: Batch): NonFinite | null {
  const bound = bindDims(graph.inputs, new Map([...feeds].map(([name, { shape }]) => [name, shape])));
  if (bound.kind === "conflict") throw new Error(bound.message);
  const hunt = new Hunt(bound.symbols);
  for (const { name, value } of graph.inputs) {
    const tensor = feeds.get(name);
    if (tensor === undefined) throw new Error(`${name} is not fed`);
    hunt.give(value, makeArray(tensor.shape, Float64Array.from(tensor.data)), { op: "input", path: name, span: null });
  }
  const lastUses = usesOf(graph);
  for (const node of graph.nodes) {
    if (node.op !== "input") hunt.run(node);
    for (const value of lastUses.get(node) ?? []) hunt.drop(value);
  }
  const outputs = [...graph.outputs].sort((a, b) => rankOf(a.name) - rankOf(b.name));
  const wrong = outputs.find(({ value }) => hunt.isWrong(value));
  return wrong === undefined ? null : hunt.originOf(wrong.value);
}

function rankOf(output: string): number {
  const rank = asked.indexOf(output);
  return rank < 0 ? asked.length : rank;
}

class Hunt {
  readonly #context: EvaluateContext;
  readonly #values = new Map<Value, NdArray>();
  /** What is not finite: where it began, or the operands that it comes from. */
  readonly #wrong = new Map<Value, { readonly origin: NonFinite | null; readonly from: readonly Value[]; readonly order: number }>();
  /** Of the loop that is being run. */
  #inLoop: NonFinite | null = null;

  constructor(symbols: ReadonlyMap<string, number>) {
    const random = () => {
      throw new Error("random ops stand in initialisers only");
    };
    this.#context = { symbols, random, runBody: (body, inputs) => this.#runBody(body, inputs, this.#values) };
  }

  give(value: Value, array: NdArray, at: Pick<NonFinite, "op" | "path" | "span">): void {
    this.#values.set(value, array);
    const found = nonFiniteOf(array);
    if (found !== null) this.#wrong.set(value, { origin: { ...at, found }, from: [], order: this.#wrong.size });
  }

  drop(value: Value): void {
    this.#values.delete(value);
  }

  isWrong(value: Value): boolean {
    return this.#wrong.has(value);
  }

  run(node: Node): void {
    this.#inLoop = null;
    const results = roundAll(
      node,
      evaluateNode(node, (value) => read(this.#values, value), this.#context),
    );
    const captures = node.op === "scan" ? node.attributes.body.captures : [];
    const from = [...node.inputs, ...captures].filter((value) => this.#wrong.has(value));
    for (const [i, output] of node.outputs.entries()) {
      const array = results[i] as NdArray;
      this.#values.set(output, array);
      const found = nonFiniteOf(array);
      if (found === null) continue;
      const { op, path, span } = node;
      const origin = from.length > 0 ? null : (this.#inLoop ?? { op, path, span, found });
      this.#wrong.set(output, { origin, from, order: this.#wrong.size });
    }
  }

  /** The earliest origin of all that a wrong value comes from. */
  originOf(value: Value): NonFinite | null {
    const seen = new Set<Value>();
    const pending = [value];
    let first: { readonly origin: NonFinite; readonly order: number } | null = null;
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      const wrong = this.#wrong.get(at);
      if (wrong === undefined || seen.has(at)) continue;
      seen.add(at);
      const { origin, order } = wrong;
      if (origin !== null && (first === null || order < first.order)) first = { origin, order };
      pending.push(...wrong.from);
    }
    return first?.origin ?? null;
  }

  #runBody(body: Body, inputs: readonly NdArray[], outer: ReadonlyMap<Value, NdArray>): readonly NdArray[] {
    const scope = new Map<Value, NdArray>(body.captures.map((value) => [value, read(outer, value)]));
    for (const [i, value] of body.inputs.entries()) scope.set(value, inputs[i] as NdArray);
    const context: EvaluateContext = { ...this.#context, runBody: (inner, values) => this.#runBody(inner, values, scope) };
    for (const node of body.nodes) {
      if (node.op === "body_input") continue;
      const results = roundAll(
        node,
        evaluateNode(node, (value) => read(scope, value), context),
      );
      for (const [i, output] of node.outputs.entries()) {
        const array = results[i] as NdArray;
        scope.set(output, array);
        const found = nonFiniteOf(array);
        if (found === null || this.#inLoop !== null || node.inputs.some((value) => nonFiniteOf(read(scope, value)) !== null)) continue;
        const { op, path, span } = node;
        this.#inLoop = { op, path, span, found };
      }
    }
    return body.results.map((value) => read(scope, value));
  }
}

function read(values: ReadonlyMap<Value, NdArray>, value: Value): NdArray {
  const found = values.get(value);
  if (found === undefined) throw new Error(`${value.node.op} at ${value.node.path} is used before it is made`);
  return found;
}

/** Results as float32 holds them: what is too large becomes an infinity. */
function roundAll(node: Node, results: readonly NdArray[]): readonly NdArray[] {
  return results.map((array, i) =>
    node.outputs[i]?.type.dtype === "f32" ? makeArray(array.shape, Float64Array.from(Float32Array.from(array.data))) : array,
  );
}

function nonFiniteOf({ data }: NdArray): NonFinite["found"] | null {
  let infinite = false;
  for (const value of data) {
    if (Number.isNaN(value)) return "NaN";
    if (!Number.isFinite(value)) infinite = true;
  }
  return infinite ? "an infinity" : null;
}

/** For each node, the values that nothing after it reads. */
function usesOf(graph: Graph): ReadonlyMap<Node, readonly Value[]> {
  const seen = new Set<Value>();
  const last = new Map<Node, readonly Value[]>();
  for (const node of graph.nodes.toReversed()) {
    const captures = node.op === "scan" ? node.attributes.body.captures : [];
    const freed = [...new Set([...node.outputs, ...node.inputs, ...captures])].filter((value) => !seen.has(value));
    for (const value of freed) seen.add(value);
    last.set(node, freed);
  }
  return last;
}
