import { describe, expect, it } from "vitest";
import { parseCsvBatch, parseJsonBatch } from "../../runtime/batch-file.ts";
import { resolveColumn } from "../../runtime/column-path.ts";
import type { ModelDescription } from "../../runtime/description.ts";
import { prepareBatch } from "../../runtime/inputs.ts";
import { description, features, input } from "./support.ts";

const cluster = input("cluster", { dtype: "i32", vocabulary: 20 });
const probs = input("probs", { shape: ["B", 2], optional: true });
const seq = input("seq", { shape: ["B", 2, 3], optional: true, fill: 9 });
const flag = input("flag", { dtype: "bool", optional: true });
const steps = input("steps", { shape: ["B", "T", 2] });
const weights = input("weights", { shape: ["B", "T"], optional: true });

const model = description([features, cluster, probs, seq, flag]);

async function prepare(
  of: ModelDescription,
  text: string,
  name = text.trimStart().startsWith("[") || text.startsWith("{") ? "b.json" : "b.csv",
) {
  const read = name.endsWith(".json") ? parseJsonBatch(name, text) : await parseCsvBatch(name, text);
  return read.batch === null ? { batch: null, rows: 0, diagnostics: read.diagnostics } : prepareBatch(of, read.batch);
}

describe("resolveColumn", () => {
  it.each([
    ["features", 0, 6],
    ["features.base", 0, 4],
    ["features.base.rfm", 0, 3],
    ["features.base.rfm.2", 2, 1],
    ["features.base.age", 3, 1],
    ["features.extra", 4, 2],
    ["features.extra.1", 5, 1],
    ["features.extra.right", 5, 1],
    ["features.extra.right.0", 5, 1],
    ["features.5", 5, 1],
    ["seq.1", 3, 3],
    ["seq.1.2", 5, 1],
    ["cluster", 0, 1],
  ])("%s is [%d, +%d)", (column, start, length) => {
    expect(resolveColumn(model, column)).toMatchObject({ start, length });
  });

  it.each([
    "feature",
    "features.6",
    "features.base.4",
    "features.base.rfm.3",
    "features.rfm",
    "seq.2",
    "seq.0.3",
    "seq.0.0.0",
    "cluster.0",
    "features.",
    "features.-1",
  ])("%s is nothing", (column) => expect(resolveColumn(model, column)).toBeNull());
});

