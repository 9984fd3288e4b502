import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lex } from "../../dsl/lexer.ts";
import { parse } from "../../dsl/parser.ts";
import { formatSource, lineWidth } from "../../dsl/printer.ts";
import { Source } from "../../dsl/source.ts";
import { specFiles, withoutSpans } from "./spec-files.ts";

function format(text: string): string {
  const formatted = formatSource(new Source("test.ple", text));
  if (formatted.text === null) throw new Error(formatted.diagnostics.map(({ message, span }) => `${span?.start}: ${message}`).join("\n"));
  return formatted.text;
}

/** What formatting must not change. */
function meaningOf(text: string): unknown {
  const source = new Source("test.ple", text);
  const { file, diagnostics } = parse(source);
  expect(diagnostics).toEqual([]);
  return withoutSpans(file);
}

const commentsOf = (text: string): readonly string[] => lex(new Source("test.ple", text)).comments.map((comment) => comment.text);

function expectKept(text: string): void {
  const formatted = format(text);
  expect(meaningOf(formatted)).toEqual(meaningOf(text));
  expect(commentsOf(formatted)).toEqual(commentsOf(text));
  expect(format(formatted)).toBe(formatted);
}

/** A statement as it comes out in the body of a definition. */
const body = (statement: string): string => `module f(x: f32[B, n]) {\n${statement}\n}\n`;

describe("layout of one line", () => {
  it.each([
    ["let  y=x", "let y = x"],
    ["let a,b :[f32[B]]=split( x,2 )", "let a, b: [f32[B]] = split(x, 2)"],
    ["param W:f32[n,out]?=xavier_uniform{decay:false,}", "param W: f32[n, out]? = xavier_uniform { decay: false }"],
    ["param W: f32[] = one { }", "param W: f32[] = one {}"],
    ["output y : f32[ B , .. , _ ] = x", "output y: f32[B, .., _] = x"],
    ["penalty p=mean( x )", "penalty p = mean(x)"],
    ['require  n>1,"why"', 'require n > 1, "why"'],
    ["return-x+-1*--2^-3", "return -x + -1 * --2 ^ -3"],
    ["return not a and not(b or c)in[d]", "return not a and not (b or c) in [d]"],
    ["return x[..,-1]+x[:,0:8]+x[none,:n]+x[1:]", "return x[.., -1] + x[:, 0:8] + x[none, :n] + x[1:]"],
    ["return x[0:n-1]+x[n+1:]+x[:n-1]", "return x[0 : n - 1] + x[n + 1 :] + x[: n - 1]"],
    ["return x[base..merchant]", "return x[base .. merchant]"],
    ["return x|>f(a:1,b)per group|>g per model|>h", "return x |> f(a: 1, b) per group |> g per model |> h"],
    ["return if a then b else if c then d else e", "return if a then b else if c then d else e"],
    ["return (a,b)=>a", "return (a, b) => a"],
    ["return () =>uniform(-1,1)", "return () => uniform(-1, 1)"],
    ["return [f(x) for x,i in xs if i>0 for y in ys]", "return [f(x) for x, i in xs if i > 0 for y in ys]"],
    ['return {a:1,b:"c",}', 'return { a: 1, b: "c" }'],
    ["return [1,2,]", "return [1, 2]"],
    ["return 1e-3+1.50", "return 1e-3 + 1.50"],
    ['return "a\\"b\\n"', 'return "a\\"b\\n"'],
    ["return a.b(c)[0].d", "return a.b(c)[0].d"],
    ["return ((x))", "return ((x))"],
    ["return a++b@c/d", "return a ++ b @ c / d"],
  ])("%s", (written, expected) => {
    expect(format(body(written))).toBe(body(`  ${expected}`));
    expect(format(body(`  ${expected}`))).toBe(body(`  ${expected}`));
  });

  it.each([
    ['import{a,b as c,}from"std/x"', 'import { a, b as c } from "std/x"'],
    ["const  a=1", "const a = 1"],
    ["expert E(){}", "expert E() {}"],
    ["gate G(xs:[f32[B,_]],by:f32[B,m]?=none,)->f32[B,_]{}", "gate G(xs: [f32[B, _]], by: f32[B, m]? = none) -> f32[B, _] {}"],
    ['loss l(mode:"a"|"b"="a")->f32[B]for binary|classes{}', 'loss l(mode: "a" | "b" = "a") -> f32[B] for binary | classes {}'],
    ["module m(ids:id[B]of 20,n:int){}", "module m(ids: id[B] of 20, n: int) {}"],
    ["model M{}", "model M {}"],
  ])("%s", (written, expected) => {
    expect(format(written)).toBe(`${expected}\n`);
  });

  it.each([
    ["dim  T", "dim T"],
    ["input x:f32[B,4]?=1{a:2{b:1,c:1},d:2}", "input x: f32[B, 4]? = 1 { a: 2 { b: 1, c: 1 }, d: 2 }"],
    ["let h per task:f32[B]=x", "let h per task: f32[B] = x"],
    ["experts e per group{}", "experts e per group {}"],
    ["group g{route:a}", "group g { route: a }"],
    ["group g", "group g"],
    ["task t in g:classes(3){loss:nll}", "task t in g: classes(3) { loss: nll }"],
    ["task t:binary", "task t: binary"],
    ["transfer a->b=Residual()", "transfer a -> b = Residual()"],
    ["flow  t{}", "flow t {}"],
    ["output y per task = x", "output y per task = x"],
    ["penalty p per group=x", "penalty p per group = x"],
    ["train{batch:3}", "train { batch: 3 }"],
  ])("%s", (written, expected) => {
    expect(format(`model M {${written}}`)).toBe(`model M {\n  ${expected}\n}\n`);
  });
});

