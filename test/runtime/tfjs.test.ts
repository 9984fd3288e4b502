import * as tf from "@tensorflow/tfjs-core";
import { expect, test } from "vitest";
import { emitGraphModel } from "../../compiler/emit/graph-model.ts";
import { NotLowerable } from "../../compiler/emit/tensorflow-lowering.ts";
import { type Dim, symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { EngineMissing, makeTensor } from "../../runtime/engine.ts";
import { tfjsEngine } from "../../runtime/engines/tfjs.ts";
import { lossOf, tfjsBackends } from "../../runtime/engines/tfjs-backends.ts";
import { f32, Sketch } from "../ops/build-graph.ts";
import { largestDifference, runOnnx } from "../ops/run-onnx.ts";
import { runTfjs } from "../ops/run-tfjs.ts";

const B = symbolDim("B");
const weights = new Map([["w", Float32Array.from({ length: 12 }, (_, i) => (i - 5) / 7)]]);
const options = { weights, metadata: {}, producerVersion: "test" };

/** h' = tanh(h + x_t @ w) over the steps, and the sum over them. */
function recurrent(steps: Dim): Graph {
  const sketch = new Sketch();
  const x = sketch.input("x", "f32", [B, steps, 4]);
  const w = sketch.param("w", [4, 3]);
  const start = sketch.add("full", [], { dtype: "f32", shape: [B, 3], value: 0.25 });
  const body = sketch.body([f32(B, 3), f32(B, 4)], ([h, step]) => {
    if (h === undefined || step === undefined) throw new Error("the body has two inputs");
    return [sketch.add("tanh", [sketch.add("add", [h, sketch.add("matmul", [step, w], {})], {})], {})];
  });
  const states = sketch.add("scan", [start, x], { axis: 1, states: 1, body });
  return sketch.graph({ states, total: sketch.add("reduce_sum", [states], { axes: [1], keep: false }) });
}

function rows(count: number, steps: number): NdArray {
  return makeArray(
    [count, steps, 4],
    Float64Array.from({ length: count * steps * 4 }, (_, i) => Math.fround(Math.sin(i))),
  );
}

test.each([
  ["cpu", 1, 1],
  ["cpu", 3, 20],
  ["wasm", 1, 5],
  ["wasm", 3, 20],
] as const)("a scan on %s agrees with the interpreter and ONNX Runtime, %i rows of %i steps", async (backend, count, steps) => {
  const graph = recurrent(steps);
  const inputs = new Map([["x", rows(count, steps)]]);
  const params = new Map([["w", makeArray([4, 3], Float64Array.from(weights.get("w") ?? []))]]);
  const expected = interpret(graph, { inputs, params });
  for (const found of [await runTfjs(graph, inputs, backend, params), await runOnnx(graph, inputs, params)]) {
    for (const name of ["states", "total"]) {
      expect(largestDifference(found.get(name) as NdArray, expected.get(name) as NdArray)).toBeLessThan(1e-5);
    }
  }
});

test("a loop without a fixed length is refused with what to change", () => {
  expect(() => emitGraphModel(recurrent(symbolDim("T")), options)).toThrow(NotLowerable);
  expect(() => emitGraphModel(recurrent(symbolDim("T")), options)).toThrow("this scan has T steps, and TensorFlow.js runs loops unrolled");
});

test.each(["cpu", "wasm"] as const)("on %s a hundred runs leave as many tensors alive as there are constants", async (backend) => {
  await tf.setBackend("cpu");
  const before = tf.memory().numTensors;
  const engine = await tfjsEngine(emitGraphModel(recurrent(6), options), { backend });
  const { data, shape } = rows(2, 6);
  const batch = new Map([["x", makeTensor("f32", shape, data)]]);
  await engine.run(batch);
  const loaded = tf.memory();
  expect(loaded.numTensors).toBeGreaterThan(before);
  for (let i = 0; i < 100; i++) await engine.run(batch, i % 2 === 0 ? ["total"] : undefined);
  expect(tf.memory()).toMatchObject({ numTensors: loaded.numTensors, numDataBuffers: loaded.numDataBuffers, numBytes: loaded.numBytes });
  // A run that fails frees its inputs too.
  await expect(engine.run(batch, ["nothing"])).rejects.toThrow("nothing");
  expect(tf.memory().numTensors).toBe(loaded.numTensors);
  await engine.close();
  expect(tf.memory().numTensors).toBe(before);
});

test("tensors are freed at their last use, not at the end of the run", async () => {
  const sketch = new Sketch();
  let value = sketch.input("x", "f32", [B, 1000]);
  for (let i = 0; i < 50; i++) value = sketch.add("sin", [value], {});
  const engine = await tfjsEngine(emitGraphModel(sketch.graph({ y: value }), options), { backend: "wasm" });
  const batch = new Map([["x", makeTensor("f32", [1, 1000], new Float32Array(1000))]]);
  const { peakBytes, newBytes } = await tf.profile(async () => {
    await engine.run(batch);
    return {};
  });
  expect(newBytes).toBe(0);
  // The input, the operand of a step and its result.
  expect(peakBytes).toBeLessThan(5 * 4000);
  await engine.close();
});

test("two engines on different backends take turns", async () => {
  const artifacts = emitGraphModel(recurrent(6), options);
  const engines = [await tfjsEngine(artifacts, { backend: "cpu" }), await tfjsEngine(artifacts, { backend: "wasm" })];
  expect(engines.map((engine) => engine.name)).toEqual(["tfjs cpu", "tfjs wasm"]);
  const { data, shape } = rows(2, 6);
  const batch = new Map([["x", makeTensor("f32", shape, data)]]);
  const [cpu, wasm] = await Promise.all(engines.map((engine) => engine.run(batch)));
  expect(cpu?.get("total")?.data).toHaveLength(6);
  cpu?.get("total")?.data.forEach((value, i) => {
    expect(wasm?.get("total")?.data[i]).toBeCloseTo(value, 5);
  });
  for (const engine of engines) await engine.close();
});

test("without a backend named, the fastest that starts is taken", async () => {
  const engine = await tfjsEngine(emitGraphModel(recurrent(2), options));
  expect(tfjsBackends.map((backend) => `tfjs ${backend}`)).toContain(engine.name);
  expect(engine.name).not.toBe("tfjs cpu");
  await engine.close();
});

test("a backend that does not start is an error that says so", async () => {
  // Registered already, so that nothing is loaded, even where the package is installed.
  tf.registerBackend("tensorflow", () => {
    throw new Error("no CUDA library");
  });
  try {
    const failed = tfjsEngine(emitGraphModel(recurrent(2), options), { backend: "node-gpu" });
    await expect(failed).rejects.toThrow(EngineMissing);
    await expect(failed).rejects.toThrow(
      "cannot use the TensorFlow.js backend node-gpu (it does not start on this machine)\nIt is installed.",
    );
  } finally {
    tf.removeBackend("tensorflow");
  }
});

test("a backend that is not installed is an error that says how to install it", async () => {
  // The package needs CUDA and is no dependency, so that `npm ci` never installs it.
  const failed = tfjsEngine(emitGraphModel(recurrent(2), options), { backend: "node-gpu" });
  await expect(failed).rejects.toThrow(EngineMissing);
  await expect(failed).rejects.toThrow("Install it with `npm install @tensorflow/tfjs-node-gpu@4.22.0`");
});

test("a lost device is an error, not a hang", async () => {
  const never = new Promise<never>(() => {});
  const lost = lossOf({ device: { lost: Promise.resolve({ message: "driver reset" }) } });
  await expect(Promise.race([never, lost])).rejects.toThrow("the GPU was lost while the model ran: driver reset");
  expect(await Promise.race([Promise.resolve("done"), lossOf({})])).toBe("done");
});
