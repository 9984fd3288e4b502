import { describe, expect, test } from "vitest";
import { findingsOf, model, output } from "./expect.ts";

const lines = (count: number, line: (i: number) => string) => Array.from({ length: count }, (_, i) => line(i)).join("\n");

/** Modules M0 to M(n-1), each made of the next one. */
const nested = (count: number, body: (next: string) => string, last: string, parameter = "x: f32[B, n]") =>
  lines(count, (i) => `module M${i}(${parameter}) { return ${i === count - 1 ? last : body(`M${i + 1}`)} }`);

/** Sources whose evaluation would take exponential time, endless time or absurd memory, with the code that ends them. */
const bounded: readonly (readonly [title: string, source: string, code: string])[] = [
  [
    "a graph that doubles at each of 99 levels",
    output(
      "M0(x)",
      nested(99, (next) => `${next}(x) + ${next}(x * 3)`, "x * 2"),
    ),
    "call/limit",
  ],
  [
    "a number that doubles at each of 90 levels",
    output(
      "x * M0(1)",
      nested(90, (next) => `${next}(k) + ${next}(k)`, "k + 1", "k: int"),
    ),
    "call/limit",
  ],
  [
    "modules nested too deep",
    output(
      "M0(x)",
      nested(150, (next) => `${next}(x)`, "x * 2"),
    ),
    "call/recursive",
  ],
  [
    "a lambda that calls itself through fold",
    model("let f = (g, v) => fold([1, 2], v, (a, b) => g(g, a))\n  output o = f(f, x)"),
    "call/recursive",
  ],
  [
    "a lambda that calls itself through iterate",
    model("let f = (g, v) => iterate(2, (a) => g(g, a), from: v)\n  output o = f(f, x)"),
    "call/recursive",
  ],
  [
    "a lambda that calls itself through scan",
    model("let f = (g, v) => scan((h, u) => g(g, v)[:, 0], init: v[:, 0], over: v)\n  output o = f(f, x)"),
    "call/recursive",
  ],
  ["three loops of a thousand", output("x * count([i for i in range(1000) for j in range(1000) for k in range(1000)])"), "call/limit"],
  ["a comprehension over a million of a million", output("x * count([1 for i in range(1e6) for j in range(1e6)])"), "call/limit"],
  ["a list that doubles 60 times", output("x * count(iterate(60, (s) => s ++ s, from: [1]))"), "call/limit"],
  ["a record that doubles 40 times", output("x * count(iterate(40, (r) => r ++ r, from: { a: 1 }))"), "call/limit"],
  ["a search in a long list, for each of its items", output("x * count([i for i in range(1e5) if i in range(1e5)])"), "call/limit"],
  ["a million additions", output("sum([x * i for i in range(1e6)])"), "call/limit"],
  ["unrolled loops in unrolled loops", output("iterate(1e4, (s) => iterate(1e4, (t) => t * 2, from: s), from: x)"), "call/limit"],
  [
    "ten thousand experts for each of fifty tasks",
    model(
      `experts b per task { e[10000] = linear(x, 4) }\n  output o = concat(all(b))\n${lines(50, (i) => `task t${i}: binary { loss: bce }`)}`,
    ),
    "call/limit",
  ],
  ["a dim of degree 2^40", output("zeros([iterate(40, (d) => d * d, from: B)])"), "call/limit"],
  [
    "a dim of thousands of terms",
    model("dim T\n  dim U\n  input s: f32[B, T, U]\n  output o = reshape(s, [(B + T + U + 1) ^ 8])"),
    "call/limit",
  ],
  [
    "five thousand lets that wait for the next",
    model(`${lines(5000, (i) => `let h${i} = ${i === 4999 ? "x" : `h${i + 1} + 1`}`)}\n  output o = h0`),
    "call/limit",
  ],
  [
    "five thousand consts that wait for the next",
    `${model("output o = x * c0")}${lines(5000, (i) => `const c${i} = ${i === 4999 ? "1" : `c${i + 1} + 1`}`)}`,
    "call/limit",
  ],
  [
    "deep brackets in deep modules",
    output(
      "M0(x)",
      nested(99, (next) => `${"(".repeat(150)}${next}(x)${")".repeat(150)}`, "x * 2"),
    ),
    "call/limit",
  ],
];

/** Large and sound. */
const large: readonly (readonly [title: string, source: string])[] = [
  [
    "five thousand lets, each after what it reads",
    model(`${lines(5000, (i) => `let h${i} = ${i === 0 ? "x" : `h${i - 1} + 1`}`)}\n  output o = h4999`),
  ],
  ["a pipe of five thousand stages", output(`x${" |> silu".repeat(5000)}`)],
  ["ten thousand experts", model("experts b { e[10000] = linear(x, 4) }\n  output o = sum([v for v in b])")],
  ["a thousand tasks", model(lines(1000, (i) => `task t${i}: binary { loss: bce }`))],
  [
    "a thousand flows that read one another",
    `model M {\n  input x: f32[B, 8]\n${lines(1000, (i) => `task t${i}: binary { loss: none }\nflow t${i} { return linear(x, 1) + ${i === 999 ? "0" : `t${i + 1}.logit`} }`)}\n}`,
  ],
  [
    "modules 90 deep",
    output(
      "M0(x)",
      nested(90, (next) => `${next}(x)`, "x * 2"),
    ),
  ],
  [
    "records that hold a tensor, or a number, 2^40 times over",
    `${model(`let r0 = { a: 1 }\n  let s0 = { a: x }\n${lines(40, (i) => `let r${i + 1} = { a: r${i}, b: r${i} }\n  let s${i + 1} = { a: s${i}, b: s${i} }`)}
  output o = [F(x, r) for r in [r40, s40, r40, s40]] |> sum`)}
module F(x: f32[B, n], r: record) { return G(x, r)[0] }\nmodule G(x: f32[B, n], r: record) { return [2 * x, r] }`,
  ],
  ["two thousand slices", model(`input y: f32[B, 2000] { ${lines(2000, (i) => `s${i}: 1,`)} }\n  output o = concat(leaves(y))`)],
];

/** Generous, since tests share their machine: without the bounds these would run for hours or exhaust memory. */
const patience = 15_000;

describe("what would not end is ended by one finding", () => {
  test.each(bounded)("%s", { timeout: patience }, (_, source, code) => {
    const codes = findingsOf(source).map((finding) => finding.split(" ")[0]);
    expect(new Set(codes)).toEqual(new Set([code]));
    expect(codes.length).toBeLessThanOrEqual(3);
  });
});

describe("what is large and sound passes", () => {
  test.each(large)("%s", { timeout: patience }, (_, source) => expect(findingsOf(source)).toEqual([]));
});

test("many cycles end in a few findings", () => {
  const edges = lines(120, (i) => lines(20, (j) => `transfer t${i} -> t${(i + 7 * j + 1) % 120} = F`));
  const source = `model M {\n  input x: f32[B, 8]\n${lines(120, (i) => `task t${i}: binary { loss: none }`)}
  flow per task { return x |> transfers |> linear(1) }\n${edges}\n}\nmodule F(x: f32[B, n], s: record) { return x }`;
  const findings = findingsOf(source);
  expect(findings.every((finding) => finding.startsWith("transfer/cycle"))).toBe(true);
  expect(findings.length).toBeGreaterThan(0);
  expect(findings.length).toBeLessThan(10);
});
