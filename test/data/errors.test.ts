import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { Database } from "../../runtime/data/duckdb.ts";
import { contractFor, DataFolder } from "./open-data.ts";

const folder = new DataFolder();
afterAll(() => folder.remove());

const contract = contractFor(`import { Dense, Tower } from "std/layers"
import { bce, nll } from "std/losses"
model M {
  input x: f32[B, 2] { age: 1, pay: 1 }
  input kind: id[B] of 3
  input steps: f32[B, 3, 2]?
  input steps_mask: f32[B, 3]? = 1
  experts shared { only = Dense(concat([x, embedding(kind, 2), flatten(steps), steps_mask]), [4]) }
  task bought: binary { loss: bce }
  task stage: classes(3) { loss: nll }
  flow per task { return shared.only |> Tower(task.width, [4]) }
}
`);

const header = "age,pay,kind,steps,bought,stage\n";
const good = '1,2,0,"[[1,2],[3,4]]",1,0\n2,3,1,,0,2\n';

interface Change {
  readonly source?: string;
  readonly top?: string;
  readonly x?: string;
  readonly kind?: string;
  readonly steps?: string;
  readonly more?: string;
  readonly bought?: string;
  readonly stage?: string;
}

const mapping = (change: Change): string => `source: ${change.source ?? "good.csv"}
${change.top ?? "where: TRUE IS NOT NULL"}
inputs:
  x: ${change.x ?? "[age, pay]"}
  kind: ${change.kind ?? "kind"}
  steps: ${change.steps ?? "{ mask: steps_mask }"}
${change.more ?? ""}
labels:
  bought: ${change.bought ?? "bought"}
  stage: ${change.stage ?? "{ column: stage }"}
`;

folder.write("good.csv", header + good);

async function errorsOf(change: Change): Promise<string> {
  const { data, findings } = await folder.open(contract, mapping(change));
  expect(data).toBeNull();
  return findings.filter((text) => text.includes("error ")).join("\n");
}

it("takes the good file", async () => {
  const { data, findings } = await folder.open(contract, mapping({}));
  expect(findings).toEqual([]);
  expect(data?.splits).toEqual([{ name: "train", rows: 2 }]);
});

