import onnxProto from "onnx-proto";
import * as ort from "onnxruntime-node";
import { afterAll, describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import { symbolDim } from "../../compiler/ir/dim.ts";
import { float16Bits } from "../../compiler/ir/float16.ts";
import type { Graph, Value } from "../../compiler/ir/graph.ts";
import { choosePrecision } from "../../compiler/passes/choose-precision.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { randomStream, type Weights } from "../../compiler/weights.ts";
import { describeModel } from "../../runtime/description.ts";
import { onnxRuntimeEngine } from "../../runtime/engines/onnxruntime.ts";
import { generateBatch } from "../../runtime/generate.ts";
import { f32, Sketch } from "../ops/build-graph.ts";
import { specFiles } from "../specs/checked-specs.ts";
import { stirredWeights } from "../specs/stirred-weights.ts";

const B = symbolDim("B");
const half = onnxProto.onnx.TensorProto.DataType.FLOAT16;

describe("float16 bits", () => {
  test.each([
    [0, 0x0000],
    [-0, 0x8000],
    [1, 0x3c00],
    [-2, 0xc000],
    [65504, 0x7bff],
    [65519, 0x7bff],
    [65520, 0x7c00],
    [-1e9, 0xfc00],
    [2 ** -14, 0x0400],
    [2 ** -24, 0x0001],
    [2 ** -25, 0x0000],
    [1.5 * 2 ** -24, 0x0002],
    [2.5 * 2 ** -24, 0x0002],
    [1 + 2 ** -11, 0x3c00],
    [1 + 3 * 2 ** -11, 0x3c02],
    [1 - 1e-4, 0x3c00],
    [1 - 1e-7, 0x3c00],
    [Number.POSITIVE_INFINITY, 0x7c00],
    [Number.NaN, 0x7e00],
  ])("of %f", (value, bits) => expect(float16Bits(value)).toBe(bits));

  test("are those of ONNX Runtime's Cast", async () => {
    const { onnx } = onnxProto;
    const info = (name: string, elemType: number) => ({ name, type: { tensorType: { elemType, shape: { dim: [{ dimParam: "n" }] } } } });
    const attribute = [{ name: "to", type: onnx.AttributeProto.AttributeType.INT, i: half }];
    const graph = {
      name: "g",
      node: [{ opType: "Cast", input: ["x"], output: ["y"], attribute }],
      input: [info("x", 1)],
      output: [info("y", half)],
    };
    const bytes = onnx.ModelProto.encode(
      onnx.ModelProto.create({ irVersion: 8, opsetImport: [{ domain: "", version: 17 }], graph }),
    ).finish();
    const random = randomStream(1, "float16");
    const values = Float32Array.from({ length: 20_000 }, () => (random() - 0.5) * 10 ** (12 * random() - 7));
    const session = await ort.InferenceSession.create(bytes);
    const { y } = await session.run({ x: new ort.Tensor("float32", values, [values.length]) });
    expect(Array.from(values, float16Bits)).toEqual(Array.from(y?.data as Uint16Array));
    await session.release();
  });
});

/** What is computed in float16, by op. */
function halfOps(graph: Graph, weights: Weights): readonly string[] {
  return [...choosePrecision(graph, weights).half].map((node) => node.op);
}

describe("what float16 computes", () => {
  type Build = (sketch: Sketch, bounded: Value, x: Value, w: Value) => Value;
  const cases: readonly (readonly [name: string, build: Build, ops: readonly string[]])[] = [
    ["a product with a weight", (s, h, _, w) => s.add("matmul", [h, w], {}), ["matmul"]],
    ["a product that reads an input stays", (s, _, x, w) => s.add("matmul", [x, w], {}), []],
    ["a product that reads a sum of inputs stays", (s, _, x, w) => s.add("matmul", [s.add("add", [x, x], {}), w], {}), []],
    ["a product of two computed matrices stays", (s, h) => s.add("matmul", [h, s.add("transpose", [h], { permutation: [1, 0] })], {}), []],
    ["a product with a computed weight stays", (s, h, _, w) => s.add("matmul", [h, s.add("exp", [w], {})], {}), []],
    [
      "cheap ops between products",
      (s, h, _, w) => s.add("matmul", [s.add("relu", [s.add("matmul", [h, w], {})], {}), w], {}),
      ["matmul", "matmul", "relu"],
    ],
    [
      "a softmax between products stays",
      (s, h, _, w) => s.add("matmul", [s.add("softmax", [s.add("matmul", [h, w], {})], { axis: 1 }), w], {}),
      ["matmul", "matmul"],
    ],
    [
      "a cheap op before a sum stays",
      (s, h, _, w) => {
        const y = s.add("matmul", [h, w], {});
        return s.add("reduce_sum", [s.add("mul", [y, y], {})], { axes: [1], keep: false });
      },
      ["matmul"],
    ],
    [
      "a constant that float16 does not hold",
      (s, h, _, w) => s.add("matmul", [s.add("add", [s.add("matmul", [h, w], {}), s.scalar(1e-12)], {}), w], {}),
      ["matmul", "matmul"],
    ],
    [
      "a constant that it holds",
      (s, h, _, w) => s.add("matmul", [s.add("add", [s.add("matmul", [h, w], {}), s.scalar(0.5)], {}), w], {}),
      ["matmul", "matmul", "add"],
    ],
  ];
  test.each(cases)("%s", async (_, build, ops) => {
    const sketch = new Sketch();
    const x = sketch.input("x", "f32", [B, 3]);
    const w = sketch.param("w", [3, 3]);
    const graph = sketch.graph({ y: build(sketch, sketch.add("tanh", [x], {}), x, w) });
    const weights = new Map([["w", Float32Array.of(0.5, -0.25, 1, 0.125, 2, -1, 0.75, 1, -0.5)]]);
    expect(halfOps(graph, weights)).toEqual(ops);
    const bytes = emitOnnx(graph, { weights, metadata: {}, producerVersion: "0", precision: "fp16" });
    const session = await ort.InferenceSession.create(bytes, { graphOptimizationLevel: "disabled", logSeverityLevel: 3 });
    const exact = await ort.InferenceSession.create(emitOnnx(graph, { weights, metadata: {}, producerVersion: "0" }), {
      logSeverityLevel: 3,
    });
    const feeds = { x: new ort.Tensor("float32", Float32Array.of(0.3, -0.7, 1.1, -0.2, 0.9, 0.4), [2, 3]) };
    const [found, wanted] = [(await session.run(feeds)).y?.data as Float32Array, (await exact.run(feeds)).y?.data as Float32Array];
    for (const [i, value] of wanted.entries())
      expect(Math.abs((found[i] as number) - value)).toBeLessThan(0.01 * Math.max(1, Math.abs(value)));
  });

  test("a loop reads in float32 what stands outside of it in float16, and casts are made once", async () => {
    const sketch = new Sketch();
    const steps = sketch.input("steps", "f32", [4, 3]);
    const w = sketch.param("w", [3, 3]);
    const gain = sketch.add("matmul", [sketch.add("tanh", [steps], {}), w], {});
    const first = sketch.add("slice", [gain], { axis: 0, start: 0, stop: 1 });
    const body = sketch.body([f32(1, 3), f32(3)], ([h, t]) => [
      sketch.add(
        "add",
        [sketch.add("mul", [h as Value, sketch.add("add", [t as Value, first], {})], {}), sketch.add("matmul", [h as Value, w], {})],
        {},
      ),
    ]);
    const states = sketch.add("scan", [sketch.add("full", [], { dtype: "f32", shape: [1, 3], value: 1 }), steps], {
      axis: 0,
      states: 1,
      body,
    });
    const graph = sketch.graph({ states, gain });
    const weights = new Map([["w", Float32Array.from({ length: 9 }, (_, i) => (i - 4) / 8)]]);
    const bytes = emitOnnx(graph, { weights, metadata: {}, producerVersion: "0", precision: "fp16" });
    const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
    const found = await session.run({ steps: new ort.Tensor("float32", new Float32Array(12).fill(0.25), [4, 3]) });
    expect(Array.from(found.states?.data as Float32Array, Number.isFinite)).not.toContain(false);
    const nodes = onnxProto.onnx.ModelProto.decode(bytes).graph?.node ?? [];
    expect(nodes.filter(({ opType, input }) => opType === "Cast" && input?.[0] === "w")).toHaveLength(1);
  });

  test("a weight that float16 cannot hold stays float32", () => {
    const sketch = new Sketch();
    const x = sketch.add("tanh", [sketch.input("x", "f32", [B, 1])], {});
    const graph = sketch.graph({ y: sketch.add("matmul", [x, sketch.param("w", [1, 1])], {}) });
    expect(halfOps(graph, new Map([["w", Float32Array.of(70_000)]]))).toEqual([]);
    expect(halfOps(graph, new Map([["w", Float32Array.of(60_000)]]))).toEqual(["matmul"]);
  });
});

/** Of predictions and outputs: measured at most 4e-3 of a spec's own scale. */
const tolerance = 1e-2;
const rows: string[] = [];

describe.each(specFiles)("%s in float16", (spec) => {
  test("agrees with float32 and is smaller", { timeout: 120_000 }, async () => {
    for (const model of checkFile(`specs/${spec}`).models) {
      const logits = model.tasks.flatMap(({ name, logit }) =>
        logit === null ? [] : [{ name: `logit of ${name}`, value: logit, doc: null }],
      );
      const graph = simplify(prune({ ...model.graph, outputs: [...logits, ...model.graph.outputs] }));
      const weights = stirredWeights(graph, 1);
      const files = (["fp32", "fp16"] as const).map((precision) =>
        emitOnnx(graph, { weights, metadata: {}, producerVersion: "0", precision }),
      );
      const [single, double] = files as [Uint8Array, Uint8Array];
      const engines = await Promise.all(files.map((bytes) => onnxRuntimeEngine(bytes, { threads: 1 })));
      const batch = generateBatch(describeModel(model), 64, 3);
      const [wanted, found] = await Promise.all(engines.map((engine) => engine.run(batch)));
      const worst = (isAsked: (name: string) => boolean) => {
        const names = graph.outputs.map((output) => output.name).filter(isAsked);
        return Math.max(0, ...names.map((name) => differenceToScale(found?.get(name)?.data ?? [], wanted?.get(name)?.data ?? [])));
      };
      const [ofLogits, ofOthers] = [worst((name) => name.startsWith("logit of ")), worst((name) => !name.startsWith("logit of "))];
      for (const engine of engines) await engine.close();
      const weightsStored = choosePrecision(graph, weights).stored;
      const share = (double.length / single.length) * 100;
      rows.push(
        `${spec.padEnd(24)} ${ofLogits.toExponential(1).padStart(9)} ${ofOthers.toExponential(1).padStart(9)} ${share.toFixed(0).padStart(7)} %`,
      );
      expect(ofLogits).toBeLessThan(tolerance);
      expect(ofOthers).toBeLessThan(tolerance);
      expect(weightsStored.size).toBeGreaterThan(0);
      expect(double.length).toBeLessThan(single.length);
      // If nothing were computed in another type, nothing would have been tested.
      expect(ofLogits).toBeGreaterThan(0);
    }
  });
});

/** The largest difference between two tensors, relative to the root mean square of the second; infinite where one is not finite. */
function differenceToScale(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  const values = Array.from(wanted);
  const scale = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / Math.max(1, values.length));
  const differences = values.map((value, i) => Math.abs((found[i] ?? Number.NaN) - value));
  const worst = differences.reduce((largest, difference) => (difference <= largest ? largest : difference), 0) / Math.max(scale, 1e-6);
  return Number.isFinite(worst) ? worst : Number.POSITIVE_INFINITY;
}

afterAll(() => {
  console.log(
    [
      "float16 against float32 in ONNX Runtime: largest difference relative to the tensor's scale, and size of the file",
      `${"spec".padEnd(24)}    logits    others      size`,
      ...rows,
    ].join("\n"),
  );
});
