import { describe, expect, it } from "vitest";
import { parse } from "../../dsl/parser.ts";
import { Source } from "../../dsl/source.ts";

const codes = (text: string): readonly string[] => parse(new Source("t", text)).diagnostics.map(({ code }) => code);

describe("the grammar", () => {
  /** One text for each clause of section 2 of docs/language.md. */
  it.each([
    ["import with alias and final comma", 'import { a, b as c, } from "x"'],
    ["const", "const a = 1"],
    ["definition of every role", "module a() {} expert b() {} gate c() {} tower d() {} loss e() {}"],
    ["definition in full", "module f(a: int = 1, b: string,) -> f32[B]? for binary | classes { return a }"],
    [
      "statements",
      'module f() { let a, b: int = c param W: f32[2] = zero { decay: false } output o: f32[] = a penalty p = a require a, "m" return a }',
    ],
    ["types", 'module f(a: f32[], b: i32[.., _, 2 * n,], c: bool[B]?, d: id[B] of 20, e: [[f32[B]]]?, f: "x" | "y", g: module?) {}'],
    [
      "items",
      "model M { const a = 1 dim T input x: f32[B] = 0 { a: 1 { b: 1, }, } let h, i per task: f32[B] = x param W: f32[] = one {} }",
    ],
    ["banks", "model M { experts a per task { x[2]: f32[B] = A(x) y = B() } routes r per group { z = C() } }"],
    ["tasks and groups", "model M { group g group h { route: a } task t: binary task u in g: classes(3) { loss: nll } }"],
    [
      "flows and results",
      "model M { transfer a -> b = R() flow per task { return x } flow t { return x } output o per model: f32[B] = x penalty p per group = x train {} }",
    ],
    ["lambdas", "const f = [() => 1, (a) => a, (a, b,) => { return a }]"],
    ["conditional", "const a = if b then c else if d then e else f"],
    ["pipe", "const a = x |> f |> g(1) per group |> h.i per model"],
    ["operators", "const a = not b and c or -d ^ -e * f / g @ h + i - j ++ k == l"],
    ["comparisons", "const a = [b < c, b <= c, b > c, b >= c, b != c, b in c]"],
    ["postfix", "const a = b.c(d, e: f,) per task[0].g"],
    ["indices", "const a = b[.., c .. d, :, 1:, :2, 1:2, none, -1,]"],
    ["literals", 'const a = [1, 0.5, 1e-3, "s", true, false, none, (b), {}, { c: 1, }]'],
    ["comprehensions", "const a = [x for x in y for z, i in w |> f if i > 0]"],
    ["soft keywords as names", "module task(input: int, model: f32[dim]) { let group, of, f32, from = import(id) return bool.as }"],
  ])("reads %s", (_, text) => expect(codes(text)).toEqual([]));

  it.each(["and", "or", "not", "in", "for", "if", "then", "else", "per", "true", "false", "none", "let", "return"])(
    "reserves %s",
    (word) => {
      expect(codes(`const ${word} = 1`)).toEqual(["syntax/unexpected"]);
    },
  );
});

describe("a bracket that is not closed", () => {
  it.each([
    ["b = B(x)", "an entry"],
    ["b: f32[B, 64] = B(x)", "an entry with a type"],
    ["b[2]: f32[B, 64] = B(x)", "several entries"],
  ])("ends before %s, %s", (entry) => {
    expect(codes(`model M {\n  experts e {\n    a = A(x\n    ${entry}\n    c = C(x)\n  }\n}\n`)).toEqual(["syntax/unexpected"]);
  });
});
