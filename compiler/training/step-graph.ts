import { GraphBuilder } from "../ir/builder.ts";
import type { Dim } from "../ir/dim.ts";
import type { DType, Graph, GraphInput, GraphOutput, Value } from "../ir/graph.ts";
import { dropUnreadInputs } from "../passes/select-outputs.ts";
import { simplify } from "../passes/simplify.ts";
import { Formula } from "./formula.ts";

/** A tensor that a step reads under its name and gives back, changed, as `next/` and the name. */
export interface StateEntry {
  readonly name: string;
  readonly shape: readonly number[];
  /** What it holds before the first step: a number everywhere, or the model's parameter of this name. */
  readonly initial: number | { readonly param: string };
}

/** A graph of a training step while it is built: inputs are made when they are first asked for. */
export class StepGraph {
  readonly builder = new GraphBuilder();
  readonly #inputs = new Map<string, GraphInput>();
  readonly #outputs: GraphOutput[] = [];
  readonly #state = new Map<string, StateEntry>();

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

  /** What a state becomes. */
  next(name: string, value: Value): void {
    if (!this.#state.has(name)) throw new Error(`${name} is no state`);
    this.output(`next/${name}`, value, null);
  }

  output(name: string, value: Value, doc: string | null): void {
    this.#outputs.push({ name, value, doc });
  }

  /** The graph, simplified, without what nothing reads. */
  finish(name: string): { readonly graph: Graph; readonly state: readonly StateEntry[] } {
    const inputs = [...this.#inputs.values()];
    const graph = dropUnreadInputs(simplify({ name, inputs, params: [], nodes: this.builder.nodes, outputs: this.#outputs }));
    const read = new Set(graph.inputs.map((input) => input.name));
    return { graph, state: [...this.#state.values()].filter((entry) => read.has(entry.name)) };
  }
}
