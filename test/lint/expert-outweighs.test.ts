import { testRule } from "./expect.ts";

const model = (gate: string, widths: readonly number[], definitions = "") => `import { bce } from "std/losses"
import { BlockScale } from "std/gates"
${definitions}
model M {
  input x: f32[B, 8]
  experts shared {
    a = linear(x, ${widths[0]})
    b = linear(x, ${widths[1]})
    c = linear(x, ${widths[2]})
  }
  task t: binary { loss: bce }
  let mixed per task = ${gate}
  flow per task { return linear(mixed, task.width) }
}`;

/** Weighs blocks one by one, each times a factor of its own. */
const blocks = (factor: string) => `gate Blocks(bank: [f32[B, _]], by: f32[B, _]) -> f32[B, _] {
  let w = softmax(linear(by, count(bank)))
  return concat([w[:, i][:, none] * ${factor} * e for e, i in bank])
}`;

testRule("lint/expert-outweighs", {
  valid: [
    ["equal widths", model("BlockScale(shared, by: x)", [4, 4, 4])],
    ["a little wider", model("BlockScale(shared, by: x)", [4, 7, 4])],
    ["evened out by width", model("BlockScale(shared, by: x, dim_normalize: true)", [4, 64, 4])],
    ["evened out block by block", model("Blocks(shared, by: x)", [4, 64, 4], blocks("(1 / sqrt(width(e)))"))],
    ["a concatenation without a gate", model("concat(shared)", [4, 64, 4])],
  ],
  invalid: [
    [
      "twice as wide",
      model("BlockScale(shared, by: x)", [4, 8, 4]),
      ["8:5 expert `b` is 8 wide where the others are 4, and the gate does not even that out"],
    ],
    ["block by block", model("Blocks(shared, by: x)", [4, 64, 4], blocks("1.5")), ["11:5 expert `b` is 64 wide where the others are 4,"]],
    ["a ratio of one's own", model("BlockScale(shared, by: x)", [4, 7, 4]), ["8:5 expert `b` is 7 wide"], { ratio: 1.5 }],
    ["between widths", model("BlockScale(shared, by: x)", [4, 64, 6]), ["8:5 expert `b` is 64 wide where the others are 4 to 6"]],
  ],
});
