import { describe, expect, test } from "vitest";
import { applyFixes } from "../../cli/apply-fixes.ts";
import { lint, testRule } from "./expect.ts";

const code = "lint/decay-exempt";

const model = (statements: string, result: string) => `import { bce } from "std/losses"
module Layer(x: f32[B, n]) -> f32[B, n] {
  ${statements}
  return ${result}
}
model M {
  input x: f32[B, 8]
  input id: id[B] of 50
  task t: binary { loss: bce }
  flow per task { return linear(Layer(x), task.width) }
}`;

testRule(code, {
  valid: [
    ["a weight", model("param W: f32[n, n] = normal(0.1)", "x @ W")],
    ["a weight that is reshaped first", model("param W: f32[n, 1, n] = normal(0.1)", "x @ W[:, 0]")],
    ["a bias of rank 1", model("param b: f32[n] = 0", "x + b")],
    ["an exempt offset", model("param b: f32[1, n] = 0 { decay: false }", "x + b[0]")],
    ["a frozen one", model("param b: f32[1, n] = 0 { frozen: true }", "x + b[0]")],
    ["the weights of a convolution by shifts", model("param K: f32[2, n] = uniform(-0.5, 0.5)", "x * K[0] + x * K[1]")],
    ["an offset that is a weight elsewhere", model("param W: f32[n, n] = normal(0.1)", "x @ W + W[0]")],
    ["the library's embedding", model("", "x").replace("linear(Layer(x)", "linear(concat([Layer(x), embedding(id, 4)])")],
  ],
  invalid: [
    [
      "an offset of rank 2",
      model("param b: f32[1, n] = 0", "x + b[0]"),
      ["3:3 the parameter `flow/t/Layer/b` is an offset, and weight decay pulls it to zero"],
    ],
    ["a bias that says so", model("param b: f32[n] = 0 { decay: true }", "x + b"), ["3:3 the parameter `flow/t/Layer/b` is an offset"]],
    [
      "a scale of rank 2",
      model("param g: f32[1, n] = 1", "x / (norm(x)[:, none]) * g[0]"),
      ["3:3 the parameter `flow/t/Layer/g` is a scale that starts at 1"],
    ],
    [
      "a logarithm of rates",
      model("param A_log: f32[1, n] = 0", "x * exp(A_log)[0]"),
      ["3:3 the parameter `flow/t/Layer/A_log` is read through `exp`"],
    ],
    [
      "a table",
      model("param table: f32[50, n] = normal(0.1)", "x + gather(table, i32(x[:, 0]))"),
      ["3:3 the parameter `flow/t/Layer/table` is a table that is read by ids"],
    ],
  ],
});

describe("its fix, which changes training and so is not safe", () => {
  test.each([
    ["without settings", "param b: f32[1, n] = 0", "param b: f32[1, n] = 0 { decay: false }"],
    ["beside a tag", 'param b: f32[1, n] = 0 { tag: "late" }', 'param b: f32[1, n] = 0 { decay: false, tag: "late" }'],
    ["over a stated one", "param b: f32[1, n] = 0 { decay: true }", "param b: f32[1, n] = 0 { decay: false }"],
  ])("%s", (_, before, after) => {
    const found = lint(model(before, "x + b[0]"), new Set([code]));
    expect(found.flatMap(({ fixes }) => fixes.map(({ safe }) => safe))).toEqual([false]);
    const source = found[0]?.span?.source;
    expect(source).toBeDefined();
    if (source === undefined) return;
    const { text } = applyFixes(source, found, () => true);
    expect(text).toBe(model(after, "x + b[0]"));
    expect(lint(text, new Set([code]))).toEqual([]);
  });
});
