import { beforeAll, describe, expect, test } from "vitest";
import { interpret } from "../../compiler/ir/interpreter.ts";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { drawSeeds, gradientGraph, gradientOf, seedName } from "../autodiff/gradient-graph.ts";
import { runOnnx } from "../ops/run-onnx.ts";
import { buildLibrary, type Library, randomWeights, tensor, type Weights } from "../std/build-library.ts";
import { type Answer, askTorch, type Request, relativeDifference, type Typed } from "./ask-torch.ts";
import type { Comparison } from "./comparison.ts";
import { expertCases } from "./expert-cases.ts";
import { layerCases } from "./layer-cases.ts";
import { lossCases } from "./loss-cases.ts";

/** A comparison with the plec side built and computed, and all values chosen. */
interface Prepared {
  readonly name: string;
  readonly single: number;
  readonly library: Library<string>;
  /** By the names of the graph, with what the library's frame takes. */
  readonly inputs: ReadonlyMap<string, NdArray>;
  readonly weights: Weights;
  /** What the interpreter computes. */
  readonly found: ReadonlyMap<string, NdArray>;
  readonly request: Request;
}

function prepare(module: Request["module"], comparison: Comparison): Prepared {
  const { name, head, plec, penalties = [], torch, settings = {}, single = 1e-5 } = comparison;
  const outputs: Readonly<Record<string, string>> = typeof plec === "string" ? { result: plec } : plec;
  const library = buildLibrary({ imports: head ?? "", inputs: Object.keys(comparison.inputs), outputs });
  const weights = randomWeights(library);
  const given = new Map(Object.entries(comparison.inputs).map(([declaration, array]) => [nameOf(declaration), typed(declaration, array)]));
  const batch = [...given.values()][0]?.shape[0] ?? 1;
  const inputs = new Map<string, NdArray>([...given, ["anchor", tensor([batch, 1], () => 1)]]);
  const results = interpret(library.graph, { inputs, params: weights.values });
  const found = new Map([...results].filter(([output]) => output in outputs || penalties.includes(output)));
  if (found.size < Object.keys(outputs).length + penalties.length) throw new Error(`${name} has the outputs ${[...results.keys()]}`);
  const wrt = [...(comparison.wrt ?? []), ...weights.values.keys()];
  const request = { module, function: torch, inputs: given, weights: weights.values, settings, wrt, seeds: drawSeeds(found) };
  return { name, single, library, inputs, weights, found, request };
}

const nameOf = (declaration: string): string => declaration.slice(0, declaration.indexOf(":"));

function typed(declaration: string, array: NdArray): Typed {
  const base = /: (f32|i32|bool|id)\[/.exec(declaration)?.[1];
  return { ...array, dtype: base === "id" || base === "i32" ? "i32" : base === "bool" ? "bool" : "f32" };
}

const prepared = [
  ...lossCases.map((comparison) => prepare("losses", comparison)),
  ...layerCases.map((comparison) => prepare("layers", comparison)),
  ...expertCases.map((comparison) => prepare("experts", comparison)),
];

let answers: readonly Answer[] = [];
beforeAll(() => {
  answers = askTorch(prepared.map(({ request }) => request));
});

describe.each(prepared)("$name", ({ name, single, library, inputs, weights, found, request }) => {
  const answer = (): Answer => answers[prepared.findIndex((one) => one.name === name)] as Answer;

  test("the interpreter, in float64", () => {
    expect([...answer().outputs.keys()].sort()).toEqual([...found.keys()].sort());
    for (const [output, wanted] of answer().outputs)
      expect(relativeDifference(found.get(output) as NdArray, wanted), output).toBeLessThan(1e-9);
  });

  test("ONNX Runtime, in float32", async () => {
    const results = await runOnnx(library.graph, inputs, weights.values);
    for (const [output, wanted] of answer().outputs)
      expect(relativeDifference(results.get(output) as NdArray, wanted), output).toBeLessThan(single);
  });

  test("its gradient", () => {
    const graph = gradientGraph(library.graph, [...found.keys()], request.wrt);
    const seeds = new Map([...request.seeds].map(([output, seed]) => [seedName(output), seed]));
    const gradients = interpret(graph, { inputs: new Map([...inputs, ...seeds]), params: weights.values });
    expect(request.wrt).not.toEqual([]);
    expect([...answer().gradients.keys()].sort()).toEqual([...request.wrt].sort());
    for (const [leaf, wanted] of answer().gradients)
      expect(relativeDifference(gradientOf(gradients, leaf, wanted), wanted), leaf).toBeLessThan(1e-6);
  });
});

test("names are told apart", () => expect(new Set(prepared.map(({ name }) => name)).size).toBe(prepared.length));
