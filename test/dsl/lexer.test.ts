import { EOF } from "chevrotain";
import { describe, expect, it } from "vitest";
import { lex, unescapeString } from "../../dsl/lexer.ts";
import { Source } from "../../dsl/source.ts";
import { specFiles } from "./spec-files.ts";

const lexed = (text: string) => lex(new Source("t", text));
/** The images of the tokens. */
const images = (text: string): readonly string[] =>
  lexed(text)
    .tokens.filter((token) => token.tokenType !== EOF)
    .map((token) => token.image);
/** Findings as `offset-end code`. */
const found = (text: string): readonly string[] =>
  lexed(text).diagnostics.map(({ code, span }) => `${span?.start}-${span?.end} ${code.replace("syntax/", "")}`);

describe("tokens", () => {
  it.each([
    ["a1 _b for_ forx", ["a1", "_b", "for_", "forx"]],
    ["1 1.5 1e3 1.5e-3 1E+3", ["1", "1.5", "1e3", "1.5e-3", "1E+3"]],
    ["a+++b", ["a", "++", "+", "b"]],
    ["a->b=>c", ["a", "->", "b", "=>", "c"]],
    ["x|>f|y", ["x", "|>", "f", "|", "y"]],
    ["a==b!=c<=d>=e<f>g=h", ["a", "==", "b", "!=", "c", "<=", "d", ">=", "e", "<", "f", ">", "g", "=", "h"]],
    ["base..merchant", ["base", "..", "merchant"]],
    ["0..3", ["0", "..", "3"]],
    ["a...b", ["a", "..", ".", "b"]],
    ["a-1", ["a", "-", "1"]],
    ["x[:,0]", ["x", "[", ":", ",", "0", "]"]],
    ['"a\\"b" "\\\\"', ['"a\\"b"', '"\\\\"']],
    ['"// no comment"', ['"// no comment"']],
    ["a//b\nc", ["a", "c"]],
    ["a\r\n\tb\rc", ["a", "b", "c"]],
    ["\uFEFFa", ["a"]],
    ["", []],
  ])("of %j", (text, expected) => {
    expect(images(text)).toEqual(expected);
    expect(found(text)).toEqual([]);
  });

  it("cover every character of every spec but blanks and comments", () => {
    for (const source of specFiles) {
      const { tokens, comments } = lex(source);
      const spans = [
        ...tokens.map(({ startOffset, end }) => [startOffset, end] as const),
        ...comments.map(({ span }) => [span.start, span.end] as const),
      ];
      let rest = source.text;
      for (const [start, end] of spans.sort((a, b) => b[0] - a[0])) rest = rest.slice(0, start) + rest.slice(end);
      expect(rest.trim()).toBe("");
    }
  });

  it("end with the end of the file, at an offset in the text", () => {
    const last = lexed("ab ").tokens.at(-1);
    expect([last?.tokenType, last?.startOffset, last?.end]).toEqual([EOF, 3, 3]);
  });
});

describe("comments", () => {
  it.each([
    ["// a", "line", false],
    ["/// a", "doc", false],
    ["//// a", "line", false],
    ["///", "doc", false],
    ["x /// a", "line", true],
    ["x // a", "line", true],
    ["  // a", "line", false],
    ["\uFEFF/// a", "doc", false],
  ])("%j", (text, kind, trailing) => {
    expect(lexed(text).comments).toMatchObject([{ kind, trailing, text: text.slice(text.indexOf("//")) }]);
  });

  it("end before blanks and line ends", () => {
    expect(lexed("// a \t\r\nb").comments[0]?.text).toBe("// a");
  });
});

describe("findings", () => {
  it.each([
    ["1e999", ["0-5 number-range"]],
    ["9007199254740991", []],
    ["9007199254740992", ["0-16 number-range"]],
    ["9007199254740993", ["0-16 number-range"]],
    ["9007199254740993.0", []],
    ["1.", ["0-2 number"]],
    ["1.e", ["0-3 number"]],
    ["1.5.2", ["0-5 number"]],
    [".5", ["0-2 number"]],
    ["0x10", ["0-4 number"]],
    ["1_000", ["0-5 number"]],
    ["12abc", ["0-5 number"]],
    ["1e", ["0-2 number"]],
    ['"abc', ["0-4 unterminated-string"]],
    ['"abc\nd"', ["0-4 unterminated-string", "6-7 unterminated-string"]],
    ['"abc\\', ["0-5 unterminated-string"]],
    ['"', ["0-1 unterminated-string"]],
    ['"a\\d"', ["2-4 escape"]],
    ['"\\\\d"', []],
    ["'abc'", ["0-5 quotes"]],
    ["a\0b", ["1-2 stray"]],
    ["größe", ["2-4 stray"]],
    ["😀", ["0-2 stray"]],
    ["\ud83d", ["0-1 stray"]],
    ["a \u00a0b", ["2-3 stray"]],
    ["/* a */ b", ["0-7 comment"]],
    ["/* a", ["0-2 unterminated-comment"]],
    ["/**/", ["0-4 comment"]],
    ["/*/", ["0-2 unterminated-comment"]],
    ["a && b", ["2-4 operator"]],
  ])("in %j", (text, expected) => expect(found(text)).toEqual(expected));

  it.each([
    ["a long run of stars", `/*${"*".repeat(200_000)}`],
    ["a long run of backslashes", `"${"\\".repeat(200_001)}`],
    ["a long number", "9".repeat(200_000)],
    ["many dots", `1${".1".repeat(100_000)}`],
    ["many stray characters", "\0".repeat(100_000)],
  ])("are quick to make for %s", (_, text) => {
    const started = performance.now();
    expect(lexed(text).diagnostics.length).toBeGreaterThan(0);
    expect(performance.now() - started).toBeLessThan(2_000);
  });
});

describe("unescapeString", () => {
  it.each([
    ['"a"', "a"],
    ['""', ""],
    ['"\\"\\\\\\n\\t"', '"\\\n\t'],
    ['"\\\\n"', "\\n"],
    ['"\\d"', "\\d"],
    ['"open', "open"],
    ['"open\\"', 'open"'],
  ])("%s", (image, value) => expect(unescapeString(image)).toBe(value));
});
