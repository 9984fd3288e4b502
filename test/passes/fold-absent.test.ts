import { describe, expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { evaluateShape, fullArray, makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { foldAbsentInputs, unboundSymbols } from "../../compiler/passes/fold-absent.ts";
import { dropUnreadInputs, selectOutputs } from "../../compiler/passes/select-outputs.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { randomStream, type Weights } from "../../compiler/weights.ts";
import { f32, Sketch } from "../ops/build-graph.ts";
import { largestDifference } from "../ops/run-onnx.ts";
import { specFiles } from "../specs/checked-specs.ts";
import { stirredWeights } from "../specs/stirred-weights.ts";

const B = symbolDim("B");
const T = symbolDim("T");

function draw(value: Value, random: () => number, symbols: ReadonlyMap<string, number>): NdArray {
  const shape = evaluateShape(value.type.shape, symbols);
  const size = fullArray(shape, 0).data;
  return makeArray(
    shape,
    size.map(() => (value.type.dtype === "f32" ? 2 * random() - 1 : Math.floor(3 * random()))),
  );
}

/** Runs a graph fed with the fills, and the folded one without those inputs. */
function expectSameAsFilled(graph: Graph, folded: Graph, absent: ReadonlySet<string>, weights: Weights, batch = 3): void {
  verifyGraph(folded);
  const symbols = new Map([
    ["B", batch],
    ["T", 4],
  ]);
  const random = randomStream(7, "fold");
  const given = new Map(
    graph.inputs.filter(({ name }) => !absent.has(name)).map(({ name, value }) => [name, draw(value, random, symbols)]),
  );
  const filled = graph.inputs
    .filter(({ name }) => absent.has(name))
    .map(({ name, value, fill }) => [name, fullArray(evaluateShape(value.type.shape, symbols), fill)] as const);
  const params = new Map(
    graph.params.map(({ name, value }) => [
      name,
      makeArray(evaluateShape(value.type.shape, new Map()), Float64Array.from(weights.get(name) ?? [])),
    ]),
  );
  const wanted = interpret(graph, { inputs: new Map([...given, ...filled]), params });
  const found = interpret(folded, { inputs: given, params });
  expect([...found.keys()]).toEqual([...wanted.keys()]);
  for (const [name, value] of wanted) expect(largestDifference(found.get(name) as NdArray, value), name).toBeLessThan(1e-9);
}

const opsOf = (graph: Graph): readonly string[] => graph.nodes.map((node) => node.op).filter((op) => op !== "input" && op !== "param");

describe("what an absent input leaves", () => {
  interface Parts {
    readonly sketch: Sketch;
    /** Always there: f32[B, 3]. */
    readonly x: Value;
    /** Absent, filled with 0: f32[B, 3]. */
    readonly gone: Value;
    readonly w: Value;
    readonly b: Value;
  }
  const present = ({ sketch, gone }: Parts): Value => {
    const any = sketch.add("reduce_max", [sketch.add("abs", [gone], {})], { axes: [1], keep: true });
    return sketch.add("cast", [sketch.add("gt", [any, sketch.scalar(0)], {})], { dtype: "f32" });
  };
  const expert = ({ sketch, w, b }: Parts, x: Value): Value =>
    sketch.add("layer_norm", [sketch.add("tanh", [sketch.add("matmul", [x, w], {})], {}), b, b], { epsilon: 1e-5 });
  /** What is left of the graph beside inputs and params. */
  const cases: readonly (readonly [name: string, build: (parts: Parts) => Value, ops: readonly string[]])[] = [
    ["the fill", ({ gone }) => gone, ["full"]],
    ["its product with a weight is 0", ({ sketch, gone, w }) => sketch.add("matmul", [gone, w], {}), ["full"]],
    ["a layer of it is its bias", ({ sketch, gone, w, b }) => sketch.add("add", [sketch.add("matmul", [gone, w], {}), b], {}), ["expand"]],
    ["a sum with it is the other operand", ({ sketch, gone, x }) => sketch.add("add", [gone, sketch.add("exp", [x], {})], {}), ["exp"]],
    ["its normalisation is beta", ({ sketch, gone, b }) => sketch.add("layer_norm", [gone, b, b], { epsilon: 1e-5 }), ["expand"]],
    ["its softmax is even", ({ sketch, gone }) => sketch.add("softmax", [gone], { axis: 1 }), ["full"]],
    ["a masked branch of weights alone", (parts) => parts.sketch.add("mul", [present(parts), expert(parts, parts.gone)], {}), ["full"]],
    [
      "a masked branch that reads data stays, for 0 · NaN is NaN",
      (parts) => parts.sketch.add("mul", [present(parts), expert(parts, parts.x)], {}),
      ["matmul", "tanh", "layer_norm", "full", "mul"],
    ],
    [
      "a chosen branch goes whatever it reads",
      (parts) =>
        parts.sketch.add(
          "where",
          [parts.sketch.add("gt", [present(parts), parts.sketch.scalar(0)], {}), expert(parts, parts.x), parts.b],
          {},
        ),
      ["expand"],
    ],
    [
      "a branch that is infinite stays",
      ({ sketch, gone, b }) => sketch.add("mul", [gone, sketch.add("exp", [sketch.add("mul", [b, sketch.scalar(1e3)], {})], {})], {}),
      ["constant", "mul", "exp", "full", "mul"],
    ],
    [
      "a flag of data is finite",
      ({ sketch, gone, x }) =>
        sketch.add("mul", [gone, sketch.add("cast", [sketch.add("gt", [x, sketch.scalar(0)], {})], { dtype: "f32" })], {}),
      ["full"],
    ],
  ];
  test.each(cases)("%s", (_, build, ops) => {
    const sketch = new Sketch();
    const parts = {
      sketch,
      x: sketch.input("x", "f32", [B, 3]),
      gone: sketch.input("gone", "f32", [B, 3], { optional: true }),
      w: sketch.param("w", [3, 3]),
      b: sketch.param("b", [3]),
    };
    const weights = new Map([
      ["w", Float32Array.from({ length: 9 }, (_, i) => i / 3 - 1)],
      ["b", Float32Array.of(0.5, 1, 2)],
    ]);
    const graph = sketch.graph({ y: build(parts) });
    const folded = foldAbsentInputs(graph, { names: new Set(["gone"]), weights });
    expect(opsOf(folded).toSorted()).toEqual(ops.toSorted());
    expect(folded.inputs.map((input) => input.name)).toEqual(["x"]);
    if (!ops.includes("exp") || ops.length === 1) expectSameAsFilled(graph, folded, new Set(["gone"]), weights);
  });

  test("an infinite weight is not multiplied away", () => {
    const sketch = new Sketch();
    const gone = sketch.input("gone", "f32", [B, 1], { optional: true });
    sketch.input("x", "f32", [B]);
    const graph = sketch.graph({ y: sketch.add("matmul", [gone, sketch.param("w", [1, 2])], {}) });
    const fold = (value: number) =>
      opsOf(foldAbsentInputs(graph, { names: new Set(["gone"]), weights: new Map([["w", Float32Array.of(1, value)]]) }));
    expect(fold(2)).toEqual(["full"]);
    expect(fold(Number.POSITIVE_INFINITY)).toEqual(["full", "matmul"]);
  });

  test("a fill other than 0 is folded too, and loops are kept", () => {
    const sketch = new Sketch();
    const x = sketch.input("x", "f32", [B, T]);
    const gone = sketch.input("gone", "f32", [B, T], { optional: true, fill: 2 });
    const body = sketch.body([f32(B), f32(B), f32(B)], ([h, a, b]) => [
      sketch.add("add", [sketch.add("mul", [h as Value, a as Value], {}), b as Value], {}),
    ]);
    const initial = sketch.add("full", [], { dtype: "f32", shape: [B], value: 1 });
    const graph = sketch.graph({ y: sketch.add("scan", [initial, sketch.add("exp", [gone], {}), x], { axis: 1, states: 1, body }) });
    const folded = foldAbsentInputs(graph, { names: new Set(["gone"]), weights: new Map() });
    expect(opsOf(folded).toSorted()).toEqual(["full", "full", "scan"]);
    expectSameAsFilled(graph, folded, new Set(["gone"]), new Map());
  });

  test("an axis whose length only the absent input tells is named", () => {
    const sketch = new Sketch();
    sketch.input("x", "f32", [B]);
    const gone = sketch.input("gone", "f32", [B, T], { optional: true });
    const fold = (value: Value) =>
      unboundSymbols(foldAbsentInputs(sketch.graph({ y: value }), { names: new Set(["gone"]), weights: new Map() }));
    expect(fold(gone)).toEqual(["T"]);
    expect(fold(sketch.add("reduce_max", [gone], { axes: [1], keep: false }))).toEqual([]);
  });
});

describe("selected outputs", () => {
  const sketch = new Sketch();
  const [a, b, c] = [sketch.input("a", "f32", [B, 2]), sketch.input("b", "f32", [B, T], { optional: true }), sketch.input("c", "f32", [B])];
  const graph = sketch.graph({
    one: sketch.add("exp", [a], {}),
    two: sketch.add("add", [sketch.add("reduce_sum", [b], { axes: [1], keep: false }), c], {}),
    three: sketch.add("full", [], { dtype: "f32", shape: [B, 4], value: 1 }),
  });
  const select = (...names: readonly string[]) => dropUnreadInputs(selectOutputs(graph, new Set(names)));

  test.each([
    [["one"], ["a"]],
    [["two"], ["b", "c"]],
    [
      ["two", "one"],
      ["a", "b", "c"],
    ],
    // Something must tell how large the batch is.
    [["three"], ["a"]],
  ])("%j read %j", (names, inputs) => {
    const part = select(...names);
    verifyGraph(part);
    expect(part.inputs.map(({ name }) => name)).toEqual(inputs);
    expect(part.outputs.map(({ name }) => name)).toEqual(graph.outputs.map(({ name }) => name).filter((name) => names.includes(name)));
  });
});

describe.each(specFiles)("%s", (spec) => {
  const models = checkFile(`specs/${spec}`).models;

  test("gives the same without its optional inputs as with their fills", { timeout: 240_000 }, () => {
    for (const model of models) {
      const optional = model.inputs.filter((input) => input.optional).map((input) => input.name);
      const graph = simplify(model.graph);
      const weights = stirredWeights(graph, 1);
      for (const absent of optional.length === 0 ? [] : [new Set(optional), new Set(optional.filter((_, i) => i % 2 === 0))]) {
        const folded = foldAbsentInputs(graph, { names: absent, weights });
        expect(folded.inputs.map(({ name }) => name)).toEqual(graph.inputs.map(({ name }) => name).filter((name) => !absent.has(name)));
        expect(folded.params.length).toBeLessThan(graph.params.length);
        expect(folded.nodes.length).toBeLessThan(graph.nodes.length);
        expectSameAsFilled(graph, folded, absent, weights, 2);
      }
    }
  });
});
