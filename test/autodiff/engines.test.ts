import { describe, expect, test } from "vitest";
import { tileRecurrence } from "../../compiler/autodiff/tile-recurrences.ts";
import { checkFile } from "../../compiler/driver.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { rewriteGraph } from "../../compiler/passes/rewrite.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { runOnnx } from "../ops/run-onnx.ts";
import { runTfjs } from "../ops/run-tfjs.ts";
import { graphOfCall, graphOfModel } from "./graphs.ts";
import { libraryCases } from "./library-cases.ts";
import { bindingsOf, type Draw, differentiated, noise } from "./slopes.ts";

const rows = 5;

/** Relative to the root mean square of an output, which float32 has seven digits of. */
function difference(found: NdArray | undefined, { data }: NdArray): number {
  if (found?.data.length !== data.length) return Number.POSITIVE_INFINITY;
  const scale = Math.max(Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length), 1e-3);
  let worst = 0;
  for (const [i, value] of data.entries()) {
    const own = Math.abs((found.data[i] as number) - value) / Math.max(scale, Math.abs(value));
    // Not `Math.max`, so that NaN counts.
    if (!(own <= worst)) worst = own;
  }
  return worst;
}

/** The same float32 numbers for all. */
function rounded(arrays: ReadonlyMap<string, NdArray>): ReadonlyMap<string, NdArray> {
  return new Map([...arrays].map(([name, { shape, data }]) => [name, makeArray(shape, data.map(Math.fround))]));
}

async function expectAgreement(graph: Graph, drawParam: Draw): Promise<void> {
  const gradient = simplify(prune(differentiated(graph).graph));
  const drawn = bindingsOf(gradient, rows, noise(1), drawParam);
  const [inputs, params] = [rounded(drawn.inputs), rounded(drawn.params)];
  const expected = interpret(gradient, { inputs, params });
  for (const [engine, results] of Object.entries({
    onnxruntime: await runOnnx(gradient, inputs, params),
    "tfjs wasm": await runTfjs(gradient, inputs, "wasm", params),
  })) {
    for (const [name, value] of expected) expect(difference(results.get(name), value), `${name} on ${engine}`).toBeLessThan(2e-4);
  }
}

const calls = [
  "UnifiedHGCN([h, k], m, ball: 6, hidden: 8, out: 4)",
  "PersLay(",
  "DeepFM(",
  "Causal(",
  "OptimalTransport(x, particles: 3, space: 4, prototypes: 3, atoms: 2, out: 4)",
  "TemporalEnsemble([s, t]",
  "Mamba2(",
  "embedding(",
  "info_nce(",
  `"likelihood", "wrong"`,
];

describe("gradients on every engine", () => {
  test.each(calls)("%s", { timeout: 60_000 }, async (text) => {
    const libraryCase = libraryCases.find(({ call }) => call.includes(text));
    if (libraryCase === undefined) throw new Error(`no case calls ${text}`);
    await expectAgreement(graphOfCall(libraryCase), noise(0.4));
  });

  test.each(["mmoe", "ple", "aitm", "esmm", "deepfm"])("specs/%s.ple", { timeout: 60_000 }, async (spec) => {
    const model = checkFile(`specs/${spec}.ple`).models[0];
    if (model === undefined) throw new Error(`specs/${spec}.ple does not check`);
    const initial = initialWeights({ params: model.parameters }, 3);
    const stirred: Draw = (name, shape) => {
      const { data } = noise(0.05)(name, shape);
      return { shape, data: data.map((x, i) => x + (initial.get(name)?.[i] ?? 0)) };
    };
    await expectAgreement(graphOfModel(model), stirred);
  });

  test("a recurrence in chunks", { timeout: 60_000 }, async () => {
    const call = { name: "", from: "std/mamba", imports: ["Mamba"], inputs: ["x: f32[B, 24, 4]", "mask: f32[B, 24]"] };
    const graph = graphOfCall({ ...call, call: "Mamba(x, mask, state: 4, rank: 2)" });
    await expectAgreement(rewriteGraph(graph, [tileRecurrence]), noise(0.4));
  });
});
