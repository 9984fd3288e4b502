import type { Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import type { Formula } from "../../compiler/training/formula.ts";
import { StepGraph } from "../../compiler/training/step-graph.ts";

/** Numbers, nested for more axes. */
export type Nested = number | readonly Nested[];

export function nested(value: Nested): NdArray {
  const shape: number[] = [];
  for (let at = value; typeof at !== "number"; at = at[0] as Nested) shape.push(at.length);
  return makeArray(shape, Float64Array.from(flatten(value)));
}

function flatten(value: Nested): readonly number[] {
  return typeof value === "number" ? [value] : value.flatMap(flatten);
}

/** Evaluates a formula over inputs of the given values, in float64. */
export function evaluate<Name extends string>(
  inputs: Readonly<Record<Name, Nested>>,
  build: (f: Formula, values: Readonly<Record<Name, Value>>) => Readonly<Record<string, Value>>,
): Readonly<Record<string, readonly number[]>> {
  const graph = new StepGraph();
  const arrays = new Map(Object.entries(inputs).map(([name, value]) => [name, nested(value as Nested)]));
  const values = Object.fromEntries([...arrays].map(([name, { shape }]) => [name, graph.input(name, shape)])) as Record<Name, Value>;
  for (const [name, value] of Object.entries(build(graph.formula("test"), values))) graph.output(`out/${name}`, value, null);
  const results = interpret(graph.finish("test").graph, { inputs: arrays, params: new Map() });
  return Object.fromEntries([...results].map(([name, { data }]) => [name.slice(4), [...data]]));
}
