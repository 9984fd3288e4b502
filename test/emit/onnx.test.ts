import onnxProto from "onnx-proto";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { emitOnnx } from "../../compiler/emit/onnx.ts";
import { addDims, type Dim, multiplyDims, scaleDim, subtractDims, symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { evaluateShape, makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { randomStream } from "../../compiler/weights.ts";
import { f32, Sketch } from "../ops/build-graph.ts";
import { largestDifference, runOnnx } from "../ops/run-onnx.ts";

const [B, T] = [symbolDim("B"), symbolDim("T")];
const options = { weights: new Map<string, Float32Array>(), metadata: {}, producerVersion: "1.2.3" };

/** Runs the graph in ONNX Runtime and in the interpreter on random values, at these sizes of B and T. */
async function expectSameAsInterpreter(graph: Graph, sizes: readonly Readonly<Record<string, number>>[]): Promise<void> {
  verifyGraph(graph);
  const random = randomStream(9, "onnx");
  for (const size of sizes) {
    const symbols = new Map(Object.entries(size));
    const draw = ({ type }: Value): NdArray => {
      const { shape, data } = makeArray(evaluateShape(type.shape, symbols));
      return makeArray(
        shape,
        data.map(() => Math.fround(type.dtype === "f32" ? 2 * random() - 1 : Math.floor(3 * random()))),
      );
    };
    const inputs = new Map(graph.inputs.map(({ name, value }) => [name, draw(value)]));
    const params = new Map(graph.params.map(({ name, value }) => [name, draw(value)]));
    const [expected, actual] = [interpret(graph, { inputs, params }), await runOnnx(graph, inputs, params)];
    for (const [name, value] of expected)
      expect(largestDifference(actual.get(name) as NdArray, value), `${name} at ${JSON.stringify(size)}`).toBeLessThan(1e-5);
  }
}

const sizes = [
  { B: 1, T: 1 },
  { B: 7, T: 5 },
];

describe("symbolic dims", () => {
  /** Shapes that x: f32[B, T, 4] takes. */
  const reshapes: readonly (readonly Dim[])[] = [
    [multiplyDims(B, T), 4],
    [B, scaleDim(T, 4)],
    [B, multiplyDims(T, 2), 2],
    [2, multiplyDims(B, T), 2],
    [T, B, 4],
    [scaleDim(B, 2), scaleDim(T, 2)],
    [multiplyDims(scaleDim(B, 4), T)],
  ];
  for (const shape of reshapes) {
    test(`reshape to [${shape.map(String).join(", ")}]`, async () => {
      const sketch = new Sketch();
      const x = sketch.input("x", "f32", [B, T, 4]);
      await expectSameAsInterpreter(sketch.graph({ y: sketch.add("reshape", [x], { shape }) }), sizes);
    });
  }

  const lengths: readonly Dim[] = [
    B,
    T,
    addDims(B, 3),
    addDims(scaleDim(B, 2), T),
    multiplyDims(B, multiplyDims(T, T)),
    subtractDims(addDims(B, T), 1),
  ];
  for (const length of lengths) {
    test(`arange(${String(length)}), full and expand`, async () => {
      const sketch = new Sketch();
      const x = sketch.input("x", "f32", [B, T]);
      const row = sketch.add("expand", [sketch.scalar(2)], { shape: [length] });
      const full = sketch.add("full", [], { dtype: "f32", shape: [3, length], value: -1 });
      const sum = sketch.add("add", [sketch.add("add", [sketch.add("arange", [], { length }), row], {}), full], {});
      await expectSameAsInterpreter(sketch.graph({ x1: x, sum }), sizes);
    });
  }

  test("slices that end where the axis ends, or count from there", async () => {
    const sketch = new Sketch();
    const x = sketch.input("x", "f32", [B, addDims(T, 3), 2]);
    const carrier = sketch.input("carrier", "f32", [T]);
    const slice = (start: Dim, stop: Dim) => sketch.add("slice", [x], { axis: 1, start, stop });
    const graph = sketch.graph({
      last: slice(addDims(T, 2), addDims(T, 3)),
      tail: slice(2, addDims(T, 3)),
      middle: slice(1, addDims(T, 1)),
      exact: slice(T, addDims(T, 1)),
      carrier1: carrier,
    });
    await expectSameAsInterpreter(graph, sizes);
  });

  test("a symbol that inputs carry in a linear expression alone", async () => {
    const sketch = new Sketch();
    const x = sketch.input("x", "f32", [addDims(scaleDim(T, 2), 3)]);
    await expectSameAsInterpreter(sketch.graph({ x1: x, y: sketch.add("arange", [], { length: T }) }), sizes);
  });

  test("a symbol without an input is an error", () => {
    const sketch = new Sketch();
    expect(() => emitOnnx(sketch.graph({ y: sketch.add("arange", [], { length: T }) }), options)).toThrow("no input has the dim T");
  });
});

describe("scans", () => {
  test("two states, captures of a param, an outer value and a computed dim, along axis 1", async () => {
    const sketch = new Sketch();
    const xs = sketch.input("xs", "f32", [B, T, 3]);
    const gain = sketch.input("gain", "f32", [B, T]);
    const w = sketch.param("w", [3, 3]);
    const scaleBy = sketch.add("tanh", [sketch.add("reduce_mean", [xs], { axes: [1], keep: false })], {});
    const initial = sketch.add("full", [], { dtype: "f32", shape: [B, 3], value: 0.5 });
    const total = sketch.add("full", [], { dtype: "f32", shape: [B], value: 0 });
    const body = sketch.body([f32(B, 3), f32(B), f32(B, 3), f32(B)], ([h, sum, x, g]) => {
      const mixed = sketch.add("add", [sketch.add("matmul", [h as Value, w], {}), sketch.add("mul", [x as Value, scaleBy], {})], {});
      const next = sketch.add("tanh", [mixed], {});
      const flat = sketch.add("reshape", [sketch.add("mul", [next, sketch.add("expand", [sketch.scalar(0.5)], { shape: [B, 3] })], {})], {
        shape: [scaleDim(B, 3)],
      });
      const back = sketch.add("reduce_sum", [sketch.add("reshape", [flat], { shape: [B, 3] })], { axes: [1], keep: false });
      return [next, sketch.add("add", [sum as Value, sketch.add("mul", [back, g as Value], {})], {})];
    });
    const [states, sums] = sketch.all("scan", [initial, total, xs, gain], { axis: 1, states: 2, body });
    await expectSameAsInterpreter(sketch.graph({ states: states as Value, sums: sums as Value }), sizes);
  });

  test("a scan within a scan, and states that swap or stay", async () => {
    const sketch = new Sketch();
    const rows = sketch.input("rows", "f32", [T, 3]);
    const k = sketch.input("k", "f32", []);
    const outer = sketch.body([f32(), f32(), f32(3)], ([a, b, row]) => {
      const inner = sketch.body([f32(), f32()], ([s, x]) => [
        sketch.add("add", [sketch.add("mul", [s as Value, k], {}), sketch.add("mul", [x as Value, a as Value], {})], {}),
      ]);
      const runs = sketch.add("scan", [sketch.scalar(0), row as Value], { axis: 0, states: 1, body: inner });
      return [b as Value, sketch.add("add", [a as Value, sketch.add("reduce_sum", [runs], { axes: [0], keep: false })], {})];
    });
    const [a, b] = sketch.all("scan", [sketch.scalar(1), k, rows], { axis: 0, states: 2, body: outer });
    await expectSameAsInterpreter(sketch.graph({ a: a as Value, b: b as Value }), sizes);
  });

  test("a body whose state is replaced by what it captures", async () => {
    const sketch = new Sketch();
    const xs = sketch.input("xs", "f32", [T]);
    const k = sketch.input("k", "f32", []);
    const body = sketch.body([f32(), f32()], () => [k]);
    await expectSameAsInterpreter(sketch.graph({ y: sketch.add("scan", [sketch.scalar(1), xs], { axis: 0, states: 1, body }) }), sizes);
  });
});

describe("the file", () => {
  const sketch = new Sketch();
  const x = sketch.input("x", "f32", [B, 3], { optional: true, fill: 2, doc: "what it holds" });
  const ids = sketch.input("segment", "i32", [B], { vocabulary: 3 });
  const w = sketch.param("gate/w", [3, 3]);
  const z = sketch.add("matmul", [x, w], {}, "gate/matmul");
  const attention = sketch.add("softmax", [z], { axis: 1 }, "gate/softmax");
  const again = sketch.add("softmax", [z], { axis: 0 }, "gate/softmax");
  const halves = [0.5, 0.5].map((value, i) => sketch.add("mul", [i === 0 ? attention : again, sketch.scalar(value)], {}, "half"));
  const hot = sketch.add("one_hot", [ids], { depth: 3 }, "hot");
  const graph = sketch.graph({ attention, twice: attention, x1: x, halves: sketch.add("add", halves, {}, "sum"), gate: w, hot });
  const weights = new Map([["gate/w", Float32Array.from({ length: 9 }, (_, i) => i / 9)]]);
  const metadata = { source: "model.ple", hash: "abc" };
  const emit = () => emitOnnx(graph, { ...options, weights, metadata });
  const model = onnxProto.onnx.ModelProto.decode(emit());

  test("names the version, the producer and what it was made of", () => {
    expect(Number(model.irVersion)).toBe(8);
    expect(model.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([["", 17]]);
    expect([model.producerName, model.producerVersion]).toEqual(["plec", "1.2.3"]);
    expect(model.metadataProps.map(({ key, value }) => [key, value])).toEqual(Object.entries(metadata));
  });

  test("has named inputs and outputs with symbolic dims, none with a default", () => {
    const describeValue = ({ name, type }: onnxProto.onnx.IValueInfoProto) =>
      `${name}: ${type?.tensorType?.shape?.dim?.map(({ dimParam, dimValue }) => (dimParam ? dimParam : Number(dimValue))).join(" ")}`;
    expect(model.graph?.input?.map(describeValue)).toEqual(["x: B 3", "segment: B"]);
    expect(model.graph?.output?.map(describeValue)).toEqual([
      "attention: B 3",
      "twice: B 3",
      "x1: B 3",
      "halves: B 3",
      "gate: 3 3",
      "hot: B 3",
    ]);
    const initializers = new Set(model.graph?.initializer?.map(({ name }) => name));
    expect(model.graph?.input?.filter(({ name }) => initializers.has(name))).toEqual([]);
    expect(model.graph?.input?.[0]?.docString).toBe("what it holds");
  });

  test("names nodes by source paths, each once", () => {
    const names = model.graph?.node?.map(({ name }) => name) ?? [];
    expect(names).toEqual(expect.arrayContaining(["gate/matmul", "gate/softmax", "gate/softmax_1"]));
    expect(new Set(names).size).toBe(names.length);
  });

  test("shares equal constants and keeps weights raw, under their names", () => {
    const initializers = model.graph?.initializer ?? [];
    expect(initializers.filter(({ name }) => name?.includes("0.5"))).toHaveLength(1);
    const gate = initializers.find(({ name }) => name === "gate/w");
    expect(gate?.floatData).toEqual([]);
    expect(new Float32Array(Uint8Array.from(gate?.rawData ?? []).buffer)).toEqual(weights.get("gate/w"));
  });

  test("nodes stand after what they use", () => {
    const known = new Set([...(model.graph?.input ?? []), ...(model.graph?.initializer ?? [])].map(({ name }) => name));
    for (const { input, output } of model.graph?.node ?? []) {
      expect(input?.filter((name) => !known.has(name))).toEqual([]);
      for (const name of output ?? []) known.add(name);
    }
  });

  test("is the same, byte for byte, each time", () => expect(Buffer.from(emit()).equals(Buffer.from(emit()))).toBe(true));

  test("outputs may be inputs, params, or the same value twice", async () => await expectSameAsInterpreter(graph, sizes));

  test("loads without the optimizer of ONNX Runtime, with its names in order", async () => {
    const session = await ort.InferenceSession.create(emit(), { graphOptimizationLevel: "disabled", logSeverityLevel: 3 });
    expect(session.inputNames).toEqual(["x", "segment"]);
    expect(session.outputNames).toEqual(["attention", "twice", "x1", "halves", "gate", "hot"]);
    await session.release();
  });

  test("a param without weights, and a name used by an input and an output, are errors", () => {
    expect(() => emitOnnx(graph, options)).toThrow("the param gate/w has no weights");
    const other = new Sketch();
    expect(() => emitOnnx(other.graph({ x: other.add("exp", [other.input("x", "f32", [B])], {}) }), options)).toThrow(
      "the name x is used twice",
    );
  });
});