describe("a mapping that does not fit is an error with its place", () => {
  const cases: readonly [what: string, change: Change, ...expected: string[]][] = [
    ["a wrong column", { kind: "kin" }, "data.yaml:5:9 error data/no-column: good.csv has no column `kin`", "did you mean `kind`?"],
    ["a wrong column in a list", { x: "[age, quite_else]" }, "good.csv has no column `quite_else`", "its columns are age, pay, kind"],
    ["a wrong column in SQL", { bought: "bougth > 0" }, "data.yaml:9:11 error data/sql", "did you mean `bought`?"],
    ["broken SQL", { bought: "bought >" }, "data.yaml:9:11 error data/sql", "syntax error"],
    ["SQL that fails", { bought: "no_such_function(bought)" }, "data/sql", "no_such_function"],
    ["a wrong column in `where`", { top: "where: agee > 0" }, "data.yaml:2:8 error data/sql", "did you mean `age`?"],
    ["a wrong column in a split", { top: "splits: { test: agee > 0 }" }, "data.yaml:2:17 error data/sql"],
    [
      "a wrong input",
      { more: "  stepz: steps" },
      "data.yaml:7:3 error data/unknown-input: the model has no input `stepz`",
      "did you mean `steps`?",
    ],
    ["a wrong mask", { steps: "{ mask: step_mask }" }, "the model has no input `step_mask`", "did you mean `steps_mask`?"],
    ["a mask that is none", { steps: "{ mask: x }" }, "`x` is no mask of `steps`: it needs the shape [B, steps]"],
    ["an input twice", { more: "  x.age: age" }, "error data/twice: this part of `x` is mapped twice"],
    ["too few columns", { x: "[age]" }, "data.yaml:4:6 error data/setting: 1 columns where `x` has 2 values"],
    ["a scale of ids", { kind: "{ scale: log }" }, "`kind`: `scale` is for f32 values"],
    [
      "categories of numbers",
      { x: "{ columns: [age, pay], categories: hash }" },
      "`categories` are for inputs of ids and tasks of classes",
    ],
    ["a mask of a number", { kind: "{ mask: steps_mask }" }, "error data/setting"],
    ["an id for others that is none", { kind: "{ categories: [a, b], unknown: 3 }" }, "`unknown: 3` is not in 0..2"],
    ["more categories than ids", { kind: "{ categories: [a, b, c, d] }" }, "4 categories where the model has 3"],
    ["classes without an order", { stage: "{ column: stage, categories: learn }" }, "the classes of `stage` need a fixed order"],
    ["a list where a number belongs", { kind: "{ sql: '[1]' }" }, "error data/type", "`kind` takes a number"],
    ["a number where a list belongs", { steps: "{ column: age, mask: steps_mask }" }, "`steps` takes a list of lists of numbers"],
    ["a date", { kind: "{ sql: DATE '2024-01-01' }" }, "is DATE, and `kind` takes a number"],
    ["no rows", { top: "where: age < 0" }, "error data/no-rows: good.csv: there are no rows at all"],
    ["an empty split", { top: "splits: { test: age > 100 }" }, "there are no rows in split `test`"],
    ["no training rows", { top: "splits: { test: age > 0 }" }, "there are no rows left for training"],
    ["no file", { source: "nope.csv" }, "data.yaml:1:9 error data/unreadable: nope.csv: there is no such file"],
    ["no file of a pattern", { source: "part-*.csv" }, "part-*.csv: there is no such file"],
    [
      "a query of no file",
      { source: "{ query: SELECT * FROM 'nope.csv' ORDER BY age }" },
      "data.yaml:1:18 error data/unreadable",
      "nope.csv",
    ],
    ["a sum over rows", { bought: "sum(bought) > 0" }, "data.yaml:9:11 error data/sql", "aggregates, windows and unnest"],
    ["a value of another row", { bought: "lag(bought) OVER () > 0" }, "data.yaml:9:11 error data/sql", "a query as the source may have"],
    ["more rows than there are", { stage: "unnest([0, 1])" }, "data.yaml:10:10 error data/sql", "aggregates, windows and unnest"],
    ["SQL that fails in a row", { bought: "ln(age - 2) > 0" }, "data.yaml:9:11 error data/sql", "good.csv: row 1: cannot take logarithm"],
    [
      "categories that fail in a row",
      { kind: "{ sql: ln(age - 2), categories: hash }" },
      "data.yaml:5:16 error data/sql",
      "good.csv: row 1",
    ],
    ["`where` that fails in a row", { top: "where: ln(age - 2) > 0" }, "data.yaml:2:8 error data/sql", "good.csv: row 1: cannot take"],
    ["a split drawn at random", { top: "splits: { test: random() < 0.5 }" }, "data.yaml:2:17 error data/volatile: `random()` gives other"],
    ["a label drawn at random", { bought: "random ( ) < 0.5" }, "data.yaml:9:11 error data/volatile"],
    [
      "a query that draws rows at random",
      { source: "{ query: SELECT * FROM 'good.csv' USING SAMPLE 50% ORDER BY age }" },
      "data.yaml:1:18 error data/volatile: `USING SAMPLE` gives other values",
    ],
    ["an extension of DuckDB", { source: "{ query: SELECT * FROM 's3://b/a.csv' ORDER BY 1 }" }, "this needs DuckDB's extension httpfs"],
    ["a file that is named twice", { source: '["good*.csv", good.csv]' }, "good.csv: it is named twice, and its rows would count twice"],
    ["a broken query", { source: "{ query: SELEC 1 ORDER BY 1 }" }, "data.yaml:1:18 error data/unreadable: the query: syntax error"],
  ];
  it.each(cases)("%s", async (_, change, ...expected) => {
    const text = await errorsOf(change);
    for (const part of expected) expect(text).toContain(part);
  });

  it("and nothing is said of names, texts and comments that only look so", async () => {
    const change = { bought: "bought -- random()", top: "where: \"'random()' <> '' -- unnest()\"" };
    const { data, findings } = await folder.open(contract, mapping(change));
    expect(findings).toEqual([]);
    expect(data?.splits).toEqual([{ name: "train", rows: 2 }]);
    const query = "{ query: \"SELECT * FROM 'good.csv' ORDER BY age; -- the youngest first\" }";
    expect((await folder.open(contract, mapping({ source: query.replace(";", "") }))).findings).toEqual([]);
  });

  it("an input that is left out, and a part of one", async () => {
    const yaml = mapping({}).replace("  kind: kind\n", "").replace("x: [age, pay]", "x.age: age");
    const { findings } = await folder.open(contract, yaml);
    expect(findings.join("\n")).toContain("error data/no-input: nothing is mapped to input `kind`");
    expect(findings.join("\n")).toContain("error data/uncovered: 1 of the 2 values of input `x` are not mapped");
  });

  it("a task without a label is a warning", async () => {
    const { data, findings } = await folder.open(contract, mapping({}).replace("  bought: bought\n", ""));
    expect(data).not.toBeNull();
    expect(findings.join("\n")).toContain("warning data/no-label: task `bought` has no label");
  });
});

