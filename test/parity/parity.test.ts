import { readdirSync } from "node:fs";
import { afterAll, describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { initialWeights, randomStream, type Weights } from "../../compiler/weights.ts";
import { describeModel } from "../../runtime/description.ts";
import type { Batch } from "../../runtime/engine.ts";
import { makeTensor } from "../../runtime/engine.ts";
import { onnxRuntimeEngine } from "../../runtime/engines/onnxruntime.ts";
import { generateBatch } from "../../runtime/generate.ts";

const tolerance = 1e-4;
const batches = [1, 7];
const seeds = [1, 2, 3];
const specs = readdirSync("specs").filter((name) => name.endsWith(".ple"));

function rootMeanSquare(arrays: readonly NdArray[]): number {
  const [sum, count] = arrays.reduce(
    ([total, n], { data }) => [total + data.reduce((part, x) => part + x * x, 0), n + data.length],
    [0, 0],
  );
  return Math.sqrt(sum / Math.max(count, 1));
}

/** Largest difference, relative to the value, or to `rms` where the value is smaller: a logit of nearly 0 has no digits of its own to agree in. */
function relativeDifference(found: ArrayLike<number>, { data }: NdArray, rms: number): number {
  let worst = found.length === data.length ? 0 : Number.POSITIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    const difference = Math.abs((found[i] as number) - (data[i] as number)) / Math.max(Math.abs(data[i] as number), rms, 1e-6);
    worst = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(worst, difference);
  }
  return worst;
}

/** Weights as after some training: gates and biases that start at zero would hide what they multiply. */
function stirredWeights(graph: Graph, seed: number): Weights {
  const stirred = new Map<string, Float32Array>();
  for (const [name, values] of initialWeights(graph, seed)) {
    const random = randomStream(seed, `stir ${name}`);
    stirred.set(
      name,
      values.map((value) => value + 0.1 * (random() - 0.5)),
    );
  }
  return stirred;
}

/** The model's graph with its logits beside the predictions. */
function withLogits(model: CheckedModel): Graph {
  const logits = model.tasks.flatMap(({ name, logit }) => (logit === null ? [] : [{ name: `logit of ${name}`, value: logit, doc: null }]));
  return prune({ ...model.graph, outputs: [...logits, ...model.graph.outputs] });
}

function toArrays(batch: Batch): ReadonlyMap<string, NdArray> {
  return new Map([...batch].map(([name, { shape, data }]) => [name, makeArray(shape, Float64Array.from(data))]));
}

function paramArrays(graph: Graph, weights: Weights): ReadonlyMap<string, NdArray> {
  return new Map(
    graph.params.map(({ name, value }) => [
      name,
      makeArray(value.type.shape as readonly number[], Float64Array.from(weights.get(name) ?? [])),
    ]),
  );
}

/** Without its optional inputs, as a caller of ONNX has to say it: filled. */
function withoutOptional(batch: Batch, model: CheckedModel): Batch {
  const fills = new Map(model.inputs.filter((input) => input.optional).map((input) => [input.name, input.fill]));
  return new Map(
    [...batch].map(([name, tensor]) => [
      name,
      fills.has(name)
        ? makeTensor(
            tensor.dtype,
            tensor.shape,
            Array.from(tensor.data, () => fills.get(name) ?? 0),
          )
        : tensor,
    ]),
  );
}

const rows: { spec: string; inputs: string; batch: number; logits: number; others: number }[] = [];

describe.each(specs)("%s", (spec) => {
  const checked = checkFile(`specs/${spec}`);

  test("checks without findings", () => expect(checked.diagnostics).toEqual([]));

  test.each(seeds)("ONNX Runtime agrees with the interpreter, seed %i", { timeout: 120_000 }, async (seed) => {
    for (const model of checked.models) {
      const graph = withLogits(model);
      const weights = stirredWeights(graph, seed);
      const engine = await onnxRuntimeEngine(emitOnnx(simplify(graph), { weights, metadata: {}, producerVersion: "test" }), { threads: 1 });
      for (const batch of batches) {
        const full = generateBatch(describeModel(model), batch, seed);
        for (const [inputs, given] of [
          ["full", full],
          ["missing", withoutOptional(full, model)],
        ] as const) {
          const optional = new Set(inputs === "missing" ? model.inputs.filter((input) => input.optional).map((input) => input.name) : []);
          const wanted = interpret(graph, {
            inputs: toArrays(new Map([...given].filter(([name]) => !optional.has(name)))),
            params: paramArrays(graph, weights),
          });
          const found = await engine.run(given);
          const worst = (names: readonly string[]) => {
            const rms = rootMeanSquare(names.map((name) => wanted.get(name) as NdArray));
            return Math.max(...names.map((name) => relativeDifference(found.get(name)?.data ?? [], wanted.get(name) as NdArray, rms)));
          };
          const names = graph.outputs.map((output) => output.name);
          const logits = names.filter((name) => name.startsWith("logit of "));
          const others = names.filter((name) => !name.startsWith("logit of "));
          rows.push({ spec, inputs, batch, logits: worst(logits), others: worst(others) });
          expect(worst(logits)).toBeLessThan(tolerance);
          expect(worst(others)).toBeLessThan(tolerance);
        }
      }
      await engine.close();
    }
  });
});

afterAll(() => {
  const keys = [...new Set(rows.map(({ spec, inputs, batch }) => `${spec.padEnd(24)} ${inputs.padEnd(8)} ${String(batch).padStart(5)}`))];
  const worst = (key: string, of: "logits" | "others") =>
    Math.max(
      ...rows
        .filter((row) => key === `${row.spec.padEnd(24)} ${row.inputs.padEnd(8)} ${String(row.batch).padStart(5)}`)
        .map((row) => row[of]),
    ).toExponential(1);
  const table = keys.map((key) => `${key}  ${worst(key, "logits").padStart(8)}  ${worst(key, "others").padStart(8)}`);
  console.log(
    [
      "largest relative difference, ONNX Runtime CPU against the float64 interpreter, over three seeds",
      `${"spec".padEnd(24)} inputs   batch    logits    others`,
      ...table,
    ].join("\n"),
  );
});
