import { describe, expect, test } from "vitest";
import { differentiate } from "../../compiler/autodiff/differentiate.ts";
import { takeTableRows } from "../../compiler/autodiff/table-rows.ts";
import { GraphBuilder } from "../../compiler/ir/builder.ts";
import { symbolDim } from "../../compiler/ir/dim.ts";
import type { Graph, Value } from "../../compiler/ir/graph.ts";
import { interpret } from "../../compiler/ir/interpreter.ts";
import { makeArray, type NdArray } from "../../compiler/ir/ndarray.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { prune } from "../../compiler/passes/prune.ts";
import { makeTensor } from "../../runtime/engine.ts";
import { findBatchRows, readRows, writeRows } from "../../runtime/table-rows.ts";
import { Sketch } from "../ops/build-graph.ts";

const B = symbolDim("B");
const count = 50;
const width = 3;

/** Two categorical inputs, one of them a list, read one table; the loss is Σ (row of a · Σ rows of b). */
function sharedTable(): Graph {
  const sketch = new Sketch();
  const a = sketch.input("a", "i32", [B], { vocabulary: count });
  const b = sketch.input("b", "i32", [B, 2], { vocabulary: count });
  const table = sketch.param("table", [count, width]);
  const first = sketch.add("gather", [table, a], { axis: 0 });
  const lists = sketch.add("gather", [table, sketch.add("reshape", [b], { shape: [2, B] })], { axis: 0 });
  const product = sketch.add("mul", [first, sketch.add("reduce_sum", [lists], { axes: [0], keep: false })], {});
  return sketch.graph({ loss: sketch.add("reduce_sum", [product], { axes: [0, 1], keep: false }) });
}

function withGradientBy(graph: Graph, value: Value): Graph {
  const builder = GraphBuilder.continuing(graph.nodes);
  const loss = graph.outputs[0]?.value as Value;
  const one = builder.add("constant", [], { dtype: "f32", shape: [], data: [1] }, { path: "one", span: null }) as readonly Value[];
  const [gradient] = differentiate(builder, [{ value: loss, cotangent: one[0] as Value }], [value]);
  return prune({ ...graph, nodes: builder.nodes, outputs: [...graph.outputs, { name: "gradient", value: gradient as Value, doc: null }] });
}

const tableData = Float32Array.from({ length: count * width }, (_, i) => Math.sin(i));
const tableOf = (data: Float32Array) => makeTensor("f32", [count, width], data);
const ids = { a: [7, 41, 7, 0], b: [41, 41, 3, 7, 0, 0, 12, 7] };

describe("a table as the rows of a batch", () => {
  const graph = sharedTable();
  const { graph: taken, tables } = takeTableRows(graph, { smallest: 10 });
  const [table] = tables;
  if (table === undefined) throw new Error("no table was taken");

  test("the table is gone, and its inputs are there", () => {
    verifyGraph(taken);
    expect(taken.params).toEqual([]);
    expect(taken.inputs.map(({ name, value }) => `${name} [${value.type.shape.join(", ")}]`)).toEqual([
      "a [B]",
      "b [B, 2]",
      "rows/table [U0, 3]",
      "rows/table/of/a [B]",
      "rows/table/of/b [B, 2]",
    ]);
  });

  test("the loss and the gradient of the rows are those of the whole table", () => {
    const batch = new Map([
      ["a", makeTensor("i32", [4], ids.a)],
      ["b", makeTensor("i32", [4, 2], ids.b)],
    ]);
    const { numbers, places } = findBatchRows(table.ids, batch);
    expect([...numbers]).toEqual([0, 3, 7, 12, 41]);
    const toArray = ({ shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }) =>
      makeArray(shape, Float64Array.from(data));
    const given = new Map([...batch].map(([name, tensor]) => [name, toArray(tensor)]));
    const whole = interpret(withGradientBy(graph, graph.params[0]?.value as Value), {
      inputs: given,
      params: new Map([["table", toArray(tableOf(tableData))]]),
    });
    const rows = readRows("table", tableOf(tableData), numbers);
    const some = interpret(withGradientBy(taken, table.rows), {
      inputs: new Map([...given, ["rows/table", toArray(rows)], ...[...places].map(([name, tensor]) => [name, toArray(tensor)] as const)]),
      params: new Map(),
    });
    expect(some.get("loss")?.data[0]).toBeCloseTo(whole.get("loss")?.data[0] as number, 12);
    const dense = (whole.get("gradient") as NdArray).data;
    const sparse = (some.get("gradient") as NdArray).data;
    expect(sparse.length).toBe(5 * width);
    const scattered = new Float32Array(count * width);
    writeRows(tableOf(scattered), numbers, makeTensor("f32", [5, width], Float32Array.from(sparse)));
    expect(scattered).toEqual(Float32Array.from(dense));
  });

  test("rows that the batch does not use are neither read nor written", () => {
    const watched = Float32Array.from(tableData);
    const before = Float32Array.from(tableData);
    const batch = new Map([
      ["a", makeTensor("i32", [1], [5])],
      ["b", makeTensor("i32", [1, 2], [5, 6])],
    ]);
    const { numbers } = findBatchRows(table.ids, batch);
    const { shape, data } = readRows("table", tableOf(watched), numbers);
    writeRows(
      tableOf(watched),
      numbers,
      makeTensor(
        "f32",
        shape,
        Float32Array.from(data, (x) => x + 1),
      ),
    );
    const changed = [...watched.keys()].filter((i) => watched[i] !== before[i]).map((i) => Math.floor(i / width));
    expect([...new Set(changed)]).toEqual([5, 6]);
  });
});

const kept: readonly (readonly [why: string, build: (sketch: Sketch, table: Value, ids: Value) => Value])[] = [
  [
    "it is read in another way too",
    (s, table, ids) => s.add("add", [s.add("reduce_sum", [table], { axes: [0, 1], keep: false }), gathered(s, table, ids)], {}),
  ],
  [
    "its ids are computed",
    (s, table, ids) => gathered(s, table, s.add("max", [ids, s.add("constant", [], { dtype: "i32", shape: [], data: [1] })], {})),
  ],
  ["it is an output", (_, table) => table],
];

function gathered(sketch: Sketch, table: Value, ids: Value): Value {
  return sketch.add("reduce_sum", [sketch.add("gather", [table, ids], { axis: 0 })], { axes: [0, 1], keep: false });
}

test.each(kept)("a table stays where %s", (_, build) => {
  const sketch = new Sketch();
  const input = sketch.input("a", "i32", [B], { vocabulary: count });
  const graph = sketch.graph({ y: build(sketch, sketch.param("table", [count, width]), input) });
  expect(takeTableRows(graph, { smallest: 10 }).tables).toEqual([]);
});

test("a small table stays, and so does one whose input has no vocabulary", () => {
  const sketch = new Sketch();
  const table = sketch.param("table", [count, width]);
  const small = sketch.graph({ y: gathered(sketch, table, sketch.input("a", "i32", [B], { vocabulary: count })) });
  expect(takeTableRows(small).tables).toEqual([]);
  const plain = sketch.graph({ y: gathered(sketch, table, sketch.input("b", "i32", [B])) });
  expect(takeTableRows(plain, { smallest: 10 }).tables).toEqual([]);
});
