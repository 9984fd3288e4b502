import { describe, expect, it } from "vitest";
import { syntaxCatalogue } from "../../dsl/catalogue.ts";
import type { Diagnostic, Edit } from "../../dsl/diagnostic.ts";
import { parse } from "../../dsl/parser.ts";
import { Source } from "../../dsl/source.ts";
import { expectSoundTree } from "./tree-invariants.ts";
import { partText } from "./tree-text.ts";

function read(text: string): {
  readonly parts: readonly string[];
  readonly diagnostics: readonly Diagnostic[];
  readonly found: readonly string[];
} {
  const source = new Source("test.ple", text);
  const { file, diagnostics } = parse(source);
  // an import below a definition is out of order, which is what that finding says
  if (!diagnostics.some(({ code }) => code === "syntax/late-import")) expectSoundTree(file);
  const found = diagnostics.map(({ span, code, message }) => {
    const { line, column } = source.position(span?.start ?? 0);
    return `${line}:${column} ${code.replace("syntax/", "")}: ${message}`;
  });
  return { parts: file.items.map(partText), diagnostics, found };
}

const found = (text: string): readonly string[] => read(text).found;

describe("one mistake is one finding that says what was expected", () => {
  it.each([
    ["let without =", "module f() {\n  let y x\n}", "2:9 unexpected: expected `=` after the name of a `let`, found `x`"],
    ["let without name", "module f() {\n  let = 1\n}", "2:7 unexpected: expected a name after `let`, found `=`"],
    [
      "reserved word as a name",
      "module f() {\n  let in = 1\n}",
      "2:7 unexpected: expected a name after `let`, found the reserved word `in`",
    ],
    ["no value", "module f() {\n  let a =\n  return a\n}", "3:3 unexpected: expected an expression, found the reserved word `return`"],
    [
      "no value before a soft keyword",
      "module f() {\n  let a = b +\n  output c = a\n}",
      "3:3 unexpected: expected an expression, found `output`",
    ],
    ["parameter without colon", "module f(x f32[B]) {}", "1:12 unexpected: expected `:` and the type of the parameter, found `f32`"],
    ["no braces", "module f(x: int)\nreturn x", "2:1 unexpected: expected `{` to open the body of `f`, found the reserved word `return`"],
    [
      "unclosed call",
      "module f() {\n  let a = g(1\n  let b = 2\n}",
      "3:3 unexpected: expected `,` or `)` after an argument, found the reserved word `let`",
    ],
    [
      "unclosed call before a soft keyword",
      "module f() {\n  let a = g(1\n  output b = 2\n}",
      "3:3 unexpected: expected `,` or `)` after an argument, found `output`",
    ],
    [
      "unclosed list before an entry",
      "model M {\n  experts e {\n    a = f([x\n    b = g(y)\n  }\n}",
      "4:5 unexpected: expected `,` or `]` after an element, found `b`",
    ],
    ["wrong bracket", "module f() {\n  let a = g(1]\n  let b = 2\n}", "2:14 unexpected: expected `,` or `)` after an argument, found `]`"],
    ["unclosed body", "module f() {\n  return 1\n\nmodule g() {}", "4:1 unexpected: expected `}` to close the body of `f`, found `module`"],
    ["unclosed model at the end", "model M {\n  dim T\n", "2:8 unexpected: expected `}` to close the model `M`, found the end of the file"],
    [
      "unclosed bank",
      "model M {\n  experts e {\n    a = A(x)\n  task t: binary\n}",
      "4:3 unexpected: expected `}` to close the bank `e`, found `task`",
    ],
    [
      "unclosed record",
      "model M {\n  group g { a: 1\n  task t: binary\n}",
      "3:3 unexpected: expected `,` or `}` after a field, found `task`",
    ],
    ["stray brace", "module f() {}\n}\nconst a = 1", "2:1 unexpected: expected a definition, a constant or a model, found `}`"],
    ["comma too many", "const a = f(x,, y)", "1:15 unexpected: expected an expression, found `,`"],
    ["empty index", "const a = x[]", "1:13 unexpected: expected an index, found `]`"],
    ["number after a dot", "const a = x.y.", "1:15 unexpected: expected a name after `.`, found the end of the file"],
    ["missing then", "const a = if b c else d", "1:16 unexpected: expected `then` after the condition, found `c`"],
    [
      "missing else",
      "const a = if b then c\nconst d = 1",
      "2:1 unexpected: expected `else`, for a conditional always has a value, found `const`",
    ],
    ["per what", "const a = f(x) per step", "1:20 unexpected: expected `task`, `group` or `model` after `per`, found `step`"],
    ["task without kind", "model M {\n  task t in g binary\n}", "2:15 unexpected: expected `:` and the kind of the task, found `binary`"],
    ["transfer with =", "model M {\n  transfer a = b\n}", "2:14 unexpected: expected `->` between the tasks of a transfer, found `=`"],
    ["flow of nothing", "model M {\n  flow { return x }\n}", "2:8 unexpected: expected `per task`, or the name of a task, found `{`"],
    [
      "require without message",
      "module f() {\n  require a > 1\n}",
      "3:1 unexpected: expected `,` and a message after the condition of a `require`, found `}`",
    ],
    ["import of nothing", 'import x from "y"', "1:8 unexpected: expected `{` and the names to import, found `x`"],
    ["import without path", "import { x } from y", "1:19 unexpected: expected the path of a file as a string, found `y`"],
    ["statement without let", "module f() {\n  y = 1\n}", "2:3 unexpected: expected a statement or `}`, found `y`"],
    ["item without word", "model M {\n  x: f32[B]\n}", "2:3 unexpected: expected an item of the model or `}`, found `x`"],
    ["operators", "const a = b + * c", "1:15 unexpected: expected an expression, found `*`"],
    [
      "conditional inside an operation",
      "const a = 1 + if b then c else d",
      "1:15 unexpected: expected an expression, found the reserved word `if`",
    ],
    // slips that are understood
    ["missing comma in a list", "const a = [1 2]", "1:14 missing-comma: missing `,` before `2`"],
    ["missing comma between fields", "const a = { b: 1 c: 2 }", "1:18 missing-comma: missing `,` before `c`"],
    ["missing comma between arguments", "const a = f(x y: 2)", "1:15 missing-comma: missing `,` before `y`"],
    [
      "missing comma between slices",
      "model M {\n  input x: f32[B, 2] {\n    a: 1\n    b: 1\n  }\n}",
      "4:5 missing-comma: missing `,` before `b`",
    ],
    ["missing comma between parameters", "module f(a: int b: int) {}", "1:17 missing-comma: missing `,` before `b`"],
    ["= in a record", "const a = { b = 1 }", "1:15 equals-for-colon: a field is written `b: value`, not `b = value`"],
    ["= in a call", "const a = f(b = 1)", "1:15 equals-for-colon: a named argument is written `b: value`, not `b = value`"],
    ["= for a slice", "model M {\n  input x: f32[B] { a = 1 }\n}", "2:23 equals-for-colon: a slice is written `a: value`, not `a = value`"],
    [
      "claim after a let",
      "module f() {\n  let a = g(x) : f32[B, 64]\n}",
      "2:16 claim-after-value: a type stands before the `=`, not after the value",
    ],
    [
      "claim after an entry",
      "model M {\n  experts e {\n    a = A(x) : 64\n    b = B(x)\n  }\n}",
      "3:14 claim-after-value: a type stands before the `=`, not after the value",
    ],
    ["&&", "const a = b && c", "1:13 operator: `&&` is written `and`"],
    ["||", "const a = b || c", "1:13 operator: `||` is written `or`"],
    ["!", "const a = !b", "1:11 operator: `!` is written `not`"],
    ["**", "const a = b ** 2", "1:13 operator: `**` is written `^`"],
    ["None", "const a = x[:, None]", "1:16 literal: `None` is written `none`"],
    ["null", "const a = null", "1:11 literal: `null` is written `none`"],
    ["True", "const a = True", "1:11 literal: `True` is written `true`"],
    ["?:", "const a = wide ? 1 : 2\nconst b = 1", "1:16 conditional: a conditional is written `if c then a else b`"],
    ["single quotes", "const a = 'b'", "1:11 quotes: strings stand in double quotes"],
    ["#", "# title\nconst a = 1", "1:1 comment: comments start with `//`"],
    ["/* */", "/* a\n * b */ const a = 1", "1:1 comment: comments start with `//`"],
    ["/* without end", "const a = 1\n/* b", "2:1 unterminated-comment: this comment is never closed, and comments start with `//`"],
    [";", "const a = 1;", "1:12 semicolon: no `;` is needed"],
    ["->", "const a = (x) -> x", "1:15 lambda: a function value is written with `=>`, not `->`"],
    ["x =>", "const a = map(xs, x => 2 * x)", "1:19 lambda: the parameters of a function stand in parentheses"],
    ["a stage with an operator", "const a = x |> f + 1", "1:16 pipe-stage: a stage of a pipe is a call or a name, not an operation"],
    ["a number as a stage", "const a = x |> 3", "1:16 pipe-stage: a stage of a pipe is a call or a name, not a number"],
    ["an element as a stage", "const a = x |> f(1)[0]", "1:16 pipe-stage: a stage of a pipe is a call or a name, not an element"],
    ["per without a call", "module f() {\n  let a = x per group\n  return a\n}", "2:13 per-place: a value that is no call takes no `per`"],
    ["per in a definition", "module f() {\n  let a per task = x\n}", "2:9 per-place: a `let` in a definition or a flow takes no `per`"],
    ["a < b < c", "const a = 0 < x <= 1", "1:17 comparison-chain: comparisons do not chain"],
    ["not after ==", "const a = b == not c", "1:16 not-an-operator: `not` cannot stand after `==` without parentheses"],
    ["not after -", "const a = - not c", "1:13 not-an-operator: `not` cannot stand after `-` without parentheses"],
    ["a comprehension and more", "const a = [x for x in xs, 1]", "1:25 comprehension: a comprehension stands alone in its brackets"],
    ["an item in the file", "input x: f32[B]\ntask t: binary\nconst a = 1", "1:1 misplaced: `input` stands in a model, not here"],
    ["let in the file", "let a = 1", "1:1 misplaced: `let` stands in a definition or a model, not here"],
    [
      "a statement in a model",
      "model M {\n  return 1\n}",
      "2:3 misplaced: `return` stands in the body of a definition or a flow, not here",
    ],
    ["an item in a definition", "module f() {\n  task t: binary\n}", "2:3 misplaced: `task` stands in a model, not here"],
    [
      "a definition in a model",
      "model M {\n  module f() { return 1 }\n  dim T\n}",
      "2:3 misplaced: `module` stands in the file, outside definitions and models, not here",
    ],
    ["an import below", 'const a = 1\nimport { b } from "c"', "2:1 late-import: imports stand at the top of the file"],
    // the lexer
    ["an open string", 'const a = "b\nconst c = 1', '1:11 unterminated-string: this string has no closing `"` on its line'],
    ["an open string that ends in a backslash", 'const a = "b\\', '1:11 unterminated-string: this string has no closing `"` on its line'],
    ["an unknown escape", 'const a = "b\\d"', "1:13 escape: `\\d` is not an escape"],
    ["1e999", "const a = 1e999", "1:11 number-range: `1e999` is too large for a number"],
    [
      "beyond 2^53",
      "const a = 9007199254740993",
      "1:11 number-range: `9007199254740993` is beyond 2^53 - 1, where whole numbers stop being exact",
    ],
    ["underscores", "const a = 1_000", "1:11 number: `1_000` is not a number"],
    ["a hexadecimal number", "const a = 0xff", "1:11 number: `0xff` is not a number"],
    ["no digit before the point", "const a = .5", "1:11 number: `.5` is not a number"],
    ["letters outside ASCII", "const größe = 1", "1:9 stray: `öß` cannot stand here"],
    ["a run of stray characters", "const a = $ $ % 1", "1:11 stray: `$ $ %` cannot stand here"],
    ["NUL bytes", "const a = 1 \0\0\0", "1:13 stray: `\\u{0}\\u{0}\\u{0}` cannot stand here"],
  ])("%s", (_, text, expected) => expect(found(text)).toEqual([expected]));
});

