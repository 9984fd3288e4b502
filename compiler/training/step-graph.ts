import type { RowIds, RowTable } from "../autodiff/table-rows.ts";
import { GraphBuilder } from "../ir/builder.ts";
import { type Dim, symbolDim } from "../ir/dim.ts";
import type { DType, Graph, GraphInput, GraphOutput, GraphParam, Value } from "../ir/graph.ts";
import { rewriteGraph } from "../passes/rewrite.ts";
import { dropUnreadInputs } from "../passes/select-outputs.ts";
import { simplifications } from "../passes/simplify.ts";
import { sumOfProducts } from "../passes/sum-of-products.ts";
import { Formula } from "./formula.ts";

/** A tensor that a step reads under its name and gives back, changed, as `next/` and the name. */
export interface StateEntry {
  readonly name: string;
  readonly shape: readonly number[];
  /** What it holds before the first step: a number everywhere, or the model's parameter of this name. */
  readonly initial: number | { readonly param: string };
}

/** A table of which a graph takes and gives rows alone, under the names of the states that are as long as it. */
export interface StepTable {
  /** The parameter of the model. */
  readonly param: string;
  readonly states: readonly string[];
  /** Whose ids pick the rows; none in a graph that takes the rows that are waiting. */
  readonly ids: readonly RowIds[];
}

/** A graph of a training step while it is built: inputs are made when they are first asked for. */
export class StepGraph {
  readonly builder = new GraphBuilder();
  readonly #inputs = new Map<string, GraphInput>();
  readonly #outputs: GraphOutput[] = [];
  readonly #state = new Map<string, StateEntry>();
  readonly #tables = new Map<string, { readonly states: Set<string>; readonly length: Dim; ids: readonly RowIds[] }>();

  formula(path: string): Formula {
    return new Formula(this.builder, path);
  }

  input(name: string, shape: readonly Dim[], dtype: DType = "f32"): Value {
    const before = this.#inputs.get(name);
    if (before !== undefined) return before.value;
    const value = this.formula(name).op("input", [], { name, dtype, shape });
    this.adopt({ name, value, optional: false, fill: 0, vocabulary: null, doc: null });
    return value;
  }

  /** Takes over an input that a copied graph has. */
  adopt(input: GraphInput): void {
    this.#inputs.set(input.name, input);
  }

  /** An input that the graph may change. */
  state(entry: StateEntry): Value {
    this.#state.set(entry.name, entry);
    return this.input(entry.name, entry.shape);
  }

  /** The rows, f32[U, ...], of a state that is as long as a table. */
  rowsOf({ name, value }: GraphParam, entry: Omit<StateEntry, "shape">): Value {
    const [count, ...rest] = value.type.shape as readonly [number, ...number[]];
    const table = this.#tables.get(name) ?? { states: new Set(), length: symbolDim(`U${this.#tables.size}`), ids: [] };
    this.#tables.set(name, table);
    table.states.add(entry.name);
    this.#state.set(entry.name, { ...entry, shape: [count, ...rest] });
    return this.input(entry.name, [table.length, ...rest]);
  }

  /** Says which inputs pick the rows of the tables. */
  pickRows(tables: readonly RowTable[]): void {
    for (const { param, ids } of tables) {
      const table = this.#tables.get(param.name);
      if (table !== undefined) table.ids = ids;
    }
  }

  /** What a state becomes. */
  next(name: string, value: Value): void {
    if (!this.#state.has(name)) throw new Error(`${name} is no state`);
    this.output(`next/${name}`, value, null);
  }

  output(name: string, value: Value, doc: string | null): void {
    this.#outputs.push({ name, value, doc });
  }

  /** The graph, simplified, without what nothing reads. */
  finish(name: string): { readonly graph: Graph; readonly state: readonly StateEntry[]; readonly tables: readonly StepTable[] } {
    const inputs = [...this.#inputs.values()];
    const built = { name, inputs, params: [], nodes: this.builder.nodes, outputs: this.#outputs };
    const graph = dropUnreadInputs(rewriteGraph(built, [...simplifications, sumOfProducts]));
    const read = new Set(graph.inputs.map((input) => input.name));
    const tables = [...this.#tables].map(([param, { states, ids }]) => ({
      param,
      states: [...states].filter((state) => read.has(state)),
      ids,
    }));
    return { graph, state: [...this.#state.values()].filter((entry) => read.has(entry.name)), tables };
  }
}
