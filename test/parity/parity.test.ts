import { readdirSync } from "node:fs";
import { loadGraphModel } from "@tensorflow/tfjs-converter";
import * as tf from "@tensorflow/tfjs-core";
import { afterAll, describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { emitGraphModel, type GraphModelArtifacts, graphModelFiles } from "../../compiler/emit/graph-model.ts";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import type { CheckedModel } from "../../compiler/model.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import type { Weights } from "../../compiler/weights.ts";
import { describeModel } from "../../runtime/description.ts";
import type { Batch, Engine } from "../../runtime/engine.ts";
import { makeTensor } from "../../runtime/engine.ts";
import { onnxRuntimeEngine } from "../../runtime/engines/onnxruntime.ts";
import { tfjsEngine } from "../../runtime/engines/tfjs.ts";
import { generateBatch } from "../../runtime/generate.ts";
import { stirredWeights } from "../specs/stirred-weights.ts";

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

/** How the targets are called in the table, in its order. */
const targets = ["ONNX Runtime", "tfjs wasm", "GraphModel"] as const;
type Target = (typeof targets)[number];

const rows: { spec: string; inputs: string; batch: number; target: Target; logits: number; others: number }[] = [];

/** What a target computes from a batch, by the names of the outputs. */
type Runner = (batch: Batch) => Promise<ReadonlyMap<string, ArrayLike<number>>>;

function runnerOf(engine: Engine): Runner {
  return async (batch) => new Map([...(await engine.run(batch))].map(([name, { data }]) => [name, data]));
}

/** The files that `plec compile` would write, and TensorFlow.js alone. */
async function loadSaved(artifacts: GraphModelArtifacts): Promise<{ readonly run: Runner; readonly close: () => void }> {
  const files = new Map(graphModelFiles(artifacts).map(({ name, content }) => [name, Buffer.from(content)]));
  const manifest = JSON.parse(String(files.get("model.json"))) as tf.io.ModelJSON;
  const load = () =>
    tf.io.getModelArtifactsForJSON(manifest, async (groups) => [
      groups.flatMap((group) => group.weights),
      new Uint8Array(Buffer.concat(groups.flatMap((group) => group.paths.map((path) => files.get(path) as Buffer)))).buffer,
    ]);
  const model = await loadGraphModel({ load });
  const types = { f32: "float32", i32: "int32", bool: "bool" } as const;
  return {
    run: async (batch) => {
      const feeds = Object.fromEntries(
        [...batch].map(([name, { dtype, shape, data }]) => [name, tf.tensor(data, [...shape], types[dtype])]),
      );
      const results = model.predict(feeds) as tf.NamedTensorMap;
      const values = await Promise.all(Object.entries(results).map(async ([name, tensor]) => [name, await tensor.data()] as const));
      tf.dispose([feeds, results]);
      return new Map(values);
    },
    close: () => model.dispose(),
  };
}

describe.each(specs)("%s", (spec) => {
  const checked = checkFile(`specs/${spec}`);

  test("checks without findings", () => expect(checked.diagnostics).toEqual([]));

  test.each(seeds)("every target agrees with the interpreter, seed %i", { timeout: 240_000 }, async (seed) => {
    for (const model of checked.models) {
      const graph = withLogits(model);
      const weights = stirredWeights(graph, seed);
      const options = { weights, metadata: {}, producerVersion: "test" };
      const lowered = prune(simplify(graph));
      const onnx = await onnxRuntimeEngine(emitOnnx(lowered, options), { threads: 1 });
      const artifacts = emitGraphModel(lowered, options);
      const tfjs = await tfjsEngine(artifacts, { backend: "wasm" });
      const saved = await loadSaved(artifacts);
      const runners: Readonly<Record<Target, Runner>> = {
        "ONNX Runtime": runnerOf(onnx),
        "tfjs wasm": runnerOf(tfjs),
        GraphModel: saved.run,
      };
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
          const names = graph.outputs.map((output) => output.name);
          for (const target of targets) {
            const found = await runners[target](given);
            const worst = (of: readonly string[]) => {
              const rms = rootMeanSquare(of.map((name) => wanted.get(name) as NdArray));
              return Math.max(...of.map((name) => relativeDifference(found.get(name) ?? [], wanted.get(name) as NdArray, rms)));
            };
            const logits = worst(names.filter((name) => name.startsWith("logit of ")));
            const others = worst(names.filter((name) => !name.startsWith("logit of ")));
            rows.push({ spec, inputs, batch, target, logits, others });
            expect(logits, `logits, ${target}`).toBeLessThan(tolerance);
            expect(others, `other outputs, ${target}`).toBeLessThan(tolerance);
          }
        }
      }
      saved.close();
      await tfjs.close();
      await onnx.close();
    }
  });
});

afterAll(() => {
  const keyOf = ({ spec, inputs, batch }: Omit<(typeof rows)[number], "target" | "logits" | "others">) =>
    `${spec.padEnd(24)} ${inputs.padEnd(8)} ${String(batch).padStart(5)}`;
  const worst = (key: string, target: Target, of: "logits" | "others") =>
    Math.max(...rows.filter((row) => keyOf(row) === key && row.target === target).map((row) => row[of])).toExponential(1);
  const table = [...new Set(rows.map(keyOf))].map(
    (key) =>
      `${key}  ${targets.map((target) => `${worst(key, target, "logits")} ${worst(key, target, "others")}`.padStart(17)).join("  ")}`,
  );
  console.log(
    [
      "largest relative difference from the float64 interpreter over three seeds: logits, then other outputs",
      `${"spec".padEnd(24)} inputs   batch  ${targets.map((target) => target.padStart(17)).join("  ")}`,
      ...table,
    ].join("\n"),
  );
});
