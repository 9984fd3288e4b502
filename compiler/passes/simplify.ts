import { shapesEqual } from "../ir/algebra.ts";
import { addDims, type Dim, dimsEqual, subtractDims } from "../ir/dim.ts";
import type { Graph, Node, Value } from "../ir/graph.ts";
import { evaluateNode } from "../ir/interpreter.ts";
import { makeArray, sizeOf } from "../ir/ndarray.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { elementwise } from "../ops/elementwise.ts";
import { isShapeError } from "../ops/op.ts";
import { provablyNonNegative } from "../ops/shape-rules.ts";
import { inferTypes } from "../ops/table.ts";
import { type Rewriter, type Rule, rewriteGraph } from "./rewrite.ts";

/** Folded constants hold at most this many values. */
const largestFolded = 256;

/** Clean-ups for the graph that predicts: no op is left that moves nothing, and dropout and gradient stops are gone. */
export function simplify(graph: Graph): Graph {
  return rewriteGraph(graph, simplifications);
}

/** dropout(x), stop_gradient(x) → x */
const inferenceOnly: Rule = (node, inputs) => (node.op === "dropout" || node.op === "stop_gradient" ? inputs : null);

/** Ops that give their operand back: reshape to the same shape, whole slices, a concat of one, ... */
const noEffect: Rule = (node, inputs) => {
  const [x] = inputs as readonly [Value];
  switch (node.op) {
    case "reshape":
    case "expand":
      return sameType(x, node) ? inputs : null;
    case "slice":
      return sameType(x, node) ? inputs : null;
    case "cast":
      return sameType(x, node) ? inputs : null;
    case "concat":
      return inputs.length === 1 ? inputs : null;
    case "transpose":
      return node.attributes.permutation.every((axis, i) => axis === i) ? inputs : null;
    case "reduce_sum":
    case "reduce_mean":
    case "reduce_max":
    case "reduce_min":
      return node.attributes.axes.length === 0 ? inputs : null;
    default:
      return null;
  }
};

/** x + 0, 0 + x, x - 0, x · 1, 1 · x, x / 1, x ^ 1 → x */
const neutralOperand: Rule = (node, inputs) => {
  const [a, b] = inputs as readonly [Value, Value];
  const keep = (kept: Value, other: Value, neutral: number) => (isEverywhere(other, neutral) && sameType(kept, node) ? [kept] : null);
  switch (node.op) {
    case "add":
      return keep(a, b, 0) ?? keep(b, a, 0);
    case "sub":
      return keep(a, b, 0);
    case "mul":
      return keep(a, b, 1) ?? keep(b, a, 1);
    case "div":
    case "pow":
      return keep(a, b, 1);
    default:
      return null;
  }
};

const reshapeOfReshape: Rule = (node, [x], rewriter) => {
  if (node.op !== "reshape" || x?.node.op !== "reshape") return null;
  return [rewriter.add("reshape", x.node.inputs, node.attributes)];
};

const transposeOfTranspose: Rule = (node, [x], rewriter) => {
  if (node.op !== "transpose" || x?.node.op !== "transpose") return null;
  const { permutation } = x.node.attributes;
  return [
    rewriter.add("transpose", x.node.inputs, { permutation: node.attributes.permutation.map((axis) => permutation[axis] as number) }),
  ];
};

/** x[a:b][c:d] → x[a + c : a + d] */
const sliceOfSlice: Rule = (node, [x], rewriter) => {
  if (node.op !== "slice" || x?.node.op !== "slice" || x.node.attributes.axis !== node.attributes.axis) return null;
  const { axis, start, stop } = node.attributes;
  const offset = x.node.attributes.start;
  return [rewriter.add("slice", x.node.inputs, { axis, start: addDims(offset, start), stop: addDims(offset, stop) })];
};

/** An elementwise op stretches its operands itself: f(expand(x), y) → f(x, y) where y gives the shape. */
const expandedOperand: Rule = (node, inputs, rewriter) => {
  if (inputs.length < 2 || !Object.hasOwn(elementwise, node.op)) return null;
  for (const [i, input] of inputs.entries()) {
    if (input.node.op !== "expand") continue;
    const operands = inputs.with(i, input.node.inputs[0] as Value);
    const types = inferTypes<OpName>(
      node.op,
      operands.map(({ type }) => type),
      node.attributes as OpAttributes[OpName],
    );
    const [type] = isShapeError(types) ? [] : types;
    if (type !== undefined && shapesEqual(type.shape, (node.outputs[0] as Value).type.shape))
      return [rewriter.add<OpName>(node.op, operands, node.attributes as OpAttributes[OpName])];
  }
  return null;
};

/** A slice that lies within one part of a concat is a slice of that part. */
const sliceOfConcat: Rule = (node, [x], rewriter) => {
  if (node.op !== "slice" || x?.node.op !== "concat" || x.node.attributes.axis !== node.attributes.axis) return null;
  const { axis, start, stop } = node.attributes;
  let offset: Dim = 0;
  for (const part of x.node.inputs) {
    const end: Dim = addDims(offset, part.type.shape[axis] as Dim);
    if (provablyNonNegative(subtractDims(start, offset)) && provablyNonNegative(subtractDims(end, stop))) {
      return [rewriter.add("slice", [part], { axis, start: subtractDims(start, offset), stop: subtractDims(stop, offset) })];
    }
    offset = end;
  }
  return null;
};

/** Ops on constants alone, where the result is small. */
const foldConstants: Rule = (node, inputs, rewriter) => {
  if (inputs.length === 0 || !inputs.every((input) => input.node.op === "constant")) return null;
  const [output, ...others] = node.outputs as readonly [Value, ...Value[]];
  const { dtype, shape } = output.type;
  const isStatic = shape.every((dim) => typeof dim === "number");
  if (others.length > 0 || node.op === "scan" || !isStatic || sizeOf(shape as readonly number[]) > largestFolded) return null;
  const context = { symbols: new Map<string, number>(), runBody: neverRun, random: neverRun };
  const [result] = evaluateNode(node, constantArray, context);
  if (result === undefined || !result.data.every(Number.isFinite)) return null;
  return [constant(rewriter, dtype, result.shape, [...result.data])];
};

/** The rules of `simplify` that hold while a model is trained, too. */
export const equalities: readonly Rule[] = [
  noEffect,
  neutralOperand,
  reshapeOfReshape,
  transposeOfTranspose,
  sliceOfSlice,
  sliceOfConcat,
  expandedOperand,
  foldConstants,
];

/** The rules of `simplify`, for passes that add rules of their own. */
export const simplifications: readonly Rule[] = [inferenceOnly, ...equalities];

function constant(rewriter: Rewriter, dtype: Value["type"]["dtype"], shape: readonly number[], data: readonly number[]): Value {
  return rewriter.add("constant", [], { dtype, shape, data });
}

function constantArray({ node }: Value) {
  if (node.op !== "constant") throw new Error(`${node.op} is no constant`);
  return makeArray(node.attributes.shape, Float64Array.from(node.attributes.data));
}

function neverRun(): never {
  throw new Error("constants need neither loops nor chance");
}

function isEverywhere({ node }: Value, value: number): boolean {
  if (node.op === "full") return node.attributes.value === value;
  return node.op === "constant" && node.attributes.data.every((element) => element === value);
}

function sameType({ type }: Value, node: Node): boolean {
  const result = (node.outputs[0] as Value).type;
  return (
    type.dtype === result.dtype &&
    type.shape.length === result.shape.length &&
    type.shape.every((dim, i) => dimsEqual(dim, result.shape[i] ?? -1))
  );
}
