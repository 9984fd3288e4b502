import { type Case, model, output } from "../expect.ts";

export const callCases: readonly Case[] = [
  [
    "a definition whose widths only a call makes known",
    output(
      "F([x, x[:, 0:4]], x) * f32(G([x]) > 0)",
      `import_gates
module F(bank: [f32[B, _]], by: f32[B, _]) -> f32[B, _] { return BlockScale(bank, by: by, dim_normalize: true) }
module G(bank: [f32[B, _]]) -> f32[B] { return bank[0][:, 0] * min([width(part) for part in bank]) }`,
    )
      .replace('import { bce } from "std/losses"', 'import { BlockScale } from "std/gates"\nimport { bce } from "std/losses"')
      .replace("import_gates\n", "")
      .replace(" * f32(G([x]) > 0)", " * f32(G([x]) > 0)[:, none]"),
  ],
  ["counts that are dims", model("dim T\n  input v: f32[B, T]\n  output o = repeat(x[:, 0:1], [dim(v, 1)])"), "type/not-static 8:32"],
  ["a number called", output("3(x)"), "call/not-callable 6:14 the number 3 cannot be called"],
  ["a tensor called", output("x(2)"), "call/not-callable 6:14"],
  ["a pipe into a number", model("const c = 2\n  output o = x |> c"), "call/not-callable 7:19"],
  ["a missing argument", output("linear(x)"), "call/missing-argument 6:14 `linear` needs `out`"],
  ["a missing argument of a pipe's stage", output("x |> linear"), "call/missing-argument 6:19"],
  ["a missing argument of a built-in function", output("sum()"), "call/missing-argument 6:14 `sum` needs `x`"],
  ["a missing argument of a lambda", model("let f = (a, b) => a + b\n  output o = f(x)"), "call/missing-argument 7:14"],
  ["two missing arguments", output("linear()"), "call/missing-argument 6:14", "call/missing-argument 6:14"],
  ["an unknown argument", output("linear(x, 4, bais: none)"), "call/unknown-argument 6:27 `linear` has no parameter `bais`"],
  ["an unknown argument of a built-in function", output("sum(x, axes: 1)"), "call/unknown-argument 6:21"],
  ["too many arguments", output("silu(x, 1)"), "call/too-many-arguments 6:22 `silu` takes 1 argument, and this is number 2"],
  ["too many arguments in a pipe", output("x |> silu(x)"), "call/too-many-arguments 6:24 `silu` takes 1 argument, and this is number 2"],
  ["too many arguments of a lambda", model("let f = (a) => a\n  output o = f(x, x)"), "call/too-many-arguments 7:19"],
  ["an argument twice", output("linear(x, 4, out: 5)"), "call/argument-twice 6:32 `out` of `linear` is given twice"],
  ["an argument twice through a pipe", output("x |> linear(x: x, out: 4)"), "call/argument-twice 6:29"],
  [
    "a requirement that holds",
    output("F(x, 4)", 'module F(x: f32[B, n], k: int) {\n  require k > 2, "k must exceed 2"\n  return linear(x, k)\n}'),
  ],
  [
    "a requirement that fails",
    output("F(x, 1)", 'module F(x: f32[B, n], k: int) {\n  require k > 2, "k must exceed 2"\n  return linear(x, k)\n}'),
    "call/requirement 6:14 `F`: k must exceed 2",
  ],
  [
    "a requirement about data",
    output("F(x)", 'module F(x: f32[B, n]) {\n  require x > 2, "x must exceed 2"\n  return x\n}'),
    "type/not-static 9:11",
  ],
  ["a requirement that is a number", output("F(x)", 'module F(x: f32[B, n]) {\n  require n, "n"\n  return x\n}'), "type/mismatch 9:11"],
  ["a requirement of the library", model("input s: f32[B, 5, 6]\n  output o = self_attention(s, step_mask(s))"), "call/requirement 7:14"],
  ["a body without a return", model("", "module F(x: f32[B, n]) { let _a = x }"), "call/no-return"],
  ["a flow without a return", model("").replace("return linear(x, task.width)", "let _a = x"), "call/no-return"],
  ["a statement after return", model("", "module F(x: f32[B, n]) {\n  return x\n  let _a = x\n}"), "call/after-return 10:3"],
  ["two returns", model("", "module F(x: f32[B, n]) {\n  return x\n  return x\n}"), "call/after-return 10:3"],
  [
    "a call with a wrong argument brings one finding",
    output("F(x[:, 9]) + F(x[:, 9])", "module F(x: f32[B]) { return x }"),
    "dim/slice-past-end 6:21",
    "dim/slice-past-end 6:34",
  ],
  [
    "a wrong let is reported once, wherever it is used",
    model("let h = x[:, 9]\n  output o = h\n  output p = h + 1"),
    "dim/slice-past-end 6:16",
  ],
  [
    "a fault of a definition is reported once for all of its calls",
    model("output o = F(x)\n  output p = F(linear(x, 4))", "module F(x: f32[B, n]) -> f32[B, n] { return concat([x, x]) }"),
    "dim/mismatch 9:46",
  ],
  [
    "a fault at one width alone is reported with its call",
    output("F(x)", "module F(x: f32[B, n]) { return x[:, 0:9] }"),
    "dim/slice-past-end 8:38",
  ],

  // ── bounds ────────────────────────────────────────────────────────────────
  ["a huge range", output("x * count(range(1e9))"), "call/limit 6:30"],
  ["a negative range", output("x * count(range(-1))"), "type/range 6:30"],
  ["a huge iterate", output("iterate(1e6, (s) => s * 2, from: x)"), "call/limit 6:22"],
  ["a negative iterate", output("iterate(-1, (s) => s * 2, from: x)"), "type/range 6:22"],
  ["an endless lambda", model("let f = (g, v) => g(g, v)\n  output o = f(f, x)"), "call/recursive 6:21"],
];