describe("a wrong value is an error with file, row and column", () => {
  const cases: readonly [what: string, rows: string, ...expected: string[]][] = [
    ["not a number", "1,2,0,,1,0\nNaN,3,1,,0,2\n", "error data/missing: rows.csv: row 2, column age"],
    ["nothing", "1,2,0,,1,0\n1,,1,,0,2\n", "error data/missing: rows.csv: row 2, column age (1 of 2 values)"],
    ["infinity", "1,2,0,,1,0\n1,2,0,,1,0\n1,inf,1,,0,2\n", 'error data/value: rows.csv: row 3, column pay: "inf" is not a finite number'],
    ["too large for 32 bits", "1,2,0,,1,0\n1e39,3,1,,0,2\n", "row 2, column age", "is not a 32-bit number"],
    ["a word", "1,2,0,,1,0\nabc,3,1,,0,2\n", 'row 2, column age: "abc" is not a finite number', "data.yaml:4:6: `x` is mapped here"],
    ["an id too large", "1,2,0,,1,0\n1,3,3,,0,2\n", "error data/range: rows.csv: row 2, column kind: id 3 is not in 0..2"],
    ["a negative id", "1,2,-1,,1,0\n1,3,1,,0,2\n", "row 1, column kind: id -1 is not in 0..2"],
    ["half an id", "1,2,0,,1,0\n1,3,1.5,,0,2\n", "row 2, column kind: 1.5 is not a 32-bit whole number"],
    ["a class too large", "1,2,0,,1,0\n1,3,1,,0,3\n", "error data/range: rows.csv: row 2, column stage: class 3 is not in 0..2"],
    ["a label that is neither", "1,2,0,,1,0\n1,3,1,,2,1\n", "row 2, expression bought: 2 is not 0, 1, true or false"],
    ["a list too long", '1,2,0,"[[1,2],[1,2],[1,2],[1,2]]",1,0\n1,3,1,,0,1\n', "row 1, column steps: 4 elements where steps takes 3 × 2"],
    ["a step too short", '1,2,0,,1,0\n1,3,1,"[[1,2],[1]]",0,1\n', "row 2, column steps: 1 values in a step where steps takes 3 × 2"],
    ["a broken list", '1,2,0,,1,0\n1,3,1,"[[1,2],[1",0,1\n', 'row 2, column steps: "[[1,2],[1" is not a list of numbers'],
    ["a hole in a list", '1,2,0,"[[1,2],[1,NULL]]",1,0\n1,3,1,,0,1\n', "row 1, column steps (an element of the list): there is no value"],
    ["a list with what 32 bits do not hold", '1,2,0,"[[1,2],[1,1e39]]",1,0\n1,3,1,,0,1\n', "row 1, column steps", "is not a 32-bit number"],
    ["infinity in a list", '1,2,0,"[[1,2],[1,inf]]",1,0\n1,3,1,,0,1\n', "row 1, column steps", "is not a finite number"],
    ["a line too long", "1,2,0,,1,0\n1,2,0,,1,0,5,6\n", "rows.csv: line 3: Expected Number of Columns: 6"],
    ["an open quote", '1,2,0,,1,0\n1,2,"0,,1,0\n', "rows.csv: line 3: Value with unterminated quote"],
    [
      "a word after many numbers",
      `${"1,2,0,,1,0\n".repeat(30_000)}oops,2,0,,1,0\n`,
      'row 30001, column age: "oops" is not a value of type BIGINT',
    ],
    ["a header alone", "", "error data/no-rows: rows.csv: there are no rows at all"],
  ];
  it.each(cases)("%s", async (_, rows, ...expected) => {
    folder.write("rows.csv", header + rows);
    const text = await errorsOf({ source: "rows.csv" });
    for (const part of expected) expect(text).toContain(part);
  });

  it("in the second of two files, by its own row", async () => {
    folder.write("parts/1.csv", header + good);
    folder.write("parts/2.csv", `${header}1,2,0,,1,0\n1,2,9,,1,0\n`);
    expect(await errorsOf({ source: "parts/*.csv" })).toMatch(/parts.2\.csv: row 2, column kind: id 9 is not in 0\.\.2/);
  });

  it("a category that is none of a fixed list", async () => {
    folder.write("rows.csv", `${header}1,2,a,,1,0\n1,2,c,,0,1\n`);
    const text = await errorsOf({ source: "rows.csv", kind: "{ categories: [a, b] }" });
    expect(text).toContain('error data/unknown-category: rows.csv: row 2, column kind: "c" is none of the categories of `kind`');
  });

  it("more categories than there is room for", async () => {
    folder.write("rows.csv", `${header}1,2,a,,1,0\n1,2,b,,0,1\n1,2,c,,0,1\n`);
    const text = await errorsOf({ source: "rows.csv", kind: "{ categories: learn }" });
    expect(text).toContain("data.yaml:5:3 error data/vocabulary: `kind` has 3 categories and room for 2");
  });

  it("of each kind the first three", async () => {
    folder.write("rows.csv", header + "1,2,7,,1,0\n".repeat(50));
    const { findings } = await folder.open(contract, mapping({ source: "rows.csv" }));
    expect(findings.filter((text) => text.includes("data/range"))).toHaveLength(3);
  });
});

