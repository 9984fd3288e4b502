import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lex } from "../../dsl/lexer.ts";
import { type ParseResult, parse } from "../../dsl/parser.ts";
import { renderDiagnostic } from "../../dsl/render.ts";
import { Source } from "../../dsl/source.ts";
import { specFiles } from "./spec-files.ts";
import { expectSoundTree } from "./tree-invariants.ts";

const repeat = (text: string, count: number): string => text.repeat(count);

/** Parses any text: a sound tree, findings within the text that can be shown, and as many at most as a person would read. */
function survive(text: string): ParseResult {
  const source = new Source("any.ple", text);
  const result = parse(source);
  if (!result.diagnostics.some(({ code }) => code === "syntax/late-import")) expectSoundTree(result.file);
  expect(result.diagnostics.length).toBeLessThanOrEqual(201);
  for (const diagnostic of result.diagnostics) {
    const { start, end } = diagnostic.span ?? { start: 0, end: 0 };
    expect(0 <= start && start <= end && end <= text.length).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a message must not carry what a terminal obeys
    expect(renderDiagnostic(diagnostic, { colour: false })).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  }
  return result;
}

const codes = (text: string): readonly string[] => survive(text).diagnostics.map(({ code }) => code);

describe("depth", () => {
  it.each([
    ["parentheses", repeat("(", 199), "a", repeat(")", 199)],
    ["calls", repeat("f(", 199), "a", repeat(")", 199)],
    ["lists", repeat("[", 199), "a", repeat("]", 199)],
    ["records", repeat("{ a: ", 199), "a", repeat("}", 199)],
    ["subscripts", repeat("a[", 199), "a", repeat("]", 199)],
    ["functions with blocks", repeat("() => { return ", 39), "a", repeat("}", 39)],
    ["conditionals", repeat("if a then b else ", 200), "a", ""],
    ["sums", repeat("a + ", 200), "a", ""],
    ["powers", repeat("a ^ ", 200), "a", ""],
    ["signs", repeat("- ", 200), "a", ""],
    ["members", "a", repeat(".b", 200), ""],
    ["stages", "a", repeat(" |> f", 100_000), ""],
    ["elements", "[", repeat("a, ", 100_000), "]"],
  ])("two hundred %s are read", (_, before, middle, after) => expect(codes(`const a = ${before}${middle}${after}`)).toEqual([]));

  it.each([
    ["open parentheses", repeat("(", 100_000)],
    ["parentheses", repeat("(", 300) + repeat(")", 300)],
    ["braces", repeat("{", 100_000)],
    ["records", repeat("{ a: ", 100_000)],
    ["functions with blocks", repeat("() => { return ", 100) + repeat("}", 100)],
    ["conditionals", `${repeat("if a then b else ", 100_000)}a`],
    ["conditions", `${repeat("if ", 100_000)}a`],
    ["functions", `${repeat("(x) => ", 100_000)}a`],
    ["sums", `${repeat("a + ", 100_000)}a`],
    ["powers", `${repeat("a ^ ", 100_000)}a`],
    ["signs", `${repeat("- ", 100_000)}a`],
    ["negations", `${repeat("not ", 100_000)}a`],
    ["members", `a${repeat(".b", 100_000)}`],
    ["calls of calls", `a${repeat("()", 100_000)}`],
    ["subscripts of subscripts", `a${repeat("[0]", 100_000)}`],
    ["sums in parentheses in sums", repeat("(", 150) + repeat(`a)${repeat(" + a", 200)}`, 150)],
  ])("too many %s are one finding", (_, text) => expect(codes(`const a = ${text}`)).toEqual(["syntax/too-deep"]));

  it("of types and slices is limited as well", () => {
    expect(codes(`module f(x: ${repeat("[", 100_000)}int`)).toEqual(["syntax/too-deep"]);
    expect(codes(`model M { input x: f32[B] ${repeat("{ a: 1 ", 100_000)}`)).toEqual(["syntax/too-deep"]);
  });

  it("never overflows the stack, even where the caller has used most of it", () => {
    const text = `const a = ${repeat("f(", 190)}a${repeat(")", 190)}`;
    const source = new Source("deep.ple", text);
    parse(source);
    // goes down until nothing more fits, then parses at every depth on the way back
    const down = (): number => {
      let below = 0;
      try {
        below = down();
      } catch {
        return 1;
      }
      if (below < 400 && below % 20 === 0) {
        try {
          parse(source);
        } catch (error) {
          if (!(error instanceof RangeError)) throw error;
        }
      }
      return below + 1;
    };
    down();
    // an overflow in mid-parse leaves no trace in the parser that all files share
    expect(parse(source).diagnostics).toEqual([]);
  });
});

