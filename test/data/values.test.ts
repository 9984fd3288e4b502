import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import type { LabelDescription } from "../../runtime/data/contract.ts";
import { Database } from "../../runtime/data/duckdb.ts";
import type { InputDescription } from "../../runtime/description.ts";
import { DataFolder, rowsOf } from "./open-data.ts";

const folder = new DataFolder();
afterAll(() => folder.remove());

const input = (name: string, shape: readonly (number | string)[], more: Partial<InputDescription> = {}): InputDescription => ({
  name,
  dtype: "f32",
  shape: ["B", ...shape],
  optional: false,
  fill: 0,
  vocabulary: null,
  slices: [],
  ...more,
});
const ids = (name: string, vocabulary: number, shape: readonly (number | string)[] = []) =>
  input(name, shape, { dtype: "i32", vocabulary });
const binary: LabelDescription = { task: "y", kind: "binary", width: 1 };

/** The rows of a CSV text that a mapping makes, without their numbers. */
async function read(
  inputs: readonly InputDescription[],
  csv: string,
  mapping: string,
  labels: readonly LabelDescription[] = [],
): Promise<Record<string, unknown[]>> {
  folder.write("rows.csv", csv);
  const { row: _, ...rows } = await rowsOf(await folder.require({ inputs, labels }, `source: rows.csv\n${mapping}`));
  return rows;
}

describe("numbers", () => {
  it.each([
    ["as they are", "x: a", [1, -2.5, 1000]],
    ["log", "x: { sql: abs(a), scale: log }", [Math.log(2), Math.log(3.5), Math.log(1001)]],
    ["symlog", "x: { column: a, scale: symlog }", [Math.log(2), -Math.log(3.5), Math.log(1001)]],
    ["SQL", "x: { sql: a * 2 + 1 }", [3, -4, 2001]],
  ])("%s", async (_, mapping, expected) => {
    const { x } = await read([input("x", [])], "a\n1\n-2.5\n1000\n", `inputs:\n  ${mapping}\n`);
    expect(x).toEqual(expected.map(Math.fround));
  });

  it("by the mean and the deviation of the training rows, here 4 and 2, not of those held out", async () => {
    // training rows 2, 4, 6 and 4: mean 4, squares 4 + 0 + 4 + 0, variance 2
    folder.write("rows.csv", "a\n2\n4\n6\n4\n1000\n");
    const yaml = "source: rows.csv\nsplits: { test: { every: 5 } }\ninputs:\n  x: { column: a, scale: standard }\n";
    const data = await folder.require({ inputs: [input("x", [])], labels: [] }, yaml);
    expect(data.statistics.moments).toEqual({ x: { mean: [4], deviation: [Math.sqrt(2)] } });
    expect((await rowsOf(data)).x).toEqual([-2, 0, 2, 0].map((value) => Math.fround(value / Math.sqrt(2))));
    expect((await rowsOf(data, { split: "test" })).x).toEqual([Math.fround(996 / Math.sqrt(2))]);
  });

  it("log first, then by the moments of the logarithms", async () => {
    // log(1 + x) is 0 and 2: mean 1, deviation 1
    const { x } = await read([input("x", [])], `a\n0\n${Math.E ** 2 - 1}\n`, "inputs:\n  x: { column: a, scale: [log, standard] }\n");
    expect(x?.map((value) => Number((value as number).toFixed(6)))).toEqual([-1, 1]);
  });

  it("each column by its own moments, and one that never changes is centred, with a warning", async () => {
    folder.write("rows.csv", "a,b\n1,5\n3,5\n");
    const yaml = "source: rows.csv\ninputs:\n  x: { columns: [a, b], scale: standard }\n";
    const { data, findings } = await folder.open({ inputs: [input("x", [2])], labels: [] }, yaml);
    expect(data?.statistics.moments.x).toEqual({ mean: [2, 5], deviation: [1, 1] });
    expect(findings.join("\n")).toContain("warning data/constant: column `b` of `x` has the same value in every training row");
    if (data !== null)
      expect((await rowsOf(data)).x).toEqual([
        [-1, 0],
        [1, 0],
      ]);
  });

  it("missing ones by what the mapping says, or by the mean", async () => {
    const csv = "a,b\n1,10\n,20\n3,\n";
    expect((await read([input("x", [2])], csv, "inputs:\n  x: { columns: [a, b], missing: -1 }\n")).x).toEqual([
      [1, 10],
      [-1, 20],
      [3, -1],
    ]);
    expect((await read([input("x", [2])], csv, "inputs:\n  x: { columns: [a, b], missing: mean }\n")).x).toEqual([
      [1, 10],
      [2, 20],
      [3, 15],
    ]);
    // the mean is where standardised values are 0
    const standard = await read([input("x", [])], "a\n1\n\n3\n", "inputs:\n  x: { column: a, missing: mean, scale: standard }\n");
    expect(standard.x).toEqual([-1, 0, 1]);
  });

  it("of an optional input a row may be without, and the input may be left out", async () => {
    const inputs = [input("x", [2], { optional: true, fill: 7 }), input("z", [3], { optional: true, fill: 1 })];
    const { x, z } = await read(inputs, "a,b\n1,2\n,\n", "inputs:\n  x: [a, b]\n");
    expect(x).toEqual([
      [1, 2],
      [7, 7],
    ]);
    expect(z).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
  });

  it("slices and elements of an input from columns of their own", async () => {
    const slices = [
      { name: "p", start: 0, width: 2, slices: [] },
      { name: "q", start: 2, width: 2, slices: [] },
    ];
    const mapping = "inputs:\n  x.p: [c1, c2]\n  x.q.0: c3\n  x.3: { column: c1, scale: symlog }\n";
    const { x } = await read([input("x", [4], { slices })], "c1,c2,c3\n0,5,6\n", mapping);
    expect(x).toEqual([[0, 5, 6, 0]]);
  });

  it("columns by a pattern, in the order of the file", async () => {
    const { x } = await read([input("x", [2])], "f_b,other,f_a\n1,2,3\n", "inputs:\n  x: ['f_*']\n");
    expect(x).toEqual([[1, 3]].map(([b, a]) => [b, a]));
  });

  it("true and false as numbers, and for inputs of bool", async () => {
    const { x, b } = await read([input("x", []), input("b", [], { dtype: "bool" })], "a\ntrue\nfalse\n", "inputs:\n  x: a\n  b: a\n");
    expect([x, b]).toEqual([
      [1, 0],
      [true, false],
    ]);
  });
});