describe("help", () => {
  it.each([
    ["a word of another language", "def f(x: int) {}", "did you mean `module`?"],
    ["a misspelt word", "modul f(x: int) {}", "did you mean `module`?"],
    ["a misspelt item", "model M {\n  inptu x: f32[B]\n}", "did you mean `input`?"],
    ["a misspelt statement", "module f() {\n  retrun 1\n}", "did you mean `return`?"],
    ["a statement without let", "module f() {\n  y = 1\n}", "a name is given to a value by `let y = ...`"],
    ["a stray brace", "}", "this closes nothing: remove it, or look for a `{` that is missing above"],
    ["? inside brackets", "const a = f(b ? 1 : 2)", "a conditional is written `if c then a else b`"],
    [
      "if inside an operation",
      "const a = 1 + if b then c else d",
      "put parentheses around a conditional inside an expression: `1 + (if c then a else b)`",
    ],
    ["a reserved word as a name", "module f() {\n  let in = 1\n}", "`in` cannot name anything; choose another name"],
    ["an open quote", "const a = 'b", 'strings stand in double quotes: `"..."`'],
    ["= =", "const a = if b = = c then d else e", "equality is written `==`"],
  ])("%s", (_, text, help) => expect(read(text).diagnostics[0]?.help).toBe(help));

  it("shows where an unclosed bracket was opened, if on another line", () => {
    const [far] = read("module f() {\n  let a = g(\n    1\n  let b = 2\n}").diagnostics;
    expect(far?.notes.map(({ message, span }) => [message, span?.source.position(span.start)])).toEqual([
      ["opened here", { line: 2, column: 12 }],
    ]);
    expect(read("const a = f(1]").diagnostics[0]?.notes).toEqual([]);
  });
});