describe("a file that cannot be read is an error that says why", () => {
  const rows = Array.from({ length: 4000 }, (_, i) => `${i},${(i * 7) % 13},${i % 3},,${i % 2},${i % 3}\n`).join("");
  const zipped = gzipSync(header + rows);

  it.each([
    ["empty.csv", "", "empty.csv: the file is empty"],
    ["cut.csv.gz", zipped.subarray(0, zipped.length >> 1), "cut.csv.gz: the compressed file is cut off"],
    ["end.csv.gz", zipped.subarray(0, zipped.length - 4), "end.csv.gz: the compressed file is cut off"],
    ["plain.csv.gz", "age,pay\n1,2\n", "plain.csv.gz: the compressed file is broken"],
    ["short.parquet", "hello", "short.parquet: File"],
    ["bad.jsonl", '{"age": 1, "pay": 2}\n{"age": 1, "pay": \n', "bad.jsonl: Malformed JSON"],
    ["twice.csv", "age,pay,kind,steps,bought,stage,Age\n1,2,0,,1,0,9\n", "twice.csv: two of its columns are called `Age`"],
    ["quoted.csv.gz", gzipSync('"a ""b"",c";x;"a ""b"",c"\n1;2;3\n'), 'quoted.csv.gz: two of its columns are called `a "b",c`'],
    ["taken.csv", `${header.replace("age", "plec_row")}${good}`, "taken.csv: `plec_row` is a name that plec needs itself"],
    ["sheet.xlsx", "hello", "sheet.xlsx: its extension is none that plec reads"],
  ])("%s", async (name, content, expected) => {
    folder.write(name, content);
    expect(await errorsOf({ source: name })).toContain(expected);
  });

  it("a Parquet file that is cut off, or changed inside", async () => {
    const path = folder.write("full.csv", header + rows);
    const database = await Database.open(folder.path);
    await database.run(`COPY (SELECT * FROM '${path}') TO '${folder.path}/full.parquet'`);
    database.close();
    const whole = readFileSync(`${folder.path}/full.parquet`);
    expect((await folder.open(contract, mapping({ source: "full.parquet" }))).findings).toEqual([]);
    folder.write("cut.parquet", whole.subarray(0, whole.length >> 1));
    expect(await errorsOf({ source: "cut.parquet" })).toContain("cut.parquet: No magic bytes found at end of file");
    folder.write("changed.parquet", new Uint8Array(whole).fill(7, 200, 4000));
    expect(await errorsOf({ source: "changed.parquet" })).toContain("error data/unreadable: changed.parquet:");
  });

  it("files of two formats", async () => {
    folder.write("one.csv", header + good);
    folder.write("two.json", "[]");
    expect(await errorsOf({ source: "[one.csv, two.json]" })).toContain("one.csv, two.json: files of several formats");
  });

  it("a query without an order is a warning", async () => {
    const { data, findings } = await folder.open(contract, mapping({ source: "{ query: SELECT * FROM 'good.csv' }" }));
    expect(data?.splits).toEqual([{ name: "train", rows: 2 }]);
    expect(findings.join("\n")).toContain("data.yaml:1:18 warning data/unordered: this query has no ORDER BY");
  });
});
