import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseMapping } from "./open-data.ts";

it("reads every key", () => {
  const { mapping, findings } = parseMapping(`source: [a.parquet, b.parquet]
where: age > 0
splits: { valid: day > 20, test: { every: 5 } }
inputs:
  age:
  base: [a, b, c*]
  pay: { column: salary, scale: [log, standard], missing: mean }
  job: { sql: lower(job), categories: learn, most: 50, missing: none }
  seq: { column: s, mask: seq_mask, keep: last, pad: start, length: 20, fields: [day, amount] }
  colour: { categories: [red, 2, true], unknown: 0 }
labels:
  ctr: clicked > 0
`);
  expect(findings).toEqual([]);
  const plain = JSON.parse(JSON.stringify(mapping, (key, value: unknown) => (key === "span" ? undefined : value)));
  const nothing = {
    scale: [],
    categories: null,
    unknown: null,
    missing: null,
    mask: null,
    keep: null,
    pad: null,
    length: null,
    fields: null,
  };
  expect(plain).toEqual({
    source: { kind: "files", patterns: ["a.parquet", "b.parquet"] },
    where: { sql: "age > 0" },
    splits: [
      { name: "valid", rule: { kind: "sql", sql: "day > 20" } },
      { name: "test", rule: { kind: "every", n: 5 } },
    ],
    inputs: [
      { ...nothing, target: "age", from: { kind: "column", name: "age" } },
      { ...nothing, target: "base", from: { kind: "columns", names: ["a", "b", "c*"] } },
      { ...nothing, target: "pay", from: { kind: "column", name: "salary" }, scale: ["log", "standard"], missing: "mean" },
      { ...nothing, target: "job", from: { kind: "sql", sql: "lower(job)" }, categories: { kind: "learn", most: 50 }, missing: "none" },
      {
        ...nothing,
        target: "seq",
        from: { kind: "column", name: "s" },
        mask: "seq_mask",
        keep: "last",
        pad: "start",
        length: 20,
        fields: ["day", "amount"],
      },
      {
        ...nothing,
        target: "colour",
        from: { kind: "column", name: "colour" },
        categories: { kind: "list", values: ["red", "2", "true"] },
        unknown: 0,
      },
    ],
    labels: [{ ...nothing, target: "ctr", from: { kind: "sql", sql: "clicked > 0" } }],
  });
});

it("reads the example of docs/data.md", () => {
  const [, yaml = ""] = /^```yaml\n([\s\S]*?)^```$/m.exec(readFileSync("docs/data.md", "utf8")) ?? [];
  const { mapping, findings } = parseMapping(yaml);
  expect(findings).toEqual([]);
  expect(mapping?.inputs.map(({ target }) => target)).toEqual(["age", "numeric", "features.base", "city", "plan", "visits"]);
});

describe("what is no mapping is an error with its place", () => {
  it.each([
    ["", "error yaml/"],
    ["inputs:\n  x: a\n", "error yaml/missing-key", "`source: data.parquet`"],
    ["sorce: a.csv\nsource: a.csv\n", "data.yaml:1:1 error yaml/unknown-key", "did you mean `source`?"],
    ["source: {}\n", "a file or `query: SELECT ...`"],
    [
      "source: a.csv\nsplits: { train: a > 1 }\n",
      "data.yaml:2:11 error data/setting: `train` is the name of the rows that no split holds out",
    ],
    ["source: a.csv\nsplits: { test: { every: 1 } }\n", "a whole number from 2 up"],
    ["source: a.csv\ninputs:\n  x: { colum: a }\n", "data.yaml:3:8 error yaml/unknown-key", "did you mean `column`?"],
    ["source: a.csv\ninputs:\n  x: { column: a, sql: b }\n", "`x` takes one of `column`, `columns` and `sql`", "`column` stands here"],
    ["source: a.csv\ninputs:\n  x: { scale: logg }\n", "data.yaml:3:15 error yaml/type"],
    ["source: a.csv\ninputs:\n  x: { scale: [standard, log] }\n", "takes each step once, `standard` last"],
    ["source: a.csv\ninputs:\n  x: [a, a]\n", "has `a` twice"],
    ["source: a.csv\ninputs:\n  x: { categories: hash, most: 5 }\n", "`most` goes with `categories: learn`"],
    ["source: a.csv\ninputs:\n  x: { keep: middle }\n", "`first`, `last`"],
    ["source: a.csv\ninputs:\n  x: { length: 0 }\n", "a whole number from 1 up"],
    ["source: a.csv\ninputs: [a, b]\n", "data.yaml:2:9 error yaml/type"],
    ["source: a.csv\ninputs:\n  x: 3\n", "data.yaml:3:6 error yaml/type"],
    ["source: a.csv\nsource: b.csv\n", "data.yaml:2:1 error yaml/"],
  ])("%j", (yaml, ...expected) => {
    const { mapping, findings } = parseMapping(yaml);
    expect(mapping).toBeNull();
    for (const part of expected) expect(findings.join("\n")).toContain(part);
  });
});
