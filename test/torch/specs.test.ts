import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { type NdArray, sizeOf } from "../../compiler/ir/ndarray.ts";
import { drawSeeds, gradientGraph, gradientOf, seedName } from "../autodiff/gradient-graph.ts";
import { type Answer, askTorch, type Request, relativeDifference } from "./ask-torch.ts";
import { specCases } from "./spec-cases.ts";

const prepared = specCases.map((spec) => {
  const found = interpret(spec.graph, { inputs: spec.inputs, params: spec.weights });
  const floats = spec.graph.inputs.filter(({ name, value }) => value.type.dtype === "f32" && !name.startsWith("label/"));
  // The full spec's inputs go through clips, ranks and masks, at whose corners any slope is right.
  const wrt = [...(spec.module === "full" ? [] : floats.map(({ name }) => name)), ...spec.weights.keys()];
  const { module, inputs, weights } = spec;
  const request: Request = { module, function: spec.name, inputs, weights, settings: {}, wrt, seeds: drawSeeds(found) };
  return { ...spec, found, request };
});

let answers: ReadonlyMap<string, Answer> = new Map();
beforeAll(() => {
  const all = askTorch(prepared.map(({ request }) => request));
  answers = new Map(prepared.map(({ name }, i) => [name, all[i] as Answer]));
});

const table: string[] = [];
afterAll(() => console.log(["largest relative difference from PyTorch, in float64", ...table].join("\n")));

describe.each(prepared)("$name", ({ name, graph, inputs, weights, found, request }) => {
  test("logits and every term of the loss", () => {
    const outputs = answers.get(name)?.outputs ?? new Map<string, NdArray>();
    expect([...outputs.keys()].sort()).toEqual([...found.keys()].sort());
    const differences = [...outputs].map(([output, wanted]) => relativeDifference(found.get(output) as NdArray, wanted));
    table.push(`${name.padEnd(18)} ${outputs.size} outputs: ${Math.max(...differences).toExponential(1)}`);
    for (const [i, output] of [...outputs.keys()].entries()) expect(differences[i], output).toBeLessThan(1e-9);
  });

  test("the gradient by every weight and input", { timeout: 300_000 }, () => {
    const gradients = answers.get(name)?.gradients ?? new Map<string, NdArray>();
    const all = gradientGraph(graph, [...found.keys()], request.wrt);
    const seeds = [...request.seeds].map(([output, seed]) => [seedName(output), seed] as const);
    const ours = interpret(all, { inputs: new Map([...inputs, ...seeds]), params: weights });
    expect([...gradients.keys()].sort()).toEqual([...request.wrt].sort());
    // Some are 0 by nature, as that of a key's bias in attention, and here sums that cancel.
    const differences = [...gradients].map(([leaf, wanted]) => relativeDifference(gradientOf(ours, leaf, wanted), wanted, 1e-6));
    const numbers = [...gradients.values()].reduce((total, { shape }) => total + sizeOf(shape), 0);
    table.push(`${name.padEnd(18)} gradient by ${numbers} numbers: ${Math.max(...differences).toExponential(1)}`);
    for (const [i, leaf] of [...gradients.keys()].entries()) expect(differences[i], leaf).toBeLessThan(1e-7);
  });
});