describe("categories", () => {
  const csv = "c\nred\nblue\nred\ngreen\nblue\nred\n";

  it("by frequency from 1, ties by their text; 0 for what training has not", async () => {
    folder.write("rows.csv", "c,held\nred,0\nblue,0\nred,0\ngreen,0\nnavy,1\nred,1\n");
    const yaml = "source: rows.csv\nsplits: { test: held = 1 }\ninputs:\n  k: c\n";
    const data = await folder.require({ inputs: [ids("k", 5)], labels: [] }, yaml);
    expect(data.statistics.vocabularies).toEqual({ k: ["red", "blue", "green"] });
    expect((await rowsOf(data)).k).toEqual([1, 2, 1, 3]);
    expect((await rowsOf(data, { split: "test" })).k).toEqual([0, 1]);
  });

  it("the most frequent alone", async () => {
    expect((await read([ids("k", 3)], csv, "inputs:\n  k: { column: c, most: 1 }\n")).k).toEqual([1, 0, 1, 0, 0, 1]);
  });

  it("that have no room at all are an error", async () => {
    folder.write("rows.csv", csv);
    const { data, findings } = await folder.open({ inputs: [ids("k", 1)], labels: [] }, "source: rows.csv\ninputs:\n  k: c\n");
    expect(data).toBeNull();
    expect(findings.join()).toContain("error data/vocabulary: `k` has 3 categories and room for 0");
  });

  it("of several columns together, and of lists with what stands for missing ones", async () => {
    const csv = 'c,d,s\nred,blue,"[a, b, NULL]"\nblue,blue,"[a]"\nred,navy,[]\n';
    folder.write("rows.csv", csv);
    const inputs = [ids("k", 5, [2]), ids("s", 4, ["T"])];
    const query = "{ query: \"SELECT c, d, CAST(s AS VARCHAR[]) AS s FROM 'rows.csv' ORDER BY ALL DESC\" }";
    const yaml = `source: ${query}\ninputs:\n  k: { columns: [c, d] }\n  s: { length: 3, categories: learn, missing: none }\n`;
    const data = await folder.require({ inputs, labels: [] }, yaml);
    expect(data.statistics.vocabularies).toEqual({ k: ["blue", "red", "navy"], s: ["a", "b", "none"] });
    expect((await rowsOf(data)).s).toEqual([
      [0, 0, 0],
      [1, 2, 3],
      [1, 0, 0],
    ]);
  });

  it("a fixed list, with an id for all others", async () => {
    const { k } = await read([ids("k", 3)], csv, "inputs:\n  k: { column: c, categories: [blue, red], unknown: 2 }\n");
    expect(k).toEqual([1, 0, 1, 2, 0, 1]);
  });

  it("numbers as categories, and ids as they are", async () => {
    const mapping = "inputs:\n  k: { column: c, categories: learn }\n  i: c\n";
    const { k, i } = await read([ids("k", 5), ids("i", 9)], "c\n7\n3\n7\n", mapping);
    expect([k, i]).toEqual([
      [1, 2, 1],
      [7, 3, 7],
    ]);
  });

  it("hashes in range, equal for equal texts, and spread", async () => {
    const rows = Array.from({ length: 2000 }, (_, i) => `user${i % 1000}`);
    const { k } = await read([ids("k", 50)], `c\n${rows.join("\n")}\n`, "inputs:\n  k: { column: c, categories: hash }\n");
    const found = k as number[];
    expect(found.slice(0, 1000)).toEqual(found.slice(1000));
    const md5 = (text: string) => createHash("md5").update(text).digest().readBigUInt64LE(8);
    expect(found).toEqual(rows.map((text) => Number(md5(text) % 50n)));
    expect(Math.min(...found)).toBe(0);
    expect(Math.max(...found)).toBe(49);
    // chi-square with 49 degrees of freedom: 85.4 is exceeded once in a thousand
    const counts = Array.from({ length: 50 }, (_, id) => found.slice(0, 1000).filter((value) => value === id).length);
    expect(counts.reduce((sum, count) => sum + (count - 20) ** 2 / 20, 0)).toBeLessThan(85.4);
  });

  it("missing ones by what the mapping says", async () => {
    const { k } = await read([ids("k", 5)], "c,d\na,1\n,2\n", "inputs:\n  k: { column: c, missing: none }\n");
    expect([...(k as number[])].sort()).toEqual([1, 2]);
  });

  it("in lists", async () => {
    const mapping = "inputs:\n  k: { column: c, length: 3, categories: learn }\n";
    const { k } = await read([ids("k", 4, ["T"])], 'c\n"[a, b, a]"\n"[b]"\n[]\n', mapping);
    expect(k).toEqual([
      [1, 2, 1],
      [2, 0, 0],
      [0, 0, 0],
    ]);
  });
});