describe("fixes", () => {
  it.each([
    ["const a = [1 2 3]", "const a = [1, 2, 3]"],
    ["const a = { b = 1 c = 2 }", "const a = { b: 1, c: 2 }"],
    ["const a = b&&c||!d", "const a = b and c or not d"],
    ["const a = b ** 2", "const a = b ^ 2"],
    ["const a = [None, True, False]", "const a = [none, true, false]"],
    ["const a = 'it\\'s \"b\"'", 'const a = "it\'s \\"b\\""'],
    ["# one\nconst a = 1; # two", "// one\nconst a = 1 // two"],
    ["const a = map(xs, x => 2)", "const a = map(xs, (x) => 2)"],
    ["const a = (x) -> 2", "const a = (x) => 2"],
  ])("%s", (text, repaired) => {
    const edits = read(text).diagnostics.flatMap(({ fixes }) => fixes.flatMap((fix) => fix.edits));
    expect(applied(text, edits)).toBe(repaired);
    expect(found(repaired)).toEqual([]);
  });

  function applied(text: string, edits: readonly Edit[]): string {
    return [...edits]
      .sort((a, b) => b.span.start - a.span.start)
      .reduce((t, { span, text }) => t.slice(0, span.start) + text + t.slice(span.end), text);
  }
});

