import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError } from "../ops/op.ts";
import type { GraphBuilder, Origin } from "./builder.ts";
import { type Dim, SymbolicDim } from "./dim.ts";
import type { Body, Node, TensorType, Value } from "./graph.ts";

/** What stands for a dim in a copy. */
type DimMap = (dim: Dim) => Dim;

/**
 * Appends copies of nodes, loop bodies included, to the scope that is being built. `copies` says what stands for the values that the nodes read and
 * do not make (itself where it is silent), and takes up the copies.
 */
export function copyNodes(builder: GraphBuilder, nodes: readonly Node[], copies: Map<Value, Value>, dims?: DimMap): void {
  const standIn = (value: Value): Value => copies.get(value) ?? value;
  for (const node of nodes) {
    if (node.op === "body_input") continue;
    const attributes =
      node.op === "scan"
        ? { ...node.attributes, body: copyBody(builder, node.attributes.body, node, copies, dims) }
        : withDims(node.attributes, dims);
    const made = builder.add(node.op, node.inputs.map(standIn), attributes as OpAttributes[OpName], node);
    if (isShapeError(made)) throw new Error(`the copy of ${node.op} at ${node.path} does not fit its operands: ${made.message}`);
    for (const [index, output] of node.outputs.entries()) copies.set(output, made[index] as Value);
  }
}

/** A loop body of its own, for another loop that does the same. */
export function copyBody(builder: GraphBuilder, body: Body, origin: Origin, copies: Map<Value, Value> = new Map(), dims?: DimMap): Body {
  const types = body.inputs.map(({ type }): TensorType => (dims === undefined ? type : { ...type, shape: type.shape.map(dims) }));
  const copy = builder.body(types, origin, (inputs) => {
    for (const [position, value] of body.inputs.entries()) copies.set(value, inputs[position] as Value);
    copyNodes(builder, body.nodes, copies, dims);
    return body.results.map((value) => copies.get(value) ?? value);
  });
  if (copy === null) throw new Error("a copied body always has results");
  return copy;
}

/** Attributes whose symbolic dims are replaced, those in lists too. */
function withDims(attributes: object, dims: DimMap | undefined): object {
  if (dims === undefined) return attributes;
  const replaced = (value: unknown): unknown => {
    if (value instanceof SymbolicDim) return dims(value);
    return Array.isArray(value) && value.some((part) => part instanceof SymbolicDim) ? value.map(replaced) : value;
  };
  return Object.fromEntries(Object.entries(attributes).map(([name, value]: [string, unknown]) => [name, replaced(value)]));
}
