import { type Dim, symbolDim } from "../ir/dim.ts";
import type { Graph, GraphInput, GraphParam, Node, TensorType, Value } from "../ir/graph.ts";
import { operandsOf } from "../ir/reachable.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { prune } from "../passes/prune.ts";
import { type Rewriter, type Rule, rewriteGraph } from "../passes/rewrite.ts";

/** A table of which a step sees the rows of its batch alone. */
export interface RowTable {
  readonly param: GraphParam;
  /** The input that has the param's place: f32[U, ...], the distinct rows that the batch reads. */
  readonly rows: Value;
  /** For each categorical input that picks rows of the table: the input that says which of the U rows that is, of the same shape. */
  readonly ids: readonly RowIds[];
}

export interface RowIds {
  readonly input: string;
  readonly places: string;
}

/** Ops that move ids about and change none. */
const moves: ReadonlySet<OpName> = new Set(["reshape", "slice", "transpose", "expand", "concat", "reverse"]);

/** By default a table with fewer rows stays a param: a batch reads most of them. */
export const smallestTable = 4096;
/** Row numbers up to here are exact in float32, in which state is kept. */
const largestTable = 2 ** 24;

/**
 * Takes large embedding tables out of a graph. A param that is only read by `gather` along axis 0, at ids that are categorical inputs, becomes an input of
 * the rows that a batch uses, and its ids become places among those rows. A gradient by `rows` is then dense over the U rows, whatever the length of the
 * table; whoever runs the graph takes the rows out of the table and puts them back.
 */
export function takeTableRows(
  graph: Graph,
  { smallest = smallestTable }: { readonly smallest?: number } = {},
): { readonly graph: Graph; readonly tables: readonly RowTable[] } {
  const chosen = rowTables(graph, smallest);
  if (chosen.length === 0) return { graph, tables: [] };
  const added: { readonly name: string; readonly value: Value }[] = [];
  const add = (rewriter: Rewriter, name: string, { dtype }: TensorType, shape: readonly Dim[]): Value => {
    const value = rewriter.add("input", [], { name, dtype, shape });
    added.push({ name, value });
    return value;
  };
  const taken = new TableRows(chosen, {
    rows: (param, rewriter) =>
      add(rewriter, `rows/${param.name}`, param.value.type, [symbolDim(`U${chosen.indexOf(param)}`), ...param.value.type.shape.slice(1)]),
    places: (name, { type }, rewriter) => add(rewriter, name, type, type.shape),
  });
  const copy = rewriteGraph(graph, [taken.rule]);
  const inputs = added.map(({ name, value }): GraphInput => ({ name, value, optional: false, fill: 0, vocabulary: null, doc: null }));
  return { graph: prune({ ...copy, inputs: [...copy.inputs, ...inputs] }), tables: taken.tables() };
}

/** The params with at least so many rows, and not too many to count, that are read as tables of categorical inputs and in no other way. */
export function rowTables(graph: Graph, smallest = smallestTable): readonly GraphParam[] {
  const gathers = tableGathers(graph, new Map(graph.inputs.map((input) => [input.value.node, input])));
  return graph.params.filter(({ value }) => {
    const rows = Number(value.type.shape[0]);
    return rows >= smallest && rows <= largestTable && gathers.has(value.node);
  });
}

/** Makes the inputs that stand for tables, each once. */
export interface TableInputs {
  /** The rows of a batch. */
  rows(param: GraphParam, rewriter: Rewriter): Value;
  /** Where the rows of some ids stand among them. */
  places(name: string, ids: Value, rewriter: Rewriter): Value;
}

/** A rule that replaces tables by the rows of a batch while a graph is copied, and what it made of each. */
export class TableRows {
  readonly #taken: ReadonlyMap<string, TakenTable>;

  constructor(params: readonly GraphParam[], inputs: TableInputs) {
    this.#taken = new Map(params.map((param) => [param.name, new TakenTable(param, inputs)]));
  }

  readonly rule: Rule = (node, [table, ids], rewriter) => {
    if (node.op !== "gather" || table?.node.op !== "param" || ids === undefined) return null;
    const taken = this.#taken.get(table.node.attributes.name);
    return taken === undefined ? null : [rewriter.add("gather", [taken.rows(rewriter), taken.places(ids, rewriter)], node.attributes)];
  };

  tables(): readonly RowTable[] {
    return [...this.#taken.values()].map((table) => table.finish());
  }
}

function tableGathers(graph: Graph, inputs: ReadonlyMap<Node, GraphInput>): ReadonlySet<Node> {
  const isId = (value: Value): boolean => {
    const { node } = value;
    if (moves.has(node.op)) return node.inputs.every(isId);
    return inputs.get(node)?.vocabulary != null;
  };
  const tables = new Set<Node>();
  const others = new Set<Node>(graph.outputs.map(({ value }) => value.node));
  for (const node of graph.nodes) {
    for (const [i, { node: read }] of operandsOf(node).entries()) {
      if (read.op !== "param") continue;
      const isTable = node.op === "gather" && i === 0 && node.attributes.axis === 0 && isId(node.inputs[1] as Value);
      (isTable ? tables : others).add(read);
    }
  }
  for (const node of others) tables.delete(node);
  return tables;
}

class TakenTable {
  readonly #param: GraphParam;
  readonly #inputs: TableInputs;
  #rows: Value | null = null;
  readonly #places = new Map<string, Value>();

  constructor(param: GraphParam, inputs: TableInputs) {
    this.#param = param;
    this.#inputs = inputs;
  }

  rows(rewriter: Rewriter): Value {
    this.#rows ??= this.#inputs.rows(this.#param, rewriter);
    return this.#rows;
  }

  /** The same movements of the places as of the ids. */
  places(ids: Value, rewriter: Rewriter): Value {
    const { node } = ids;
    if (node.op !== "input") {
      const moved = node.inputs.map((operand) => this.places(operand, rewriter));
      return rewriter.add(node.op, moved, node.attributes as OpAttributes[OpName]);
    }
    const { name } = node.attributes;
    const places = this.#places.get(name) ?? this.#inputs.places(this.#nameOf(name), ids, rewriter);
    this.#places.set(name, places);
    return places;
  }

  finish(): RowTable {
    if (this.#rows === null) throw new Error(`nothing reads the table ${this.#param.name}`);
    const ids = [...this.#places.keys()].map((input) => ({ input, places: this.#nameOf(input) }));
    return { param: this.#param, rows: this.#rows, ids };
  }

  #nameOf(input: string): string {
    return `rows/${this.#param.name}/of/${input}`;
  }
}