describe("five mistakes are five findings", () => {
  it("in statements", () => {
    const { found, parts } = read(`module f(x: f32[B, n]) {
  let a x
  let b = g(1
  let c = (2 +)
  output = c
  param W f32[n] = 0
  return good
}`);
    expect(found.map((text) => text.slice(0, 4))).toEqual(["2:9 ", "4:3 ", "4:15", "5:10", "6:11"]);
    expect(parts).toEqual(["module f(x:f32[B n]) {let b = <missing>; let c = <missing>; return good}"]);
  });

  it("in items, entries and blocks", () => {
    const { found, parts } = read(`model M {
  input x f32[B, 8]
  experts e {
    a = A(x,,)
    b: = B(x)
    c = C(x)
  }
  task t binary
  task u: binary { loss: bce, weight: }
  flow per task {
    let h = x |>
    return h
  }
  output o = f(x)
}`);
    expect(found.map((text) => text.slice(0, 4))).toEqual(["2:11", "4:13", "5:8 ", "8:10", "9:39", "12:5"]);
    expect(parts).toEqual([
      "model M {experts e {a = <missing>; c = (call C x)}; flow per-task {let h = <missing>; return h}; output o = (call f x)}",
    ]);
  });

  it("in definitions", () => {
    const { found, parts } = read(`const a 1
module (x: int) { return x }
expert f(x: int { return x }
const b = )
model { }
gate g(x: int) -> { return x }
const good = 1`);
    expect(found.map((text) => text.slice(0, 4))).toEqual(["1:9 ", "2:8 ", "3:17", "4:11", "5:7 ", "6:19"]);
    expect(parts).toEqual(["const b = <missing>", "const good = 1"]);
  });

  it("in one record, as far as they are understood", () => {
    expect(found("const a = { b = 1 c: None, d = 'x' && 2 e: !f }")).toHaveLength(8);
  });
});

