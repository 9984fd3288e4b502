import { describe, expect, it } from "vitest";
import { applyFixes } from "../../cli/apply-fixes.ts";
import type { Diagnostic } from "../../dsl/diagnostic.ts";
import { Source } from "../../dsl/source.ts";

const source = new Source("a.ple", "abcdef");

function finding(edits: readonly (readonly [start: number, end: number, text: string])[], { safe = true, file = source } = {}): Diagnostic {
  const fix = { title: "", safe, edits: edits.map(([start, end, text]) => ({ span: { source: file, start, end }, text })) };
  return { code: "x/y", severity: "error", message: "", span: null, notes: [], help: null, fixes: [fix] };
}

describe("applyFixes", () => {
  it.each([
    ["one", [finding([[1, 2, "X"]])], "aXcdef", 1],
    ["several, in any order", [finding([[4, 5, "YY"]]), finding([[0, 1, ""]])], "bcdYYf", 2],
    [
      "a fix of two edits",
      [
        finding([
          [0, 1, "1"],
          [5, 6, "2"],
        ]),
      ],
      "1bcde2",
      1,
    ],
    ["neighbours", [finding([[0, 2, "1"]]), finding([[2, 4, "2"]])], "12ef", 2],
    ["an overlapping one waits", [finding([[0, 3, "1"]]), finding([[2, 4, "2"]])], "1def", 1],
    ["two insertions at one place: one waits", [finding([[2, 2, "1"]]), finding([[2, 2, "2"]])], "ab1cdef", 1],
    ["an unsafe one is left", [finding([[0, 1, "1"]], { safe: false })], "abcdef", 0],
    ["one of another file is left", [finding([[0, 1, "1"]], { file: new Source("b.ple", "abcdef") })], "abcdef", 0],
    [
      "a fix waits as a whole",
      [
        finding([[0, 1, "1"]]),
        finding([
          [0, 1, "2"],
          [3, 4, "3"],
        ]),
      ],
      "1bcdef",
      1,
    ],
  ] as const)("%s", (_, diagnostics, text, applied) => {
    expect(applyFixes(source, diagnostics, (fix) => fix.safe)).toEqual({ text, applied });
  });
});
