import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import { stringify } from "yaml";
import type { YamlNode } from "../../compiler/yaml/read.ts";
import { brief, plain, readText } from "./support.ts";

describe("readYaml", () => {
  test.each([
    ["", null],
    ["a: 1\nb: [x, 1e-3, true, null, ~]\nc: {d: 'e'}\n", { a: 1, b: ["x", 1e-3, true, null, null], c: { d: "e" } }],
    ["a:\nb: yes\n", { a: null, b: "yes" }],
    ["a: &x {b: 1}\nc: *x\nd: *x\n", { a: { b: 1 }, c: { b: 1 }, d: { b: 1 } }],
    ["a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", { a: { b: 1, c: 2 }, d: { c: 3, b: 1 } }],
    ["a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}\n", { a: { b: 1 }, c: { b: 2, d: 3 }, e: { b: 1, d: 3 } }],
    ["a: &x 1\nb: &x 2\nc: *x\n", { a: 1, b: 2, c: 2 }],
    ["# only a comment\r\na: 1\r\n", { a: 1 }],
    ["1: a\ntrue: b\n", { "1": "a", true: "b" }],
    ['"<<": 1\n', { "<<": 1 }],
  ])("%j", (text, value) => {
    const { root, diagnostics } = readText(text);
    expect(brief(diagnostics)).toEqual([]);
    expect(plain(root)).toEqual(value);
  });

  test.each([
    ["a: 1\na: 2\n", 'yaml/syntax 2:1 "a": map keys must be unique'],
    ["a: [1, 2\n", "yaml/syntax 2:1 "],
    ["a: !tag x\n", 'yaml/syntax 1:4 "!tag": unresolved tag: !tag'],
    ["a: *b\n", 'yaml/syntax 1:4 "*b": there is no anchor `&b` before this'],
    ["a: 1\n---\nb: 2\n", "yaml/syntax 2:1 "],
    ["a: b: c\n", "yaml/syntax 1:4 "],
    ["? [a]\n: b\n", 'yaml/type 1:3 "[a]": a key must be text, not a list'],
    ["a: {<<: 1}\n", 'yaml/type 1:9 "1": what `<<` merges must be a mapping, not 1'],
    ["a: &x [*x]\n", 'yaml/too-large 1:7 "[*x]": this is nested more than 100 levels deep'],
  ])("%j is a finding", (text, found) => {
    const { root, diagnostics } = readText(text);
    expect(root).toBeNull();
    expect(brief(diagnostics)[0]?.slice(0, found.length)).toBe(found);
  });

  const bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 20; i++)
    bomb.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(", ")}]`,
    );
  test.each([
    ["aliases of aliases", bomb.join("\n")],
    ["a list of very many values", `[${"1,".repeat(150_000)}1]`],
    ["open brackets", "[".repeat(100_000)],
    ["open braces", "{a: ".repeat(100_000)],
    ["compact lists", `${"- ".repeat(100_000)}1`],
    ["explicit keys", `${"? ".repeat(100_000)}1`],
    ["indentation", Array.from({ length: 3000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n")],
    ["size", " ".repeat(5 * 2 ** 20)],
  ])("%s without end", (_, text) => {
    const { root, diagnostics } = readText(text);
    expect(root).toBeNull();
    expect(diagnostics.map(({ code }) => code)).toEqual(["yaml/too-large"]);
  });

  it("reads back what the package writes, with places in the text, children inside of parents", () => {
    const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null));
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: "small" },
        leaf,
        fc.array(tie("tree"), { maxLength: 4 }),
        fc.dictionary(fc.string(), tie("tree"), { maxKeys: 4 }),
      ),
    }));
    const check = (node: YamlNode, start: number, end: number): void => {
      expect(node.span.start).toBeGreaterThanOrEqual(start);
      expect(node.span.end).toBeLessThanOrEqual(end);
      const { start: from, end: to } = node.span;
      if (node.kind === "list") for (const item of node.items) check(item, from, to);
      if (node.kind === "map") for (const { value } of node.entries) check(value, from, to);
    };
    fc.assert(
      fc.property(tree, (value) => {
        const text = stringify(value);
        const { root, diagnostics } = readText(text);
        expect(diagnostics).toEqual([]);
        expect(JSON.stringify(plain(root))).toBe(JSON.stringify(value));
        if (root !== null) check(root, 0, text.length);
      }),
      { numRuns: 150 },
    );
  });

  it("answers whatever the text is", () => {
    const pieces = fc.constantFrom(
      "a",
      ": ",
      "- ",
      "\n",
      "  ",
      "[",
      "]",
      "{",
      "}",
      ",",
      "&x ",
      "*x",
      "<<",
      "'",
      '"',
      "|\n",
      "? ",
      "#",
      "---\n",
      "!t ",
      "1",
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 40 }), (parts) => {
        const { root, diagnostics } = readText(parts.join(""));
        expect(root === null).toBe(diagnostics.length > 0);
        for (const { span } of diagnostics) expect(span !== null && span.start <= span.end && span.end <= parts.join("").length).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});
