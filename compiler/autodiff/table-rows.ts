import { symbolDim } from "../ir/dim.ts";
import type { Graph, GraphInput, GraphParam, Node, Value } from "../ir/graph.ts";
import { operandsOf } from "../ir/reachable.ts";
import type { OpAttributes, OpName } from "../ops/attributes.ts";
import { prune } from "../passes/prune.ts";
import { type Rewriter, rewriteGraph } from "../passes/rewrite.ts";

/** A table of which a step sees the rows of its batch alone. */
export interface RowTable {
  readonly param: GraphParam;
  /** The input that has the param's place: f32[U, ...], the distinct rows that the batch reads. */
  readonly rows: GraphInput;
  /** For each categorical input that picks rows of the table: the input that says which of the U rows that is, of the same shape. */
  readonly ids: readonly { readonly input: string; readonly places: GraphInput }[];
}

/** Ops that move ids about and change none. */
const moves: ReadonlySet<OpName> = new Set(["reshape", "slice", "transpose", "expand", "concat", "reverse"]);

/** By default a table with fewer rows stays a param: a batch reads most of them. */
const smallestTable = 4096;

/**
 * Takes large embedding tables out of a graph. A param that is only read by `gather` along axis 0, at ids that are categorical inputs, becomes an input of
 * the rows that a batch uses, and its ids become places among those rows. A gradient by `rows` is then dense over the U rows, whatever the length of the
 * table; whoever runs the graph takes the rows out of the table and puts them back.
 */
export function takeTableRows(
  graph: Graph,
  { smallest = smallestTable }: { readonly smallest?: number } = {},
): { readonly graph: Graph; readonly tables: readonly RowTable[] } {
  const inputs = new Map(graph.inputs.map((input) => [input.value.node, input]));
  const gathers = tableGathers(graph, inputs);
  const chosen = graph.params.filter(({ value }) => Number(value.type.shape[0]) >= smallest && gathers.has(value.node));
  if (chosen.length === 0) return { graph, tables: [] };

  const builders = new Map(chosen.map((param, i) => [param.name, new TableInputs(param, symbolDim(`U${i}`))]));
  const copy = rewriteGraph(graph, [
    (node, operands, rewriter) => {
      const [table, ids] = operands;
      if (node.op !== "gather" || table?.node.op !== "param" || ids === undefined) return null;
      const builder = builders.get(table.node.attributes.name);
      return builder === undefined
        ? null
        : [rewriter.add("gather", [builder.rows(rewriter), builder.places(ids, rewriter)], node.attributes)];
    },
  ]);
  const tables = [...builders.values()].map((builder) => builder.finish());
  const added = tables.flatMap(({ rows, ids }) => [rows, ...ids.map(({ places }) => places)]);
  return { graph: prune({ ...copy, inputs: [...copy.inputs, ...added] }), tables };
}

/** The nodes of params that are read as tables of categorical inputs and in no other way. */
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

/** The inputs that stand for one table. */
class TableInputs {
  readonly #param: GraphParam;
  readonly #length: ReturnType<typeof symbolDim>;
  #rows: GraphInput | null = null;
  readonly #places = new Map<string, GraphInput>();

  constructor(param: GraphParam, length: ReturnType<typeof symbolDim>) {
    this.#param = param;
    this.#length = length;
  }

  rows(rewriter: Rewriter): Value {
    const { name, value } = this.#param;
    this.#rows ??= makeInput(rewriter, `rows/${name}`, value, [this.#length, ...value.type.shape.slice(1)]);
    return this.#rows.value;
  }

  /** The same movements of the places as of the ids. */
  places(ids: Value, rewriter: Rewriter): Value {
    const { node } = ids;
    if (node.op !== "input") {
      const moved = node.inputs.map((operand) => this.places(operand, rewriter));
      return rewriter.add(node.op, moved, node.attributes as OpAttributes[OpName]);
    }
    const { name } = node.attributes;
    const before = this.#places.get(name);
    const places = before ?? makeInput(rewriter, `rows/${this.#param.name}/of/${name}`, ids, ids.type.shape);
    this.#places.set(name, places);
    return places.value;
  }

  finish(): RowTable {
    if (this.#rows === null) throw new Error(`nothing reads the table ${this.#param.name}`);
    return { param: this.#param, rows: this.#rows, ids: [...this.#places].map(([input, places]) => ({ input, places })) };
  }
}

function makeInput(rewriter: Rewriter, name: string, like: Value, shape: Value["type"]["shape"]): GraphInput {
  const value = rewriter.add("input", [], { name, dtype: like.type.dtype, shape });
  return { name, value, optional: false, fill: 0, vocabulary: null, doc: null };
}
