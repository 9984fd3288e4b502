import { interpret } from "../../compiler/ir/interpreter.ts";
import { fullArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { StepGraph } from "../../compiler/training/step-graph.ts";
import { type Nested, nested } from "./evaluate.ts";

/** The state after a step, and the outputs of the step, by name. */
export type Numbers = Readonly<Record<string, readonly number[]>>;

/**
 * Runs a graph in float64 once for each set of feeds, handing its state on; states without a value in `start` begin with what they say. Gives the state and
 * the outputs after each step.
 */
export function runGraph(
  build: (graph: StepGraph) => void,
  feeds: readonly Readonly<Record<string, Nested>>[],
  start: Readonly<Record<string, Nested>> = {},
): readonly Numbers[] {
  const building = new StepGraph();
  build(building);
  const { graph, state } = building.finish("test");
  let now = new Map(
    state.map(({ name, shape, initial }) => {
      const given = start[name];
      return [name, given !== undefined ? nested(given) : fullArray(shape, typeof initial === "number" ? initial : 0)];
    }),
  );
  return feeds.map((fed) => {
    const given = new Map([...now, ...Object.entries(fed).map(([name, value]) => [name, nested(value)] as const)]);
    const inputs = new Map(graph.inputs.map(({ name }) => [name, given.get(name) as NdArray]));
    const results = interpret(graph, { inputs, params: new Map() });
    now = new Map([...now].map(([name, value]) => [name, results.get(`next/${name}`) ?? value]));
    const reported = [...results].filter(([name]) => !name.startsWith("next/"));
    return Object.fromEntries([...now, ...reported].map(([name, { data }]) => [name, [...data]]));
  });
}