describe("size", () => {
  it("is limited", () => {
    expect(codes(repeat("a", 4 * 2 ** 20 + 1))).toEqual(["syntax/too-large"]);
  });

  it.each([
    ["stray characters", repeat("$ a ", 200_000), 201],
    ["slips", `const a = ${repeat("b && ", 200_000)}c`, 201],
    ["one long string", `const a = "${repeat("\\a", 500_000)}"`, 200],
    ["open strings", repeat('"\n', 200_000), 201],
    ["backslashes", `const a = "${repeat("\\", 500_001)}`, 2],
    ["NUL bytes", repeat("\0", 500_000), 1],
    ["semicolons", repeat(";", 200_000), 200],
    ["broken statements", `module f() {${repeat("\nlet let", 50_000)}}`, 101],
    ["broken definitions", repeat("module f( { let x }\n", 50_000), 101],
    ["unclosed lists of names", repeat("(a, b, c, d, ", 190), 2],
    ["comments", repeat("/// a\n", 200_000), 0],
    ["one line of digits", repeat("1", 500_000), 2],
  ])("%s take a moment and few findings", (_, text, most) => {
    const start = performance.now();
    expect(parse(new Source("large.ple", text)).diagnostics.length).toBeLessThanOrEqual(most);
    // generous: what is meant is that nothing grows with the square of the text
    expect(performance.now() - start).toBeLessThan(5_000);
  });
});

describe("any text", () => {
  const texts = specFiles.map(({ text }) => text).filter((text) => text.length < 6_000);
  const pieces = [
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "=",
    "|>",
    "=>",
    "->",
    "let ",
    "return ",
    "output ",
    "task ",
    "per task",
    "if ",
    "module ",
    '"',
    "'",
    "//",
    "..",
    "?",
  ];

  it("of random characters is survived", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => void survive(text)),
      { numRuns: 300 },
    );
  });

  it("of random pieces of the language is survived", () => {
    const piece = fc.oneof(
      fc.constantFrom(...pieces),
      fc.constantFrom("a", "B", "1", "0.5", "\n", "f32", "input", "experts", "flow", "model", "#", ";", "&&"),
    );
    const text = fc.array(piece, { maxLength: 60 }).map((parts) => parts.join(" "));
    fc.assert(
      fc.property(text, (text) => void survive(text)),
      { numRuns: 500 },
    );
  });

  it("made of a spec by deleting, doubling, swapping and replacing tokens is survived", () => {
    const change = fc.record({
      at: fc.nat(),
      kind: fc.constantFrom("delete", "double", "swap", "replace", "cut"),
      piece: fc.constantFrom(...pieces),
    });
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.array(change, { minLength: 1, maxLength: 4 }), (text, changes) => {
        let changed = text;
        for (const { at, kind, piece } of changes) {
          const tokens = lex(new Source("x", changed)).tokens.filter(({ image }) => image !== "");
          const i = at % Math.max(1, tokens.length - 1);
          const [token, next] = [tokens[i], tokens[i + 1]];
          if (token === undefined || next === undefined) return;
          const [head, tail] = [changed.slice(0, token.startOffset), changed.slice(token.end)];
          if (kind === "delete") changed = head + tail;
          else if (kind === "double") changed = `${head}${token.image} ${token.image}${tail}`;
          else if (kind === "swap") changed = `${head}${next.image} ${token.image}${changed.slice(next.end)}`;
          else if (kind === "replace") changed = `${head}${piece}${tail}`;
          else changed = head;
        }
        survive(changed);
      }),
      { numRuns: 150 },
    );
  });

  it("one deleted token spoils one statement, not the file", () => {
    // over all specs, the findings of a single slip stay few
    let findings = 0;
    let broken = 0;
    for (const text of texts) {
      const { tokens } = lex(new Source("x", text));
      for (let i = 0; i < tokens.length; i += 23) {
        const token = tokens[i];
        if (token === undefined || token.image === "") continue;
        const { diagnostics } = parse(new Source("x", text.slice(0, token.startOffset) + text.slice(token.end)));
        findings += diagnostics.length;
        if (diagnostics.length > 0) broken += 1;
      }
    }
    expect(broken).toBeGreaterThan(100);
    expect(findings / broken).toBeLessThan(1.5);
  });
});
