import { testRule } from "./expect.ts";

const model = (expression: string) => `import { bce } from "std/losses"
model M {
  input x: f32[B, 8]
  task t: binary { loss: bce }
  flow per task { return linear(x, task.width) }
  output o = ${expression}
}`;

testRule("lint/large-constant", {
  valid: [
    ["a few numbers", model("x * tensor(range(8))")],
    ["numbers that the graph computes", model("expand(arange(20000)[none], [B, 20000])")],
    ["zeros", model("expand(zeros([20000])[none], [B, 20000])")],
  ],
  invalid: [
    [
      "a long list",
      model("expand(tensor(range(20000))[none], [B, 20000])"),
      ["6:21 a constant of 20,000 numbers, f32[20000], becomes part of every compiled file"],
    ],
    ["a matrix", model("x @ tensor([range(2000) for _ in range(8)])"), ["6:18 a constant of 16,000 numbers, f32[8, 2000]"]],
    ["a threshold of one's own", model("x * tensor(range(8))"), ["6:18 a constant of 8 numbers"], { elements: 7 }],
  ],
});
