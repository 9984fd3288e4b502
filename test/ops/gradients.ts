import { differentiate } from "../../compiler/autodiff/differentiate.ts";
import { Algebra } from "../../compiler/ir/algebra.ts";
import { GraphBuilder } from "../../compiler/ir/builder.ts";
import type { Graph, Node, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray, sizeOf } from "../../compiler/ir/ndarray.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { randomStream } from "../../compiler/weights.ts";

const origin = { path: "gradient test", span: null };

/** A graph, and beside its outputs the gradient of the sum of all of them, each weighed by fixed random numbers, by some of its values. */
export interface WithGradient {
  readonly graph: Graph;
  /** Names of the outputs that hold the gradient by each of `wrt`, in order; null where nothing flows. */
  readonly gradients: readonly (string | null)[];
}

export const objective = "objective";

/** Adds the outputs `objective`, f32[], and `gradient 0`, ... */
export function withGradient(
  graph: Graph,
  wrt: readonly Value[],
  of: readonly Value[] = graph.outputs.map(({ value }) => value),
): WithGradient {
  const builder = GraphBuilder.continuing(graph.nodes);
  const g = new Algebra(builder, origin);
  const floats = of.filter(({ type }) => type.dtype === "f32");
  const total = floats.map((value) => weigh(g, value)).reduce((a, b) => g.add(a, b));
  const found = differentiate(builder, [{ value: total, cotangent: g.scalar(1) }], wrt);
  const gradients = found.map((value, i) => (value === null ? null : `gradient ${i}`));
  const outputs = [
    { name: objective, value: total, doc: null },
    ...found.flatMap((value, i) => (value === null ? [] : [{ name: `gradient ${i}`, value, doc: null }])),
  ];
  return { graph: prune({ ...graph, nodes: builder.nodes as readonly Node[], outputs }), gradients };
}

/** Σ x · w with w = sin of the position: no two entries count the same, whatever the shape. */
function weigh(g: Algebra, x: Value): Value {
  const axes = x.type.shape.map((_, axis) => axis);
  const weights = x.type.shape.reduce<Value>((sum, length, axis) => {
    const positions = g.op("arange", [], { length });
    const rank = x.type.shape.length - axis - 1;
    const scaled = g.mul(positions, 1.7 ** axis * 1.3);
    return g.add(sum, g.reshape(scaled, [length, ...new Array<number>(rank).fill(1)]));
  }, g.scalar(0.7));
  return g.sum(g.mul(x, g.sin(weights)), axes);
}

/** The derivative of the objective along a direction of the values named, by central differences in float64. */
export function numericSlope(
  graph: Graph,
  bind: (shift: (name: string, value: NdArray) => NdArray) => Parameters<typeof interpret>[1],
  directions: ReadonlyMap<string, NdArray>,
  step: number,
): number {
  const at = (by: number) => {
    const shift = (name: string, value: NdArray) => {
      const direction = directions.get(name);
      if (direction === undefined) return value;
      return makeArray(
        value.shape,
        value.data.map((x, i) => x + by * (direction.data[i] as number)),
      );
    };
    return (interpret(graph, bind(shift)).get(objective) as NdArray).data[0] as number;
  };
  // Richardson's extrapolation: the error falls with the fourth power of the step.
  const slope = (by: number) => (at(by) - at(-by)) / (2 * by);
  return (4 * slope(step / 2) - slope(step)) / 3;
}

export function randomDirection(shape: readonly number[], name: string): NdArray {
  const random = randomStream(11, `direction ${name}`);
  return makeArray(
    shape,
    Float64Array.from({ length: sizeOf(shape) }, () => 2 * random() - 1),
  );
}

export function dot(a: NdArray, b: NdArray): number {
  return a.data.reduce((sum, x, i) => sum + x * (b.data[i] as number), 0);
}