describe("what goes on after a mistake", () => {
  it.each([
    [
      "a missing brace does not swallow the next definition",
      "module f() {\n  let a = [1, (2\n\nmodule g() { return 1 }",
      ["module f() {let a = <missing>}", "module g() {return 1}"],
    ],
    [
      "a missing brace of a flow does not swallow the next item",
      "model M {\n  flow per task {\n    return x\n  task t: binary\n}",
      ["model M {flow per-task {return x}; task t:binary}"],
    ],
    ["an extra brace is one finding", "model M {\n  dim A\n  }\n  dim B\n}\nconst c = 1", ["model M {dim A}", "const c = 1"]],
    [
      "a record that spans lines is skipped whole",
      "model M {\n  task t binary {\n    loss: bce,\n    weight: 1,\n  }\n  dim T\n}",
      ["model M {dim T}"],
    ],
    ["a body that spans lines is skipped whole", "module f(x) {\n  let a = 1\n  return a\n}\nconst c = 1", ["const c = 1"]],
    [
      "fields named like items do not stop the skipping",
      "model M {\n  group = {\n    input: 1,\n    task: 2,\n  }\n  dim T\n}",
      ["model M {dim T}"],
    ],
  ])("%s", (_, text, parts) => {
    const result = read(text);
    expect(result.parts).toEqual(parts);
    expect(result.found.length).toBeGreaterThan(0);
  });
});

describe("the catalogue", () => {
  const entries = Object.entries(syntaxCatalogue);

  it.each(entries.filter(([, entry]) => "example" in entry))("%s has an example with that finding alone", (code, entry) => {
    const { diagnostics } = read("example" in entry ? entry.example : "");
    expect(diagnostics.map((diagnostic) => diagnostic.code)).toEqual([code]);
  });

  it("says why and what to do", () => {
    for (const [code, { why, help }] of entries) {
      expect(code).toMatch(/^syntax\/[a-z-]+$/);
      expect(why).toMatch(/\.$/);
      expect(help).toMatch(/\.$/);
    }
  });
});