describe("prepareBatch", () => {
  const wide = "[1,2,3,4,5,6]";

  it("rejects a batch whose rows give an input in two layouts", async () => {
    const { batch, rows, diagnostics } = await prepare(
      model,
      `[{"features":${wide},"cluster":3,"flag":true},{"features":{"base":[1,2,3,4],"extra":[5,6]},"cluster":19,"seq":[[1,2,3],[4,5,6]]}]`,
    );
    expect(diagnostics.map((d) => d.code)).toEqual(["input/twice"]);
    expect(batch).toBeNull();
    expect(rows).toBe(2);
  });

  it("reads slices nested, dotted and by element", async () => {
    const texts = [
      `[{"features":{"base":{"rfm":[1,2,3],"age":4},"extra":[5,6]},"cluster":3,"flag":true}]`,
      `{"features.base":[[1,2,3,4]],"features.extra.left":[5],"features.5":[[6]],"cluster":[3],"flag":[1]}`,
      "features.base.rfm.0,features.1,features.2,features.base.age,features.extra.0,features.5,cluster,flag\n1,2,3,4,5,6,3,true\n",
    ];
    for (const text of texts) {
      const { batch, diagnostics } = await prepare(model, text);
      expect(diagnostics.map((d) => d.message)).toEqual([]);
      expect(batch?.get("features")).toEqual({ dtype: "f32", shape: [1, 6], data: Float32Array.of(1, 2, 3, 4, 5, 6) });
      expect(batch?.get("cluster")).toEqual({ dtype: "i32", shape: [1], data: Int32Array.of(3) });
      expect(batch?.get("flag")).toEqual({ dtype: "bool", shape: [1], data: Uint8Array.of(1) });
      expect(batch?.get("probs")).toEqual({ dtype: "f32", shape: [1, 2], data: Float32Array.of(0, 0) });
      expect(batch?.get("seq")).toEqual({ dtype: "f32", shape: [1, 2, 3], data: new Float32Array(6).fill(9) });
    }
  });

  it("fills single missing rows of optional inputs", async () => {
    const { batch } = await prepare(
      model,
      `[{"features":${wide},"cluster":0,"seq":[[1,2,3],[4,5,6]]},{"features":${wide},"cluster":1,"seq":null}]`,
    );
    expect(batch?.get("seq")?.data).toEqual(Float32Array.of(1, 2, 3, 4, 5, 6, 9, 9, 9, 9, 9, 9));
  });

  it("binds dynamic dims, of filled inputs too", async () => {
    const { batch } = await prepare(description([weights, steps]), `{"steps":[[[1,2],[3,4],[5,6]]]}`);
    expect(batch?.get("steps")?.shape).toEqual([1, 3, 2]);
    expect(batch?.get("weights")?.shape).toEqual([1, 3]);
  });

  const good = `"features":${wide},"cluster":0`;
  it.each([
    ["unknown column", `[{${good},"clustr":1}]`, "input/unknown-column", "b.json: no input of the model is called `clustr`"],
    ["missing input", `[{"features":${wide}}]`, "input/missing", "b.json: input `cluster` is required and missing"],
    [
      "missing row",
      `[{${good}},{"cluster":1}]`,
      "input/missing",
      "b.json: row 2, column features: input `features` is required and missing",
    ],
    [
      "NaN in JSON",
      `[{"features":[1,2,3,4,5,"NaN"],"cluster":0}]`,
      "input/not-a-number",
      'b.json: row 1, column features: "NaN" is not a finite 32-bit number',
    ],
    [
      "null in a list",
      `[{"features":[1,2,3,4,5,null],"cluster":0}]`,
      "input/not-a-number",
      "b.json: row 1, column features: null is not a finite 32-bit number",
    ],
    [
      "too large for f32",
      `[{"features":[1,2,3,4,5,1e39],"cluster":0}]`,
      "input/not-a-number",
      "b.json: row 1, column features: 1e+39 is not a finite 32-bit number",
    ],
    [
      "a boolean for a float",
      `[{"features":[1,2,3,4,5,true],"cluster":0}]`,
      "input/not-a-number",
      "b.json: row 1, column features: true is not a finite 32-bit number",
    ],
    [
      "a fraction for an id",
      `[{"features":${wide},"cluster":1.5}]`,
      "input/not-a-number",
      "b.json: row 1, column cluster: 1.5 is not a 32-bit whole number",
    ],
    [
      "id too large",
      `[{${good}},{"features":${wide},"cluster":20}]`,
      "input/id-range",
      "b.json: row 2, column cluster: id 20 is not in 0..19",
    ],
    ["id negative", `[{"features":${wide},"cluster":-1}]`, "input/id-range", "b.json: row 1, column cluster: id -1 is not in 0..19"],
    ["too narrow", `[{"features":[1,2,3],"cluster":0}]`, "input/width", "b.json: row 1, column features: 3 values where 6 are expected"],
    ["a number for a row", `[{"features":1,"cluster":0}]`, "input/width", "b.json: row 1, column features: 1 values where 6 are expected"],
    ["ragged inner list", `[{${good},"seq":[[1,2,3],[4,5]]}]`, "input/width", "b.json: row 1, column seq: 2 values where 3 are expected"],
    [
      "columns of different length",
      `{"features":[${wide},${wide}],"cluster":[1]}`,
      "input/ragged",
      "b.json: column cluster: 1 rows where column features has 2",
    ],
    [
      "part of an input",
      `[{"features.base":[1,2,3,4],"cluster":0}]`,
      "input/uncovered",
      "b.json: 2 of the 6 values of input `features` are not given, the first being `features.extra.left.0`",
    ],
    [
      "twice",
      `[{${good},"features.base.age":1}]`,
      "input/twice",
      "b.json: column features.base.age: this value of input `features` is given by another column too",
    ],
    ["no rows", "[]", "input/empty", "b.json: there are no rows"],
    ["no object", "[3]", "input/unreadable", "b.json: row 1: a row is an object of values by input name"],
    ["CSV with a short row", "cluster,features\n1\n", "input/ragged", "b.csv: row 1: 1 cells under a header of 2 columns"],
    [
      "CSV with text",
      "cluster,features.0\nnan,1\n",
      "input/not-a-number",
      'b.csv: row 1, column cluster: "nan" is not a 32-bit whole number',
    ],
    [
      "CSV with infinity",
      "cluster\nInfinity\n",
      "input/not-a-number",
      "b.csv: row 1, column cluster: Infinity is not a 32-bit whole number",
    ],
    ["CSV without rows", "cluster\n", "input/empty", "b.csv: there are no rows"],
  ])("%s", async (_, text, code, message) => {
    const { batch, diagnostics } = await prepare(model, text, text.startsWith("[") || text.startsWith("{") ? "b.json" : "b.csv");
    expect(batch).toBeNull();
    expect(diagnostics.map((d) => [d.code, d.message])).toContainEqual([code, message]);
  });

  it("says once or thrice what is wrong with every row", async () => {
    const rows = Array.from({ length: 50 }, () => `{"features":[1],"cluster":0}`);
    expect((await prepare(model, `[${rows.join(",")}]`)).diagnostics).toHaveLength(3);
  });

  it("suggests the column that was meant", async () => {
    const { diagnostics } = await prepare(model, `[{${good},"clustr":1}]`);
    expect(diagnostics[0]?.help).toBe("did you mean `cluster`?");
  });

  it("rejects dynamic dims that differ between inputs", async () => {
    const { diagnostics } = await prepare(description([steps, weights]), `{"steps":[[[1,2],[3,4]]],"weights":[[1,2,3]]}`);
    expect(diagnostics.map((d) => d.message)).toEqual(["b.json: row 1, column weights: T is 3 here and 2 in column steps"]);
  });
});
