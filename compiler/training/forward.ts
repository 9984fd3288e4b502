import { TableRows } from "../autodiff/table-rows.ts";
import { tileRecurrence } from "../autodiff/tile-recurrences.ts";
import type { GraphParam, Value } from "../ir/graph.ts";
import type { CheckedModel } from "../model.ts";
import { type AbsentInputs, copyWithoutAbsent } from "../passes/fold-absent.ts";
import { copyGraph } from "../passes/rewrite.ts";
import { DropoutMasks } from "./dropout.ts";
import type { StepGraph } from "./step-graph.ts";

/** The model's losses and penalties within a step. */
export interface Forward {
  /** The copy of a value of the model. */
  readonly copyOf: (value: Value) => Value;
  /** Parameters that the losses and penalties read, with the inputs that hold them. */
  readonly params: readonly { readonly param: GraphParam; readonly value: Value }[];
}

/** The state that holds a parameter of the model. */
export function stateOfParam(name: string): string {
  return `param/${name}`;
}

export interface ForwardOptions {
  readonly dropout: boolean;
  /** Of these the step sees the rows of the batch alone. */
  readonly tables?: readonly GraphParam[];
  /** Inputs of ids are fed all the same: they pick rows of tables. */
  readonly absent?: AbsentInputs | null;
}

/** Copies what training minimises into a step: parameters become inputs, dropout draws its masks, and what only absent inputs reach is folded. */
export function buildForward(
  { training }: Pick<CheckedModel, "training">,
  graph: StepGraph,
  { dropout, tables = [], absent = null }: ForwardOptions,
): Forward {
  const present =
    absent === null || absent.names.size === 0 ? { graph: training, copyOf: (value: Value) => value } : copyWithoutAbsent(training, absent);
  const f = graph.formula("dropout");
  const masks = new DropoutMasks(f, () => ({ seed: graph.input("train/seed", []), step: graph.input("train/step", []) }));
  const shapes = new Map(training.params.map(({ name, value }) => [name, value.type.shape as readonly number[]]));
  const rowsOf = new Map(
    tables.map((param) => [param.name, graph.rowsOf(param, { name: stateOfParam(param.name), initial: { param: param.name } })]),
  );
  const taken = new TableRows(tables, {
    rows: ({ name }) => rowsOf.get(name) as Value,
    places: (name, { type }) => graph.input(name, type.shape, type.dtype),
  });
  const copyOfPresent = copyGraph(present.graph, graph.builder, [
    taken.rule,
    (node, [x]) => {
      if (node.op === "param") {
        const { name } = node.attributes;
        if (rowsOf.has(name)) return null;
        return [graph.state({ name: stateOfParam(name), shape: shapes.get(name) ?? [], initial: { param: name } })];
      }
      // The step has an input of its own for the epoch, whether the model reads it or not.
      if (node.op === "input" && node.attributes.name === "train/epoch") return [graph.input("train/epoch", [])];
      if (node.op !== "dropout" || x === undefined) return null;
      return [dropout ? masks.apply(x, node.attributes.rate) : x];
    },
    tileRecurrence,
  ]);
  for (const input of present.graph.inputs) graph.adopt({ ...input, value: copyOfPresent(input.value) });
  graph.pickRows(taken.tables());
  const copyOf = (value: Value) => copyOfPresent(present.copyOf(value));
  return { copyOf, params: training.params.map((param) => ({ param, value: rowsOf.get(param.name) ?? copyOf(param.value) })) };
}