describe("layout of several lines", () => {
  const long = (name: string): string => `${name}_${"x".repeat(45)}`;

  it("gives each part of a container its line", () => {
    expect(format("model M { experts e { a[2]:f32[B]=A(x) b=B(y) } flow per task { let y = x return y } }")).toBe(
      "model M {\n  experts e {\n    a[2]: f32[B] = A(x)\n    b = B(y)\n  }\n  flow per task {\n    let y = x\n    return y\n  }\n}\n",
    );
  });

  it.each([
    ["arguments", `f(${long("a")}, ${long("b")}, k: ${long("c")})`, `f(\n    ${long("a")},\n    ${long("b")},\n    k: ${long("c")},\n  )`],
    ["a list", `[${long("a")}, ${long("b")}, ${long("c")}]`, `[\n    ${long("a")},\n    ${long("b")},\n    ${long("c")},\n  ]`],
    [
      "the only argument's brackets",
      `f([${long("a")}, ${long("b")}, ${long("c")}])`,
      `f([\n    ${long("a")},\n    ${long("b")},\n    ${long("c")},\n  ])`,
    ],
    [
      "a record",
      `{ a: ${long("a")}, b: ${long("b")}, c: ${long("c")} }`,
      `{\n    a: ${long("a")},\n    b: ${long("b")},\n    c: ${long("c")},\n  }`,
    ],
    ["a pipe", `x |> ${long("a")} |> ${long("b")} |> ${long("c")}`, `x\n    |> ${long("a")}\n    |> ${long("b")}\n    |> ${long("c")}`],
    ["a sum", `${long("a")} * 2 + ${long("b")} - ${long("c")}`, `${long("a")} * 2\n    + ${long("b")}\n    - ${long("c")}`],
    [
      "a conditional",
      `if a then ${long("a")} else if b then ${long("b")} else ${long("c")}`,
      `if a then ${long("a")}\n    else if b then ${long("b")}\n    else ${long("c")}`,
    ],
    [
      "parentheses",
      `(${long("a")} + ${long("b")} + ${long("c")}) * 2`,
      `(\n    ${long("a")}\n      + ${long("b")}\n      + ${long("c")}\n  )\n    * 2`,
    ],
    [
      "a comprehension",
      `[${long("a")} for ${long("b")} in ${long("c")}]`,
      `[\n    ${long("a")}\n    for ${long("b")} in ${long("c")}\n  ]`,
    ],
    ["a function among arguments", "scan((h) => { return h }, init: 0)", "scan((h) => {\n    return h\n  }, init: 0)"],
    [
      "a function among arguments that do not fit",
      `scan(${long("a")}, ${long("b")}, ${long("c")}, (h) => { return h })`,
      `scan(\n    ${long("a")},\n    ${long("b")},\n    ${long("c")},\n    (h) => {\n      return h\n    },\n  )`,
    ],
  ])("%s", (_, written, expected) => {
    expect(format(body(`return ${written}`))).toBe(body(`  return ${expected}`));
  });

  it("breaks the parameters of a definition, not its result", () => {
    const parameters = ["a", "b", "c", "d"].map((name) => `${name}_${"x".repeat(20)}: f32[B, n]`);
    expect(format(`module f(${parameters.join(",")})->f32[B,n]{return x}`)).toBe(
      `module f(\n  ${parameters.join(",\n  ")},\n) -> f32[B, n] {\n  return x\n}\n`,
    );
  });

  it("joins what fits again", () => {
    expect(format(body("return f(\n  a,\n  b,\n)"))).toBe(body("  return f(a, b)"));
  });

  it("keeps a line of exactly the width and breaks one column more", () => {
    const fitting = `  return f(${"x".repeat(lineWidth - "  return f(, y)".length)}, y)`;
    expect(fitting).toHaveLength(lineWidth);
    expect(format(body(fitting))).toBe(body(fitting));
    expect(format(body(fitting.replace("(", "(x"))).split("\n")).toHaveLength(7);
  });
});

