import { describe, expect, it } from "vitest";
import { closest } from "../../dsl/suggest.ts";

describe("closest", () => {
  const names = ["linear", "layer_norm", "silu", "softmax", "log_softmax", "concat", "Tower", "x", "y"];

  it.each([
    ["two letters swapped", "linaer", "linear"],
    ["a missing letter in a short word", "slu", "silu"],
    ["a missing underscore", "layernorm", "layer_norm"],
    ["another case", "tower", "Tower"],
    ["another case of a long word", "CONCAT", "concat"],
    ["the nearer of two", "sofmax", "softmax"],
    ["something else", "attention", null],
    ["one letter says nothing", "z", null],
    ["the name itself", "concat", null],
    ["nothing", "", null],
  ])("%s", (_, name, expected) => expect(closest(name, name === "concat" ? ["concat"] : names)).toBe(expected));

  it("prefers the first of equals", () => expect(closest("task_c", ["task_a", "task_b"])).toBe("task_a"));
});
