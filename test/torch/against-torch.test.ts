import { beforeAll, describe, expect, test } from "vitest";
import type { NdArray } from "../../compiler/ir/ndarray.ts";
import { runOnnx } from "../ops/run-onnx.ts";
import { buildLibrary, type Library, randomWeights, tensor, type Weights } from "../std/build-library.ts";
import { type Answer, askTorch, type Request, relativeDifference, type Typed } from "./ask-torch.ts";
import type { Comparison } from "./comparison.ts";
import { layerCases } from "./layer-cases.ts";
import { lossCases } from "./loss-cases.ts";

/** A comparison with the plec side built and all values chosen. */
interface Prepared {
  readonly comparison: Comparison;
  readonly library: Library<string>;
  readonly weights: Weights;
  readonly request: Request;
}

function prepare(module: Request["module"], comparison: Comparison): Prepared {
  const { head, plec, torch, settings = {} } = comparison;
  const declared = Object.keys(comparison.inputs);
  const outputs: Readonly<Record<string, string>> = typeof plec === "string" ? { result: plec } : plec;
  const library = buildLibrary({ imports: head ?? "", inputs: declared, outputs });
  const weights = randomWeights(library);
  const inputs = new Map(Object.entries(comparison.inputs).map(([declaration, array]) => [nameOf(declaration), typed(declaration, array)]));
  return {
    comparison,
    library,
    weights,
    request: { module, function: torch, inputs, weights: weights.values, settings, wrt: [], seeds: new Map() },
  };
}

const nameOf = (declaration: string): string => declaration.slice(0, declaration.indexOf(":"));

function typed(declaration: string, array: NdArray): Typed {
  const base = /: (f32|i32|bool|id)\[/.exec(declaration)?.[1];
  return { ...array, dtype: base === "id" || base === "i32" ? "i32" : base === "bool" ? "bool" : "f32" };
}

const prepared = [
  ...lossCases.map((comparison) => prepare("losses", comparison)),
  ...layerCases.map((comparison) => prepare("layers", comparison)),
];

let answers: readonly Answer[] = [];
beforeAll(() => {
  answers = askTorch(prepared.map(({ request }) => request));
}, 300_000);

describe.each(prepared.map((one, i) => ({ name: one.comparison.name, one, i })))("$name", ({ one, i }) => {
  const { library, weights, request, comparison } = one;

  /** What torch says, by the names of our outputs. */
  const expected = (): ReadonlyMap<string, NdArray> =>
    new Map(
      [...(answers[i]?.outputs ?? [])].map(([name, array]) => {
        if (name !== comparison.penalty) return [name, array];
        const [penalty] = library.penalties;
        return [penalty ?? name, array];
      }),
    );

  test("the interpreter, in float64", () => {
    const found = library.run(Object.fromEntries(request.inputs), weights);
    for (const [name, wanted] of expected()) expect(relativeDifference(found[name] as NdArray, wanted), name).toBeLessThan(1e-9);
    expect(expected().size).toBeGreaterThan(0);
  });

  test("ONNX Runtime, in float32", async () => {
    const batch = [...request.inputs.values()][0]?.shape[0] ?? 1;
    const inputs = new Map<string, NdArray>([...request.inputs, ["anchor", tensor([batch, 1], () => 1)]]);
    const found = await runOnnx(library.graph, inputs, weights.values);
    for (const [name, wanted] of expected())
      expect(relativeDifference(found.get(name) as NdArray, wanted), name).toBeLessThan(comparison.single ?? 1e-5);
  });
});