describe("lists", () => {
  const sequence = [input("s", [3, 2]), input("s_mask", [3])];
  const csv = 's\n"[[1,2]]"\n"[[1,2],[3,4],[5,6],[7,8]]"\n';

  it.each([
    [
      "last",
      [
        [3, 4],
        [5, 6],
        [7, 8],
      ],
    ],
    [
      "first",
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ],
  ])("of a longer one the %s steps, and a mask", async (keep, expected) => {
    const { s, s_mask } = await read(sequence, csv, `inputs:\n  s: { mask: s_mask, keep: ${keep} }\n`);
    expect(s).toEqual([
      [
        [1, 2],
        [0, 0],
        [0, 0],
      ],
      expected,
    ]);
    expect(s_mask).toEqual([
      [1, 0, 0],
      [1, 1, 1],
    ]);
  });

  it("padded at the start", async () => {
    const { s, s_mask } = await read(sequence, csv, "inputs:\n  s: { mask: s_mask, keep: last, pad: start }\n");
    expect(s?.[0]).toEqual([
      [0, 0],
      [0, 0],
      [1, 2],
    ]);
    expect(s_mask?.[0]).toEqual([0, 0, 1]);
  });

  it("missing ones of optional inputs, with their mask", async () => {
    const inputs = sequence.map((item, i) => ({ ...item, optional: true, fill: i }));
    const { s, s_mask } = await read(inputs, 's,n\n"[[1,2]]",1\n,2\n', "inputs:\n  s: { mask: s_mask }\n");
    expect(s?.[1]).toEqual([
      [0, 0],
      [0, 0],
      [0, 0],
    ]);
    expect(s_mask).toEqual([
      [1, 0, 0],
      [1, 1, 1],
    ]);
  });

  it("as long as the longest of a batch, where the model leaves the length open", async () => {
    folder.write("rows.csv", 's\n"[1]"\n"[1,2]"\n"[1,2,3,4,5,6]"\n');
    const yaml = "source: rows.csv\ninputs:\n  s: { length: 4, keep: last }\n";
    const data = await folder.require({ inputs: [input("s", ["T"])], labels: [] }, yaml);
    const shapes: (readonly number[])[] = [];
    for await (const { tensors } of data.batches({ split: "train", size: 2 })) shapes.push(tensors.get("s")?.shape ?? []);
    expect(shapes).toEqual([
      [2, 2],
      [1, 4],
    ]);
    expect((await rowsOf(data, { size: 3 })).s).toEqual([
      [1, 0, 0, 0],
      [1, 2, 0, 0],
      [3, 4, 5, 6],
    ]);
  });

  it("by the moments of each place of a step, padding left out", async () => {
    folder.write("rows.csv", 's\n"[[0,10]]"\n"[[2,10],[4,40]]"\n');
    const yaml = "source: rows.csv\ninputs:\n  s: { mask: s_mask, scale: standard }\n";
    const data = await folder.require({ inputs: sequence, labels: [] }, yaml);
    // 0, 2, 4: mean 2, variance 8/3; 10, 10, 40: mean 20, variance 200
    const { mean, deviation } = data.statistics.moments.s ?? { mean: [], deviation: [] };
    expect(mean).toEqual([2, 20]);
    expect(deviation.map((value) => value ** 2)).toEqual([expect.closeTo(8 / 3, 12), expect.closeTo(200, 10)]);
    expect((await rowsOf(data)).s?.[0]).toEqual([
      [Math.fround(-2 / Math.sqrt(8 / 3)), Math.fround(-10 / Math.sqrt(200))],
      [0, 0],
      [0, 0],
    ]);
  });

  it("hold large numbers exactly until they are scaled, and ids whatever their size", async () => {
    const query =
      '{ query: "SELECT [[1700000000 + i, 0.5], [1700000002 + i, 1.5]] AS s, [16777217 + i, 16777219] AS k FROM range(2) t(i) ORDER BY i" }';
    const yaml = `source: ${query}\ninputs:\n  s: { scale: standard }\n  k:\n`;
    const data = await folder.require({ inputs: [input("s", [2, 2]), ids("k", 2 ** 25, [2])], labels: [] }, yaml);
    expect(data.statistics.moments.s?.mean).toEqual([1_700_000_001.5, 1]);
    const { s, k } = await rowsOf(data);
    expect(k).toEqual([1, 2].map((i) => [16_777_216 + i, 16_777_219]));
    // 0, 2, 1 and 3 after 1,700,000,000: mean 1.5, variance 1.25
    const first = (s as number[][][]).map((row) => row.map(([value]) => value));
    expect(first).toEqual([
      [-1.5, 0.5].map((value) => Math.fround(value / Math.sqrt(1.25))),
      [-0.5, 1.5].map((value) => Math.fround(value / Math.sqrt(1.25))),
    ]);
  });

  it("of structs, by the names of their fields", async () => {
    const query = "{ query: \"SELECT [{'day': 1, 'amount': 5.5}, {'day': 2, 'amount': 6.5}] AS s ORDER BY 1\" }";
    const yaml = `source: ${query}\ninputs:\n  s: { fields: [amount, day], pad: end }\n`;
    const data = await folder.require({ inputs: [input("s", [3, 2])], labels: [] }, yaml);
    expect((await rowsOf(data)).s).toEqual([
      [
        [5.5, 1],
        [6.5, 2],
        [0, 0],
      ],
    ]);
  });
});

