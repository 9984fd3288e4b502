import { type Case, model, output } from "../expect.ts";

const definitions = `
module Wants(x: f32[B, 64]) -> f32[B, 64] { return x }
module Same(a: f32[B, n], b: f32[B, n]) -> f32[B, n] { return a + b }
module Mix(bank: [f32[B, d]]) -> f32[B, d] { return sum([v for v in bank]) }
module Rest(a: f32[.., n], b: f32[..]) -> f32[..] { return b + sum(a, axis: -1) }
module Twice(x: f32[B, n]) -> f32[B, 2 * n] { return concat([x, x]) }
module Half(x: f32[B, n]) -> f32[B, n / 2] { return x[:, 0 : n / 2] }
module Emb(ids: id[B] of v, table: f32[v, d]) -> f32[B, d] { return gather(table, ids) }
`;

export const dimCases: readonly Case[] = [
  // ── claims ────────────────────────────────────────────────────────────────
  ["a proven claim", model("let h: f32[B, 8] = x\n output o = h")],
  ["a claim by arithmetic", model("let h: f32[B, 2 * 4] = x\n output o = h")],
  ["a claim by a const", model("const n = 8\n let h: f32[B, n] = x\n output o = h")],
  ["a claim with a free dim", model("let h: f32[B, _] = x\n output o = h")],
  ["a claim with free leading dims", model("let h: f32[.., 8] = x\n output o = h")],
  ["a claim that is wrong", model("let _h: f32[B, 12] = x"), "dim/mismatch 6:24 `_h` is declared f32[B, 12], and this is f32[B, 8]"],
  [
    "a claim by a const that is wrong",
    model("const n = 9\n  let _h: f32[B, n] = x"),
    "dim/mismatch 7:23 `_h` is declared f32[B, n], with n = 9, and this is f32[B, 8]",
  ],
  ["a claim of another rank", model("let _h: f32[8] = x"), "dim/rank 6:20 `_h` must be f32[8], and this is f32[B, 8]"],
  ["a claim of an output", model("output o: f32[B, 4] = x"), "dim/mismatch 6:25 `o` is declared f32[B, 4], and this is f32[B, 8]"],
  [
    "a claim of a bank entry",
    model("experts b { e: f32[B, 9] = x }\n let _u = b"),
    "dim/mismatch 6:30 `e` is declared f32[B, 9], and this is f32[B, 8]",
  ],
  [
    "a claim of a flow's let",
    model("", "module D(x: f32[B, n]) -> f32[B, n] {\n  let h: f32[B, n + 1] = x\n  return h\n}"),
    "dim/mismatch 9:26 `h` is declared f32[B, n + 1], and this is f32[B, n]",
  ],
  ["a claim of the batch", model("let _h: f32[8, 8] = x"), "dim/mismatch 6:23 `_h` is declared f32[8, 8], and this is f32[B, 8]"],

  // ── signatures ────────────────────────────────────────────────────────────
  [
    "a width that a module does not take",
    output("Wants(x)", definitions),
    "dim/mismatch 6:20 `x` of `Wants` is declared f32[B, 64], and this is f32[B, 8]",
  ],
  ["a dim bound twice", output("Same(x, linear(x, 4))", definitions), "dim/bound-twice 6:22 dim `n` of `Same` is 8 by `a` and 4 by `b`"],
  ["equal dims bound once", output("Same(x, linear(x, 8))", definitions)],
  [
    "experts of unequal widths into a sum",
    output("Mix([x, linear(x, 4)])", definitions),
    "dim/bound-twice 6:22 dim `d` of `Mix` is 8 by `bank[0]` and 4 by `bank[1]`",
  ],
  [
    "a bank of unequal widths into a weighted sum",
    model("experts b {\n    wide = linear(x, 16)\n    slim = linear(x, 4)\n  }\n  output o = WeightedSum(b, by: x)").replace(
      "import",
      'import { WeightedSum } from "std/gates"\nimport',
    ),
    "dim/bound-twice 9:5 dim `d` of `WeightedSum` is 16 by `bank.wide` and 4 by `bank.slim`",
  ],
  [
    "leading dims of two arguments",
    model("input s: f32[B, 5, 3]\n  output o = Rest(s, x)", definitions),
    "dim/mismatch 7:22 the leading dims of `b` of `Rest` are [B, 8], and those of `a` are [B, 5]",
  ],
  ["leading dims that agree", model("input s: f32[B, 8, 3]\n  output o = Rest(s, x)", definitions)],
  ["a result that is computed", output("Twice(x)[:, 15]", definitions)],
  [
    "an argument of too low rank",
    output("Wants(x[:, 0])", definitions),
    "dim/rank 6:20 `x` of `Wants` must be f32[B, 64], and this is f32[B]",
  ],
  [
    "a wrong result type",
    model("", "module R(x: f32[B, n]) -> f32[B, n] {\n  return concat([x, x])\n}"),
    "dim/mismatch 9:10 the result of `R` is declared f32[B, n], and this is f32[B, 2*n]",
  ],
  ["an odd width halved", output("Half(linear(x, 7))", definitions), "dim/not-a-dim"],
  ["an even width halved", output("Half(x)", definitions)],
  ["a vocabulary that binds", model("input i: id[B] of 5\n  param E: f32[5, 2] = 0\n  output o = Emb(i, E)", definitions)],
  [
    "a vocabulary that disagrees",
    model("input i: id[B] of 5\n  param E: f32[6, 2] = 0\n  output o = Emb(i, E)", definitions),
    "dim/bound-twice 8:21 dim `v` of `Emb` is 5 by `ids` and 6 by `table`",
  ],
  [
    "a stated vocabulary that disagrees",
    model("input i: id[B] of 5\n  output o = F(i)", "module F(i: id[B] of 6) { return one_hot(i, 6) }"),
    "dim/mismatch 7:16 `i` of `F` has a vocabulary of 6, and this has one of 5",
  ],
  [
    "ids without a vocabulary",
    model("input i: i32[B]\n  param E: f32[5, 2] = 0\n  output o = Emb(i, E)", definitions),
    "type/mismatch 8:18 `ids` of `Emb` must be categorical ids with a vocabulary, not i32[B]",
  ],
  ["a dim that nothing binds", output("U()", "module U(x: f32[B, n]? = none) { return zeros([B, n]) }"), "dim/unbound"],
  [
    "a suggestion of slices",
    "model M {\n  input x: f32[B, 10] { a: 4, b: 2, c: 4 }\n  task t: binary { loss: none }\n  flow per task { return linear(x, 1) }\n  output o = F(x)\n}\nmodule F(y: f32[B, 6]) { return y }",
    "dim/mismatch 5:16",
  ],

  // ── elementwise ───────────────────────────────────────────────────────────
  ["a scalar goes with everything", output("x + 1")],
  ["a scalar tensor goes with everything", output("x * sum(mean(x, axis: 0), axis: 0)")],
  ["trailing dims repeat", model("param b: f32[8] = 0\n  output o = x + b")],
  ["an axis of none stretches", output("x * x[:, 0][:, none]")],
  ["a kept axis stretches", output("x / sum(x, axis: -1, keep: true)")],
  ["a stretching axis through arithmetic", output("x / (sum(x, axis: -1, keep: true) + 1)")],
  ["two axes of none", output("sum(x[:, :, none] * x[:, none], axis: 2)")],
  [
    "a column that meets a wider one",
    output("x * linear(x, 1)"),
    "dim/silent-broadcast 6:14 `*` of f32[B, 8] and f32[B, 1] would repeat an axis silently",
  ],
  ["a column made of a slice", output("x + x[:, 0:1]"), "dim/silent-broadcast 6:14"],
  ["a column in where", output("where(x > 0, x, linear(x, 1))"), "dim/silent-broadcast 6:14"],
  ["a column in max", output("max(x, linear(x, 1))"), "dim/silent-broadcast 6:14"],
  ["unequal widths added", output("x + linear(x, 7)"), "dim/mismatch 6:14 the shapes [B, 8] and [B, 7] do not go together: 8 and 7 differ"],
  ["unequal widths compared", output("f32(x > linear(x, 7))"), "dim/mismatch 6:18"],
  ["B against a width", output("x[:, 0] + mean(x, axis: 0)"), "dim/mismatch 6:14"],
  ["a row against a column", output("x[:, 0] * x[:, 0:1]"), "dim/silent-broadcast"],
  ["lower rank that does not fit", model("param b: f32[7] = 0\n  output o = x + b"), "dim/mismatch 7:14"],
  ["unequal widths, none broadcast by a middle axis", model("input s: f32[B, 3, 8]\n  output o = s + x"), "dim/mismatch 7:14"],

  // ── matmul, concat, reshape ───────────────────────────────────────────────
  [
    "inner dims that differ",
    model("param W: f32[9, 3] = 0\n  output o = x @ W"),
    "dim/mismatch 7:14 in [B, 8] @ [9, 3] the inner dims 8 and 9 differ",
  ],
  ["matmul of a vector", model("param w: f32[8] = 0\n  output o = x @ w"), "dim/rank 7:14"],
  ["concat of unequal rows", model("input s: f32[B, 3, 8]\n  output o = concat([s, s[:, 0:2]], axis: 2)"), "dim/mismatch 7:14"],
  ["concat of unequal ranks", model("input s: f32[B, 3, 8]\n  output o = concat([s, x])"), "dim/rank 7:14"],
  ["stack of unequal widths", output("stack([x, linear(x, 4)], axis: 1)"), "dim/mismatch 6:14"],
  ["stack of unequal ranks", output("stack([x, x[:, 0]], axis: 1)"), "dim/rank"],
  ["a reshape that fits", output("reshape(x, [B, 4, 2])")],
  ["a reshape of other size", output("reshape(x, [B, 3])"), "dim/mismatch 6:14"],
  ["a reshape that hides the batch", output("reshape(x, [8, B])"), "dim/batch-lost"],
  ["a reshape to a fraction", output("reshape(x, [B, 8 / 3])"), "dim/not-a-dim 6:25"],
  ["split in unequal parts", output("split(x, 3)[0]"), "dim/not-divisible"],
  ["split by widths that do not add up", output("split(x, [3, 4])[0]"), "dim/mismatch 6:23 the parts 3 + 4 add up to 7, and axis 1 has 8"],
  ["split by widths", output("split(x, [3, 5])[0]")],
  ["expand of a real axis", output("expand(x, [B, 9])"), "dim/mismatch 6:14"],

  // ── slices ────────────────────────────────────────────────────────────────
  ["a slice within", output("x[:, 0:8]")],
  ["a slice past the end", output("x[:, 4:10]"), "dim/slice-past-end 6:19"],
  ["a slice that ends before it begins", output("x[:, 4:2]"), "dim/slice-past-end 6:19"],
  ["a slice from the end", output("x[:, -3:]")],
  ["a slice from before the beginning", output("x[:, -9:]"), "dim/slice-past-end 6:19"],
  ["a position past the end", output("x[:, 8]"), "dim/slice-past-end 6:19 position 8 is past the end: axis 1 has 8"],
  ["the last position", output("x[:, -8]")],
  ["a position before the beginning", output("x[:, -9]"), "dim/slice-past-end 6:19 position -9 is past the end: axis 1 has 8"],
  ["too many positions", output("x[:, 0, 0]"), "dim/rank 6:14 3 positions for f32[B, 8], which has 2 axes"],
  ["two rests", output("x[.., ..]"), "dim/rank"],
  [
    "named slices in the wrong order",
    "model M {\n  input x: f32[B, 4] { a: 2, b: 2 }\n  task t: binary { loss: none }\n  flow per task { return linear(x, 1) }\n  output o = x[b .. a]\n}",
    "dim/slice-past-end 5:14 slice `b` comes after `a`",
  ],
  [
    "an unknown end of a range",
    "model M {\n  input x: f32[B, 4] { aa: 2, bb: 2 }\n  task t: binary { loss: none }\n  flow per task { return linear(x, 1) }\n  output o = x[aa .. bc]\n}",
    "name/unknown-member 5:22 the tensor has no `bc`",
  ],
  [
    "slices that do not add up",
    "model M {\n  input x: f32[B, 10] { a: 4, b: 5 }\n  task t: binary { loss: none }\n  flow per task { return linear(x, 1) }\n}",
    "dim/slices-sum 2:9 the slices of `x` add up to 9, not 10",
  ],
  [
    "inner slices that do not add up",
    "model M {\n  input x: f32[B, 10] { a: 4 { c: 1, d: 1 }, b: 6 }\n  task t: binary { loss: none }\n  flow per task { return linear(x, 1) }\n}",
    "dim/slices-sum 2:25 the slices of `x.a` add up to 2, not 4",
  ],
  [
    "a slice of a slice",
    "model M {\n  input x: f32[B, 10] { a: 4 { c: 1, d: 3 }, b: 6 }\n  task t: binary { loss: none }\n  flow per task { return linear(x, 1) }\n  output o: f32[B, 3] = x.a.d\n}",
  ],
  [
    "a range of inner slices",
    "model M {\n  input x: f32[B, 10] { a: 4 { c: 1, d: 3 }, b: 6 }\n  task t: binary { loss: none }\n  flow per task { return linear(x, 1) }\n  output o: f32[B, 9] = x[a.d .. b]\n}",
  ],

  // ── the batch ─────────────────────────────────────────────────────────────
  ["an output without the batch", output("mean(x, axis: 0)"), "dim/batch-lost 6:14 output `o` is f32[8], without the batch dim B in front"],
  ["a scalar output", output("sum(x, axis: [0, 1])"), "dim/batch-lost 6:14"],
  [
    "an input without the batch",
    model("input y: f32[8]\n  output o = x + y"),
    "dim/batch-lost 6:12 input `y` is f32[8], without the batch dim B in front",
  ],
  ["an input with the batch behind", model("input y: f32[8, B]\n  output o = x + y"), "dim/batch-lost 6:12"],
  ["the batch doubled", output("concat([x, x], axis: 0)"), "dim/batch-lost 6:14"],

  // ── dims themselves ───────────────────────────────────────────────────────
  ["a fractional dim", model("input y: f32[B, 2.5]\n  output o = y"), "dim/not-a-dim 6:19 a dim must be a whole number from 1 up, not 2.5"],
  ["a negative dim", model("input y: f32[B, -3]\n  output o = y"), "dim/not-a-dim 6:19"],
  ["an empty input", model("input y: f32[B, 0]\n  output o = y"), "dim/not-a-dim 6:19"],
  ["an empty param", model("param p: f32[0] = 1\n  output o = x + sum(p, axis: 0)"), "dim/not-a-dim 6:16"],
  ["a string for a dim", model('input y: f32[B, "a"]\n  output o = y'), "dim/not-a-dim 6:19"],
  ["an absurd dim", model("input y: f32[B, 1e15]\n  output o = y"), "dim/absurd 6:19"],
  ["a dim beyond whole numbers", model("input y: f32[B, 2 ^ 53]\n  output o = y"), "dim/absurd 6:19"],
  ["absurd zeros", output("sum(zeros([1e6, 1e9]), axis: [0, 1]) + x"), "dim/absurd"],
  ["an absurd param", model("param p: f32[1e6, 1e6] = 0\n  output o = x + sum(p, axis: [0, 1])"), "dim/absurd 6:3"],
  ["a param that no array holds", model("param p: f32[2^16, 2^16 + 1] = 0\n  output o = x + sum(p, axis: [0, 1])"), "dim/absurd 6:3"],
  ["a param as long as an array may be", model("param p: f32[2^16, 2^16] = 0\n  output o = x + sum(p, axis: [0, 1])")],
  ["an absurd linear", output("linear(x, 1e14)"), "dim/absurd"],
  ["division by zero", output("linear(x, 8 / 0)"), "type/range 6:24 8 / 0 has no value"],

  // ── dynamic dims ──────────────────────────────────────────────────────────
  ["a dynamic dim", model("dim T\n  input s: f32[B, T, 3]\n  output o: f32[B, T, 3] = s * 2")],
  ["arithmetic over a dynamic dim", model("dim T\n  input s: f32[B, T, 3]\n  output o: f32[B, 2 * T, 3] = concat([s, s], axis: 1)")],
  ["a reshape over a dynamic dim", model("dim T\n  input s: f32[B, T, 4]\n  output o: f32[B, 2 * T, 2] = reshape(s, [B, 2 * T, 2])")],
  [
    "a sum of dynamic dims",
    model("dim T\n  dim U\n  input s: f32[B, T, 3]\n  input r: f32[B, U, 3]\n  output o: f32[B, T + U, 3] = concat([s, r], axis: 1)"),
  ],
  ["a dynamic dim against a number", model("dim T\n  input s: f32[B, T, 3]\n  output o: f32[B, 5, 3] = s"), "dim/mismatch 8:28"],
  ["two dynamic dims", model("dim T\n  dim U\n  input s: f32[B, T, 3]\n  input r: f32[B, U, 3]\n  output o = s + r"), "dim/mismatch 10:14"],
  ["a param of a dynamic dim", model("dim T\n  input s: f32[B, T]\n  param w: f32[T] = 0\n  output o = s * w"), "param/symbolic-shape 8:3"],
  ["a linear over a dynamic dim", model("dim T\n  input s: f32[B, T]\n  output o = linear(s, 4)"), "param/symbolic-shape"],
  ["half of a dynamic dim", model("dim T\n  input s: f32[B, T]\n  output o = s[:, 0 : T / 2]"), "dim/not-divisible"],
  ["a position in a dynamic axis", model("dim T\n  input s: f32[B, T]\n  output o = s[:, 0]")],
];
