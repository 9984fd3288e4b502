import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import onnxProto from "onnx-proto";
import { afterAll, describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { emitOnnx, emitOnnxFiles, opsets } from "../../compiler/emit/onnx.ts";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph } from "../../compiler/ir/graph.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { drawWeights, initialWeights } from "../../compiler/weights.ts";
import { describeModel } from "../../runtime/description.ts";
import { onnxRuntimeEngine } from "../../runtime/engines/onnxruntime.ts";
import { generateBatch } from "../../runtime/generate.ts";
import { Sketch } from "../ops/build-graph.ts";
import { specFiles } from "../specs/checked-specs.ts";

const B = symbolDim("B");
const folder = mkdtempSync(join(tmpdir(), "plec-emit-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const settings = { metadata: {}, producerVersion: "0" };
const decode = (bytes: Uint8Array) => onnxProto.onnx.ModelProto.decode(bytes);

describe.each(specFiles)("%s", (spec) => {
  test("computes the same in every opset", { timeout: 120_000 }, async () => {
    for (const model of checkFile(`specs/${spec}`).models) {
      const graph = simplify(model.graph);
      const weights = initialWeights(graph, 2);
      const batch = generateBatch(describeModel(model), 3, 1);
      const results = [];
      for (const opset of opsets.keys()) {
        const engine = await onnxRuntimeEngine(emitOnnx(graph, { ...settings, weights, opset }), { threads: 1 });
        results.push(await engine.run(batch));
        await engine.close();
      }
      for (const result of results.slice(1))
        for (const [name, tensor] of results[0] ?? []) expect(result.get(name)?.data).toEqual(tensor.data);
    }
  });
});

describe("versions", () => {
  const sketch = new Sketch();
  const x = sketch.input("x", "f32", [B, 3]);
  const graph = sketch.graph({
    sum: sketch.add("reduce_sum", [x], { axes: [1], keep: false }),
    mean: sketch.add("reduce_mean", [x], { axes: [1], keep: false }),
    max: sketch.add("reduce_max", [x], { axes: [1], keep: true }),
  });
  const emit = (options: { readonly opset?: number; readonly irVersion?: number }) =>
    decode(emitOnnx(graph, { ...settings, weights: new Map(), ...options }));

  test.each([
    [17, 8, "ReduceSum 2, ReduceMean 1, ReduceMax 1"],
    [18, 8, "ReduceSum 2, ReduceMean 2, ReduceMax 2"],
    [19, 9, "ReduceSum 2, ReduceMean 2, ReduceMax 2"],
    [20, 9, "ReduceSum 2, ReduceMean 2, ReduceMax 2"],
    [21, 10, "ReduceSum 2, ReduceMean 2, ReduceMax 2"],
  ])("opset %i is written with IR %i, and axes as it wants them", (opset, ir, operands) => {
    const model = emit({ opset });
    expect([Number(model.opsetImport[0]?.version), Number(model.irVersion)]).toEqual([opset, ir]);
    expect(model.graph?.node?.map(({ opType, input }) => `${opType} ${input?.length}`).join(", ")).toBe(operands);
  });

  test("other versions are refused", () => {
    expect(() => emit({ opset: 16 })).toThrow("opset 16 cannot be written");
    expect(Number(emit({ irVersion: 10 }).irVersion)).toBe(10);
  });
});

describe("weights beside the model", () => {
  const sketch = new Sketch();
  const ids = sketch.input("ids", "i32", [B]);
  const table = sketch.param("table", [500, 10]);
  const w = sketch.param("w", [10, 40]);
  const small = sketch.param("small", [40]);
  const rows = sketch.add("gather", [table, ids], { axis: 0 });
  const graph: Graph = sketch.graph({ y: sketch.add("add", [sketch.add("matmul", [rows, w], {}), small], {}) });
  const values = (size: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(i));
  const weights = new Map([
    ["table", values(5000)],
    ["w", values(400)],
    ["small", values(40)],
  ]);
  const external = { location: "model.onnx.data", when: "always" } as const;
  const entriesOf = (tensor: onnxProto.onnx.ITensorProto | undefined) =>
    Object.fromEntries(tensor?.externalData?.map(({ key, value }) => [key, value]) ?? []);

  test.each(["fp32", "fp16"] as const)("hold what the one file holds, %s", async (precision) => {
    const files = emitOnnxFiles(graph, { ...settings, weights, precision }, external);
    const data = Buffer.concat([...(files.data ?? [])]);
    const path = join(folder, "model.onnx");
    writeFileSync(path, files.model);
    writeFileSync(join(folder, external.location), data);
    const inline = emitOnnx(graph, { ...settings, weights, precision });
    for (const tensor of decode(files.model).graph?.initializer ?? []) {
      const whole = decode(inline).graph?.initializer?.find(({ name }) => name === tensor.name);
      const isMoved = (whole?.rawData?.length ?? 0) >= 1024;
      expect(tensor.externalData?.length).toBe(isMoved ? 3 : 0);
      if (!isMoved) continue;
      const { location, offset, length } = entriesOf(tensor);
      expect(location).toBe("model.onnx.data");
      expect(Number(offset) % 4096).toBe(0);
      expect(data.subarray(Number(offset), Number(offset) + Number(length)).equals(Buffer.from(whole?.rawData ?? []))).toBe(true);
    }
    const batch = new Map([["ids", { dtype: "i32", shape: [3], data: Int32Array.of(0, 499, 7) } as const]]);
    const [outside, inside] = [await onnxRuntimeEngine(path), await onnxRuntimeEngine(inline)];
    expect((await outside.run(batch)).get("y")?.data).toEqual((await inside.run(batch)).get("y")?.data);
    await Promise.all([outside.close(), inside.close()]);
  });

  test("are there only when asked for or needed", () => {
    expect(emitOnnxFiles(graph, { ...settings, weights }, { ...external, when: "large" }).data).toBeNull();
    const huge = new Sketch();
    const big = huge.param("big", [2 ** 16, 2 ** 13]);
    const large = huge.graph({ y: huge.add("gather", [big, huge.input("ids", "i32", [B])], { axis: 0 }) });
    const read: string[] = [];
    const source = { get: (name: string) => void read.push(name) };
    const files = emitOnnxFiles(large, { ...settings, weights: source }, { ...external, when: "large" });
    expect(entriesOf(decode(files.model).graph?.initializer?.[0])).toEqual({
      location: "model.onnx.data",
      offset: "0",
      length: String(2 ** 31),
    });
    // Weights are read when the data is, not before.
    expect(files.data).not.toBeNull();
    expect(read).toEqual([]);
    expect(() => emitOnnx(large, { ...settings, weights: source })).toThrow("do not fit into one ONNX file");
  });

  test("weights drawn on demand are the initial ones", () => {
    const [model] = checkFile("specs/mmoe.ple").models;
    const params = { params: model?.graph.params ?? [] };
    const source = drawWeights(params, 3);
    expect(initialWeights(params, 3).size).toBeGreaterThan(0);
    for (const [name, drawn] of initialWeights(params, 3)) expect(source.get(name)).toEqual(drawn);
    expect(source.get("nothing")).toBeUndefined();
  });
});
