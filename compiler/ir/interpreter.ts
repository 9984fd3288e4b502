import type { OpAttributes, OpName } from "../ops/attributes.ts";
import type { EvaluateContext, OpDefinition } from "../ops/op.ts";
import { opDefinition } from "../ops/table.ts";
import { bindDims } from "./bind-dims.ts";
import { formatShape } from "./dim.ts";
import type { Body, Graph, Node, Value } from "./graph.ts";
import { evaluateShape, fullArray, type NdArray } from "./ndarray.ts";

/** Inputs or params that do not fit the graph. */
export class BindError extends Error {
  override readonly name = "BindError";
}

export interface Bindings {
  readonly inputs: ReadonlyMap<string, NdArray>;
  readonly params: ReadonlyMap<string, NdArray>;
  /** Numbers in [0, 1) for the random ops of initialisers. */
  readonly random?: () => number;
}

/**
 * Evaluates a graph in float64, node by node: the reference that every target is tested against. Optional inputs that are absent are filled.
 *
 * @returns the outputs by name
 * @throws BindError when an input or param is missing or of the wrong shape
 */
export function interpret(graph: Graph, bindings: Bindings): ReadonlyMap<string, NdArray> {
  const bound = bindDims(graph.inputs, new Map([...bindings.inputs].map(([name, { shape }]) => [name, shape])));
  if (bound.kind === "conflict") throw new BindError(bound.message);
  const values = new Map<Value, NdArray>([...bindInputs(graph, bindings, bound.symbols), ...bindParams(graph, bindings)]);
  const context: EvaluateContext = {
    symbols: bound.symbols,
    runBody: (body, inputs) => runBody(body, inputs, values, context),
    random: bindings.random ?? noRandom,
  };
  const lastUses = findLastUses(graph);
  for (const node of graph.nodes) {
    if (!values.has(node.outputs[0] as Value))
      store(
        node,
        evaluateNode(node, (value) => lookup(value, values), context),
        values,
      );
    for (const value of lastUses.get(node) ?? []) values.delete(value);
  }
  return new Map(graph.outputs.map(({ name, value }) => [name, lookup(value, values)]));
}

function bindInputs(graph: Graph, { inputs }: Bindings, symbols: ReadonlyMap<string, number>): readonly (readonly [Value, NdArray])[] {
  return graph.inputs.map(({ name, value, optional, fill }) => {
    const given = inputs.get(name);
    if (given === undefined && !optional) throw new BindError(`input \`${name}\` is missing`);
    return [value, given ?? fullArray(evaluateShape(value.type.shape, symbols), fill)] as const;
  });
}

function bindParams(graph: Graph, { params }: Bindings): readonly (readonly [Value, NdArray])[] {
  return graph.params.map(({ name, value }) => {
    const given = params.get(name);
    if (given === undefined) throw new BindError(`param \`${name}\` has no values`);
    const expected = formatShape(value.type.shape);
    if (formatShape(given.shape) !== expected)
      throw new BindError(`param \`${name}\` has the shape ${formatShape(given.shape)}, not ${expected}`);
    return [value, given] as const;
  });
}

function runBody(
  body: Body,
  inputs: readonly NdArray[],
  outer: ReadonlyMap<Value, NdArray>,
  enclosing: EvaluateContext,
): readonly NdArray[] {
  const scope = new Map<Value, NdArray>(body.captures.map((value) => [value, lookup(value, outer)]));
  for (const [position, value] of body.inputs.entries()) scope.set(value, inputs[position] as NdArray);
  const context: EvaluateContext = { ...enclosing, runBody: (inner, values) => runBody(inner, values, scope, enclosing) };
  for (const node of body.nodes) {
    if (node.op !== "body_input")
      store(
        node,
        evaluateNode(node, (value) => lookup(value, scope), context),
        scope,
      );
  }
  return body.results.map((value) => lookup(value, scope));
}

/** Evaluates one node whose operands are known. */
export function evaluateNode(node: Node, read: (value: Value) => NdArray, context: EvaluateContext): readonly NdArray[] {
  // The row of the node's own op: the table guarantees it, a union of rows cannot say it.
  const row = opDefinition(node.op) as OpDefinition<OpName>;
  return row.evaluate(node.inputs.map(read), node.attributes as OpAttributes[OpName], context);
}

function store(node: Node, results: readonly NdArray[], values: Map<Value, NdArray>): void {
  for (const [index, output] of node.outputs.entries()) values.set(output, results[index] as NdArray);
}

function lookup(value: Value, values: ReadonlyMap<Value, NdArray>): NdArray {
  const found = values.get(value);
  if (found === undefined)
    throw new Error(`value ${value.node.id}.${value.index} (${value.node.op} at ${value.node.path}) is used before it is made`);
  return found;
}

/** For each node, the values that nothing after it needs. */
function findLastUses(graph: Graph): ReadonlyMap<Node, readonly Value[]> {
  const seen = new Set<Value>(graph.outputs.map((output) => output.value));
  const lastUses = new Map<Node, Value[]>();
  for (const node of graph.nodes.toReversed()) {
    const captures = node.op === "scan" ? node.attributes.body.captures : [];
    const freed = [...node.outputs, ...node.inputs, ...captures].filter((value) => !seen.has(value));
    for (const value of freed) seen.add(value);
    lastUses.set(node, freed);
  }
  return lastUses;
}

function noRandom(): never {
  throw new Error("random ops stand in initialisers only");
}
