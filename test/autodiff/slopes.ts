import { expect } from "vitest";
import { evaluateDim, symbolsOf } from "../../compiler/ir/dim.ts";
import type { Graph, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray, sizeOf } from "../../compiler/ir/ndarray.ts";
import { randomStream } from "../../compiler/weights.ts";
import { dot, numericSlope, objective, randomDirection, type WithGradient, withGradient } from "../ops/gradients.ts";
import { holdStopped } from "./stopped.ts";

/** A graph with its gradient by the params and then the f32 inputs, in their order. */
export type Differentiated = WithGradient;

export function differentiated(graph: Graph): Differentiated {
  const floats = graph.inputs.filter(({ value }) => value.type.dtype === "f32");
  return withGradient(
    graph,
    [...graph.params, ...floats].map(({ value }) => value),
  );
}

export interface Point {
  readonly inputs: ReadonlyMap<string, NdArray>;
  readonly params: ReadonlyMap<string, NdArray>;
}

export type Draw = (name: string, shape: readonly number[]) => NdArray;

/** Uniform between -scale and scale. */
export function noise(scale: number): Draw {
  return (name, shape) => {
    const random = randomStream(3, name);
    return makeArray(
      shape,
      Float64Array.from({ length: sizeOf(shape) }, () => scale * (2 * random() - 1)),
    );
  };
}

export function filled(value: number): Draw {
  return (_, shape) => makeArray(shape, new Float64Array(sizeOf(shape)).fill(value));
}

/** Values for everything: ids run through their vocabularies, what is called a mask is 1 where the draw is positive and 0 elsewhere. */
export function bindingsOf({ inputs, params }: Graph, rows: number, drawInput: Draw, drawParam: Draw): Point {
  const shapeOf = ({ type }: Value) =>
    type.shape.map((dim) => evaluateDim(dim, new Map(symbolsOf(dim).map((symbol) => [symbol, symbol === "B" ? rows : 4]))));
  return {
    inputs: new Map(
      inputs.map(({ name, value, vocabulary }) => {
        const shape = shapeOf(value);
        if (value.type.dtype !== "f32")
          return [
            name,
            makeArray(
              shape,
              Float64Array.from({ length: sizeOf(shape) }, (_, i) => i % (vocabulary ?? 2)),
            ),
          ];
        const drawn = drawInput(name, shape);
        return [
          name,
          isMask(name)
            ? makeArray(
                shape,
                drawn.data.map((x) => Number(x > 0)),
              )
            : drawn,
        ];
      }),
    ),
    params: new Map(params.map(({ name, value }) => [name, drawParam(name, shapeOf(value))])),
  };
}

function isMask(name: string): boolean {
  return name === "mask" || name.endsWith("_mask");
}

export function gradientsOf({ graph, gradients }: Differentiated, point: Point) {
  const results = interpret(graph, point);
  const wrt = [...graph.params, ...graph.inputs.filter(({ value }) => value.type.dtype === "f32")];
  return wrt.map(({ name }, i) => ({ name, gradient: results.get(gradients[i] ?? "") }));
}

/** Params and inputs are moved in so many groups. */
const groups = 6;

/**
 * The gradient against central differences in float64, along a random direction of everything together and of parts of it. What is stopped is held still.
 */
export function expectSlopes(subject: Differentiated, point: Point, parts: "together" | "in parts"): void {
  const { graph, held } = holdStopped(subject.graph, point);
  const alone = { ...graph, outputs: graph.outputs.filter(({ name }) => name === objective) };
  // Between 0 and 1 a mask has no meaning.
  const varied = gradientsOf(subject, point).filter(({ name }) => !isMask(name));
  const gradients = varied.map(({ name, gradient }) => {
    const { shape } = (point.params.get(name) ?? point.inputs.get(name)) as NdArray;
    const direction = randomDirection(shape, name);
    if (gradient !== undefined) expect(gradient.shape, name).toEqual(shape);
    return { name, direction, slope: gradient === undefined ? 0 : dot(gradient, direction) };
  });
  const bind = (shift: (name: string, value: NdArray) => NdArray) => ({
    inputs: new Map([...[...point.inputs].map(([name, value]) => [name, shift(name, value)] as const), ...held]),
    params: new Map([...point.params].map(([name, value]) => [name, shift(name, value)])),
  });
  const expectSlope = (moved: typeof gradients) => {
    const found = moved.reduce((sum, { slope }) => sum + slope, 0);
    const expected = numericSlope(alone, bind, new Map(moved.map(({ name, direction }) => [name, direction])), 1e-5);
    const difference = Math.abs(found - expected) / Math.max(0.1, Math.abs(expected));
    expect(difference, `${found}, and ${expected} by differences along ${moved.map(({ name }) => name).join(", ")}`).toBeLessThan(2e-6);
  };
  expectSlope(gradients);
  if (parts === "together") return;
  const count = Math.min(groups, gradients.length);
  for (let group = 0; group < count; group++) expectSlope(gradients.filter((_, i) => i % count === group));
}
