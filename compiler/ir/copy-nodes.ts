import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError } from "../ops/op.ts";
import type { GraphBuilder, Origin } from "./builder.ts";
import type { Body, Node, Value } from "./graph.ts";

/**
 * Appends copies of nodes, loop bodies included, to the scope that is being built. `copies` says what stands for the values that the nodes read and
 * do not make (itself where it is silent), and takes up the copies.
 */
export function copyNodes(builder: GraphBuilder, nodes: readonly Node[], copies: Map<Value, Value>): void {
  const standIn = (value: Value): Value => copies.get(value) ?? value;
  for (const node of nodes) {
    if (node.op === "body_input") continue;
    const attributes =
      node.op === "scan" ? { ...node.attributes, body: copyBody(builder, node.attributes.body, node, copies) } : node.attributes;
    const made = builder.add(node.op, node.inputs.map(standIn), attributes as OpAttributes[OpName], node);
    if (isShapeError(made)) throw new Error(`the copy of ${node.op} at ${node.path} does not fit its operands: ${made.message}`);
    for (const [index, output] of node.outputs.entries()) copies.set(output, made[index] as Value);
  }
}

/** A loop body of its own, for another loop that does the same. */
export function copyBody(builder: GraphBuilder, body: Body, origin: Origin, copies: Map<Value, Value> = new Map()): Body {
  const types = body.inputs.map((value) => value.type);
  const copy = builder.body(types, origin, (inputs) => {
    for (const [position, value] of body.inputs.entries()) copies.set(value, inputs[position] as Value);
    copyNodes(builder, body.nodes, copies);
    return body.results.map((value) => copies.get(value) ?? value);
  });
  if (copy === null) throw new Error("a copied body always has results");
  return copy;
}
