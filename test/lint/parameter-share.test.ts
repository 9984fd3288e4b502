import { testRule } from "./expect.ts";

const model = (bank: string) => `import { bce } from "std/losses"
model M {
  input x: f32[B, 8]
  ${bank}
  task t: binary { loss: bce }
  task u: binary { loss: bce }
  flow per task { return linear(concat(e), task.width) }
}`;
/** linear(x, n) of 8 columns has 9 n parameters. */
const bank = (widths: readonly number[], per = "") => `experts e${per} {
${widths.map((width, i) => `    e${i} = linear(x, ${width})`).join("\n")}
  }`;

testRule("lint/parameter-share", {
  valid: [
    ["equal ones", model(bank([64, 64, 64]))],
    ["eight times", model(bank([2048, 256, 256]))],
    ["a small model", model(bank([500, 10, 10]))],
    ["an expert alone", model(bank([4000]))],
    ["beside experts without parameters", model("experts e {\n    a = linear(x, 4000)\n    b = relu(x)\n  }")],
  ],
  invalid: [
    // 9 · 4000 = 36,000 beside two of 9 · 100 = 900
    [
      "forty times",
      model(bank([100, 4000, 100])),
      ["6:5 expert `e1` has 36,000 parameters, 95 % of its bank and 40 times the median of the others"],
    ],
    ["once for all tasks", model(bank([100, 4000, 100], " per task")), ["6:5 expert `e1`"]],
    [
      "thresholds of one's own",
      model(bank([10, 30, 10])),
      ["6:5 expert `e1` has 270 parameters, 60 % of its bank and 3 times"],
      { ratio: 2, least: 100 },
    ],
  ],
});