describe("labels", () => {
  const x = [input("x", [])];

  it("SQL, missing where it is NULL", async () => {
    const csv = "a,income,stage,v\n1,50000+,new,2\n2,- 50000,old,\n3,,,4\n";
    const labels: LabelDescription[] = [binary, { task: "c", kind: "classes", width: 2 }, { task: "r", kind: "regression", width: 1 }];
    const mapping = "inputs:\n  x: a\nlabels:\n  y: income = '50000+'\n  c: { column: stage, categories: [new, old] }\n  r: v / 2\n";
    const rows = await read(x, csv, mapping, labels);
    expect(rows["label/y"]).toEqual([1, 0, -1]);
    expect(rows["label/c"]).toEqual([0, 1, -1]);
    expect(rows["label/r"]).toEqual([1, Number.NaN, 2]);
  });

  it("lists for embeddings and wide regressions, scaled on request", async () => {
    const labels: LabelDescription[] = [
      { task: "e", kind: "embedding", width: 2 },
      { task: "r", kind: "regression", width: 1 },
    ];
    const mapping = "inputs:\n  x: a\nlabels:\n  e: { column: e }\n  r: { column: a, scale: standard }\n";
    const rows = await read(x, 'a,e\n1,"[1, 0]"\n3,\n', mapping, labels);
    expect(rows["label/e"]).toEqual([
      [1, 0],
      [Number.NaN, Number.NaN],
    ]);
    expect(rows["label/r"]).toEqual([-1, 1]);
  });

  it("of one outcome are a warning", async () => {
    folder.write("rows.csv", "a\n1\n2\n");
    const { findings } = await folder.open({ inputs: x, labels: [binary] }, "source: rows.csv\ninputs:\n  x: a\nlabels:\n  y: a > 0\n");
    expect(findings.join("\n")).toContain("warning data/one-class: all labels of task `y` in split `train` are the same");
  });

  it("are not needed to predict", async () => {
    const rows = await read(x, "a\n1\n", "inputs:\n  x: a\nlabels:\n  y: not_there > 0\n");
    expect(rows).toEqual({ x: [1] });
  });
});

