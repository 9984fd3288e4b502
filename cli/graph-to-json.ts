import { type Dim, formatDim, SymbolicDim } from "../compiler/ir/dim.ts";
import type { Graph, GraphParam, Node, TensorType, Value } from "../compiler/ir/graph.ts";

export interface GraphJson {
  readonly parameters: readonly object[];
  readonly nodes: readonly object[];
  readonly results: readonly object[];
}

/** A graph as plain data: values are named `%0`, `%1`, ... in order of the nodes; loop bodies stand in the attributes of their scans. */
export function graphToJson(graph: Graph): GraphJson {
  const names = new Map<Value, string>();
  const nameOf = (value: Value): string => {
    const name = names.get(value) ?? `%${names.size}`;
    names.set(value, name);
    return name;
  };
  const nodeToJson = (node: Node): object => {
    const inputs = node.inputs.map(nameOf);
    const attributes = node.op === "scan" ? scanToJson(node.attributes) : plain(node.attributes);
    return {
      op: node.op,
      path: node.path,
      inputs,
      outputs: node.outputs.map((value) => ({ name: nameOf(value), ...typeToJson(value.type) })),
      attributes,
    };
  };
  const scanToJson = ({ axis, states, body }: Extract<Node, { op: "scan" }>["attributes"]): object => {
    const inputs = body.inputs.map((value) => ({ name: nameOf(value), ...typeToJson(value.type) }));
    const listed = new Set(body.inputs.map((value) => value.node));
    const nodes = body.nodes.filter((node) => !listed.has(node)).map(nodeToJson);
    return { axis, states, body: { inputs, nodes, results: body.results.map(nameOf) } };
  };
  const nodes = graph.nodes.map(nodeToJson);
  return {
    parameters: graph.params.map(paramToJson),
    nodes,
    results: graph.outputs.map(({ name, value, doc }) => ({ name, value: nameOf(value), ...typeToJson(value.type), doc })),
  };
}

function paramToJson({ name, value, decay, frozen, tag }: GraphParam): object {
  return { name, ...typeToJson(value.type), decay, frozen, tag };
}

const typeToJson = ({ dtype, shape }: TensorType) => ({ dtype, shape: shape.map(dimToJson) });

const dimToJson = (dim: Dim): number | string => (typeof dim === "number" ? dim : formatDim(dim));

/** Attributes with dims as text, and with numbers that JSON has no word for (`Infinity`) as text. */
function plain(value: unknown): unknown {
  if (value instanceof SymbolicDim) return formatDim(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : String(value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
  return value;
}