describe("empty lines and comments", () => {
  it.each([
    ["at most one empty line", "const a = 1\n\n\n\nconst b = 2", "const a = 1\n\nconst b = 2\n"],
    ["none at the edges", "\n\nmodel M {\n\n  dim T\n\n}\n\n\n", "model M {\n  dim T\n}\n"],
    ["around comments", "// a\n\n\n// b\nconst a = 1\n// c\n\n// d\n", "// a\n\n// b\nconst a = 1\n// c\n\n// d\n"],
    ["one space before a trailing comment", "const a = 1      // why\nconst b = 2// what", "const a = 1 // why\nconst b = 2 // what\n"],
    ["trailing blanks go", "const a = 1   \n// b  \n", "const a = 1\n// b\n"],
    ["CRLF becomes LF", "// a\r\nconst a = 1 // b\r\n\r\nconst b = 2\r\n", "// a\nconst a = 1 // b\n\nconst b = 2\n"],
    ["a byte order mark goes", "\uFEFFconst a = 1", "const a = 1\n"],
    ["only comments", "  // a\n\n\n  /// b", "// a\n\n/// b\n"],
    ["nothing", "\n\n", ""],
    ["doc comments stay with their item", "model M {\n/// d\n/// e\n  dim T\n}", "model M {\n  /// d\n  /// e\n  dim T\n}\n"],
    ["in an empty body", "model M { // a\n// b\n}", "model M { // a\n  // b\n}\n"],
    ["at the end of a body", "model M { dim T // a\n// b\n}", "model M {\n  dim T // a\n  // b\n}\n"],
    ["a comment breaks its list", "const a = [1, // one\n2]", "const a = [\n  1, // one\n  2,\n]\n"],
    ["before a comma it moves behind", "const a = [1 // one\n, 2 // two\n]", "const a = [\n  1, // one\n  2, // two\n]\n"],
    ["after an opening bracket", "const a = [ // all\n1, 2]", "const a = [ // all\n  1,\n  2,\n]\n"],
    ["before a closing bracket", "const a = [1\n// none\n]", "const a = [\n  1,\n  // none\n]\n"],
    ["in a pipe", "const a = x // start\n|> f // then\n|> g", "const a = x // start\n  |> f // then\n  |> g\n"],
    ["within a statement", "const // a\na = // b\n1", "const // a\na = // b\n1\n"],
    [
      "between the settings of a long record",
      `model M { train { a: "${"x".repeat(60)}",\n\n\nb: "${"y".repeat(60)}" } }`,
      `model M {\n  train {\n    a: "${"x".repeat(60)}",\n\n    b: "${"y".repeat(60)}",\n  }\n}\n`,
    ],
  ])("%s", (_, written, expected) => {
    expect(format(written)).toBe(expected);
    expect(format(expected)).toBe(expected);
  });

  it("refuses a file with syntax errors", () => {
    const { text, diagnostics } = formatSource(new Source("broken.ple", "const a ="));
    expect(text).toBeNull();
    expect(diagnostics).toHaveLength(1);
  });
});

describe("every spec", () => {
  it.each(specFiles.map((source) => [source.name, source] as const))("%s keeps its meaning and comments", (_, source) => {
    expectKept(source.text);
  });

  it.each(specFiles.map((source) => [source.name, source] as const))(
    "%s has no line beyond the width but strings and comments",
    (_, source) => {
      const tooLong = format(source.text)
        .split("\n")
        .map((written) => written.replace(/\s*\/\/.*$/, ""))
        .filter((written) => written.length > lineWidth && !written.includes('"'));
      expect(tooLong).toEqual([]);
    },
  );
});

describe("comments in any place", () => {
  const samples = specFiles.filter(({ text }) => text.length < 4_000);

  it("stay between the tokens where they stood", () => {
    const place = fc.record({ at: fc.nat(), kind: fc.constantFrom(" // c%\n", "\n// c%\n", "\n\n// c%\n\n", "\n/// c%\n", "/// c%\n") });
    fc.assert(
      fc.property(fc.nat(samples.length - 1), fc.array(place, { minLength: 1, maxLength: 8 }), (which, places) => {
        const source = samples[which] as Source;
        const { tokens } = lex(source);
        const inserted = places
          .map(({ at, kind }, i) => ({ offset: tokens[at % tokens.length]?.startOffset ?? 0, text: kind.replace("%", String(i)) }))
          .sort((a, b) => b.offset - a.offset);
        let text = source.text;
        for (const { offset, text: added } of inserted) text = text.slice(0, offset) + added + text.slice(offset);
        expectKept(text);
      }),
      { numRuns: 300 },
    );
  });

  it("without line ends but those after comments", () => {
    for (const source of samples) {
      const { tokens, comments } = lex(source);
      const pieces = [
        ...tokens.map(({ startOffset, image }) => ({ at: startOffset, text: `${image} ` })),
        ...comments.map(({ span, text }) => ({ at: span.start, text: `\n${text}\n` })),
      ];
      expectKept(
        pieces
          .sort((a, b) => a.at - b.at)
          .map(({ text }) => text)
          .join(""),
      );
    }
  });
});
