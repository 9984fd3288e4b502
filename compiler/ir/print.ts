import { formatDim, formatShape, SymbolicDim } from "./dim.ts";
import type { Graph, GraphInput, GraphParam, Node, TensorType, Value } from "./graph.ts";

/** Values of a constant beyond this many are not written out. */
const shownValues = 8;

/** The text form of a graph, for reading: values numbered in order, loop bodies indented under their scans, source paths at the right. */
export function printGraph(graph: Graph): string {
  const names = new Names();
  const lines = [`graph ${graph.name}`, ""];
  for (const input of graph.inputs)
    lines.push(`input  ${names.of(input.value)} ${input.name}: ${formatType(input.value.type)}${inputNotes(input)}`);
  for (const param of graph.params)
    lines.push(`param  ${names.of(param.value)} ${param.name}: ${formatType(param.value.type)}${paramNotes(param)}`);
  lines.push("");
  const listed = new Set([...graph.inputs, ...graph.params].map((item) => item.value.node));
  for (const node of graph.nodes) if (!listed.has(node)) lines.push(...printNode(node, names, ""));
  lines.push("");
  for (const { name, value } of graph.outputs) lines.push(`output ${name} = ${names.of(value)}: ${formatType(value.type)}`);
  return `${lines.join("\n")}\n`;
}

class Names {
  readonly #names = new Map<Value, string>();

  of(value: Value): string {
    const before = this.#names.get(value);
    if (before !== undefined) return before;
    const name = `%${this.#names.size}`;
    this.#names.set(value, name);
    return name;
  }
}

function printNode(node: Node, names: Names, indent: string): readonly string[] {
  const operands = node.inputs.map((value) => names.of(value)).join(", ");
  if (node.op === "scan") return printScan(node, operands, names, indent);
  const attributes = Object.entries(node.attributes).flatMap(([key, value]) =>
    key === "dtype" ? [] : [`${key}: ${formatAttribute(value)}`],
  );
  const [result] = node.outputs as readonly [Value];
  const argumentList = [operands, ...attributes].filter((text) => text !== "").join(", ");
  return [`${indent}${names.of(result)} = ${node.op}(${argumentList}): ${formatType(result.type)}${at(node)}`];
}

function printScan(node: Extract<Node, { readonly op: "scan" }>, operands: string, names: Names, indent: string): readonly string[] {
  const { axis, states, final = 0, backward = false, body } = node.attributes;
  const inner = `${indent}  `;
  const taken = body.inputs.map((value) => `${names.of(value)}: ${formatType(value.type)}`).join(", ");
  const nodes = body.nodes.filter((own) => own.op !== "body_input").flatMap((own) => printNode(own, names, inner));
  const results = node.outputs.map((value) => names.of(value)).join(", ");
  const types = node.outputs.map((value) => formatType(value.type)).join(", ");
  return [
    `${indent}${results} = scan(${operands}, axis: ${axis}, states: ${states}${final === 0 ? "" : `, final: ${final}`}${backward ? ", backward: true" : ""}): ${types} (${taken}) => {${at(node)}`,
    ...nodes,
    `${inner}next ${body.results.map((value) => names.of(value)).join(", ")}`,
    `${indent}}`,
  ];
}

function at(node: Node): string {
  return node.path === "" ? "" : `  // ${node.path}`;
}

function formatType({ dtype, shape }: TensorType): string {
  return `${dtype}${formatShape(shape)}`;
}

function formatAttribute(value: unknown): string {
  if (value instanceof SymbolicDim) return formatDim(value);
  if (!Array.isArray(value)) return String(value);
  const shown = value.length > shownValues ? value.slice(0, shownValues) : value;
  return `[${shown.map(formatAttribute).join(", ")}${value.length > shownValues ? `, .. ${value.length} values` : ""}]`;
}

function inputNotes({ optional, fill, vocabulary }: GraphInput): string {
  return `${vocabulary === null ? "" : ` of ${vocabulary}`}${optional ? `, ${fill} when absent` : ""}`;
}

function paramNotes({ decay, frozen, tag }: GraphParam): string {
  return `${decay ? ", decay" : ""}${frozen ? ", frozen" : ""}${tag === null ? "" : `, tag ${tag}`}`;
}
