import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { isShapeError } from "../ops/op.ts";
import { inferTypes } from "../ops/table.ts";
import { findCaptures } from "./builder.ts";
import { dimsEqual, formatShape } from "./dim.ts";
import type { Body, Graph, Node, TensorType, Value } from "./graph.ts";

/** Throws when a graph breaks a rule of the IR: that is a bug of the pass that made it. */
export function verifyGraph(graph: Graph): void {
  const ids = new Set<number>();
  const defined = new Set<Value>();
  verifyNodes(graph.nodes, defined, ids);
  for (const kind of ["inputs", "params", "outputs"] as const) {
    for (const name of duplicates(graph[kind].map((item) => item.name))) fail(graph.name, `two ${kind} are called ${name}`);
  }
  for (const { name, value } of graph.outputs) if (!defined.has(value)) fail(graph.name, `output ${name} is no value of the graph`);
  verifyNamed(graph, "input", graph.inputs);
  verifyNamed(graph, "param", graph.params);
}

/** Inputs and params are the outputs of nodes that carry their names, and no such node is left out. */
function verifyNamed(graph: Graph, op: "input" | "param", items: readonly { readonly name: string; readonly value: Value }[]): void {
  const nodes = new Map<Node, string>(graph.nodes.flatMap((node) => (node.op === op ? [[node, node.attributes.name] as const] : [])));
  for (const { name, value } of items) if (nodes.get(value.node) !== name) fail(graph.name, `${op} ${name} has no node of its name`);
  const listed = new Set(items.map((item) => item.value.node));
  for (const [node, name] of nodes) if (!listed.has(node)) fail(graph.name, `the node ${node.id} of ${op} ${name} is not listed`);
}

function verifyNodes(nodes: readonly Node[], defined: Set<Value>, ids: Set<number>): void {
  for (const node of nodes) {
    if (ids.has(node.id)) fail(describe(node), "its id is not unique");
    ids.add(node.id);
    for (const value of node.inputs) {
      if (!defined.has(value)) fail(describe(node), `uses ${describe(value.node)}.${value.index}, which is not made before it`);
      if (value.node.id >= node.id) fail(describe(node), `has a smaller id than its operand ${describe(value.node)}`);
    }
    if (node.op === "scan") verifyBody(node, node.attributes.body, defined, ids);
    verifyTypes(node);
    for (const value of node.outputs) defined.add(value);
  }
}

function verifyTypes(node: Node): void {
  const operands = node.inputs.map((value) => value.type);
  const types = inferTypes<OpName>(node.op, operands, node.attributes as OpAttributes[OpName]);
  if (isShapeError(types)) fail(describe(node), `its operands do not fit: ${types.message}`);
  if (types.length !== node.outputs.length) fail(describe(node), `has ${node.outputs.length} outputs, not ${types.length}`);
  for (const [index, type] of types.entries()) {
    const output = node.outputs[index] as Value;
    if (output.node !== node || output.index !== index) fail(describe(node), `output ${index} says that it belongs elsewhere`);
    if (!sameType(type, output.type))
      fail(describe(node), `output ${index} is typed ${formatType(output.type)} and inferred as ${formatType(type)}`);
  }
}

function verifyBody(scan: Node, body: Body, enclosing: ReadonlySet<Value>, ids: Set<number>): void {
  const captures = findCaptures(body.nodes, body.results);
  const listed = new Set(body.captures);
  if (listed.size !== captures.length || captures.some((value) => !listed.has(value)))
    fail(describe(scan), "the captures of its body are not those listed");
  for (const value of captures)
    if (!enclosing.has(value)) fail(describe(scan), `its body captures ${describe(value.node)}, which is not made before it`);
  for (const [position, { node }] of body.inputs.entries()) {
    if (node.op !== "body_input" || node.attributes.position !== position)
      fail(describe(scan), `input ${position} of its body is ${describe(node)}`);
    if (!body.nodes.includes(node)) fail(describe(scan), `its body lacks the node of input ${position}`);
  }
  for (const node of body.nodes)
    if (node.op === "input" || node.op === "param") fail(describe(scan), `${describe(node)} stands in its body`);
  verifyNodes(body.nodes, new Set(enclosing), ids);
}

function duplicates(names: readonly string[]): readonly string[] {
  return names.filter((name, i) => names.indexOf(name) < i);
}

function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((dim, i) => dimsEqual(dim, b.shape[i] ?? -1));
}

function formatType({ dtype, shape }: TensorType): string {
  return `${dtype}${formatShape(shape)}`;
}

function describe(node: Node): string {
  return `${node.op} %${node.id} at ${node.path}`;
}

function fail(where: string, problem: string): never {
  throw new Error(`broken graph: ${where}: ${problem}`);
}