describe("sources", () => {
  const csv = `a;c;s\n1;"x;y";[1, 2]\n2;z;"[3, 4]"\n`;
  const yaml = (source: string) => `source: ${source}\ninputs:\n  x: a\n  k: { column: c, categories: ["x;y", z] }\n  s: s\n`;
  const inputs = [input("x", []), ids("k", 2), input("s", [2])];
  const expected = {
    row: [1, 2],
    x: [1, 2],
    k: [0, 1],
    s: [
      [1, 2],
      [3, 4],
    ],
  };

  it("the same rows from CSV, gzip, TSV, JSON, Parquet and SQL", async () => {
    folder.write("t.csv", csv);
    folder.write("t.csv.gz", gzipSync(csv));
    folder.write("t.tsv", csv.replaceAll(";", "\t").replace("x\ty", "x;y"));
    const objects = [
      { a: 1, c: "x;y", s: [1, 2] },
      { a: 2, c: "z", s: [3, 4] },
    ];
    folder.write("t.json", JSON.stringify(objects));
    folder.write("t.jsonl", objects.map((row) => JSON.stringify(row)).join("\n"));
    const database = await Database.open(folder.path);
    await database.run(`COPY (SELECT * FROM '${folder.path}/t.json') TO '${folder.path}/t.parquet'`);
    database.close();
    const query = "{ query: \"SELECT * FROM 't.parquet' ORDER BY a\" }";
    for (const source of ["t.csv", "t.csv.gz", "t.tsv", "t.json", "t.jsonl", "t.parquet", query]) {
      const data = await folder.require({ inputs, labels: [] }, yaml(source));
      expect({ source, ...(await rowsOf(data)) }).toEqual({ source, ...expected });
    }
  });

  it("several files in order, rows counted on", async () => {
    folder.write("many/1.csv", "a\n1\n2\n");
    folder.write("many/2.csv", "a\n3\n");
    const data = await folder.require({ inputs: [input("x", [])], labels: [] }, "source: many/*.csv\ninputs:\n  x: a\n");
    expect(await rowsOf(data)).toEqual({ row: [1, 2, 3], x: [1, 2, 3] });
  });

  it("other files in place of the mapping's", async () => {
    const path = folder.write("other.csv", "a\n9\n");
    const data = await folder.require({ inputs: [input("x", [])], labels: [] }, "source: gone.csv\ninputs:\n  x: a\n", { files: [path] });
    expect((await rowsOf(data)).x).toEqual([9]);
  });

  it("rows by `where`, splits by SQL and by number, each row in one", async () => {
    folder.write("rows.csv", `a\n${Array.from({ length: 20 }, (_, i) => i + 1).join("\n")}\n`);
    const text = "source: rows.csv\nwhere: a <> 3\nsplits:\n  valid: a > 15\n  test: { every: 5 }\ninputs:\n  x: a\n";
    const data = await folder.require({ inputs: [input("x", [])], labels: [] }, text);
    expect((await rowsOf(data, { split: "valid" })).x).toEqual([16, 17, 18, 19, 20]);
    expect((await rowsOf(data, { split: "test" })).x).toEqual([5, 10, 15]);
    expect((await rowsOf(data)).x).toEqual([1, 2, 4, 6, 7, 8, 9, 11, 12, 13, 14]);
  });
});
