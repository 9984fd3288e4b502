import { testRule } from "./expect.ts";

const model = (train: string) => `import { bce } from "std/losses"
model M {
  input x: f32[B, 8]
  experts shared { e = linear(x, 4) }
  experts extra { f = linear(x, 4) }
  task t: binary { loss: bce }
  flow per task { return linear(concat(shared ++ extra), task.width) }
  train { ${train} }
}`;
const phases = 'phases: [phase("joint", epochs: 5), phase("refine", epochs: 3, freeze: [shared, extra])]';

// freezing too late is an error of the checker already: test/check/cases/train.ts
testRule("lint/adatt-epochs", {
  valid: [
    ["no adaTT", model(phases)],
    ["epochs that nobody has planned", model("adatt: adatt(warmup: 30)")],
    ["a warm-up within the first phase", model(`adatt: adatt(warmup: 4), ${phases}`)],
    ["a freeze within the first phase", model(`adatt: adatt(warmup: 1, freeze: 2), ${phases}`)],
    ["one of two banks is still trained", model(`adatt: adatt(warmup: 5), ${phases.replace("[shared, extra]", "[shared]")}`)],
  ],
  invalid: [
    [
      "a warm-up as long as the plan",
      model(`adatt: adatt(warmup: 8), ${phases}`),
      ["8:18 adaTT never acts: its warm-up of 8 epochs is as long as the 8 planned"],
    ],
    [
      "a warm-up into the phase that freezes what is measured",
      model(`adatt: adatt(warmup: 5), ${phases}`),
      ["8:18 adaTT never acts: in epochs 5 to 7, when it would, `shared`, `extra` are frozen"],
    ],
    [
      "what it measures is stated",
      model(`adatt: adatt(warmup: 6, freeze: 7, over: [shared]), ${phases}`),
      ["8:18 adaTT never acts: in epoch 6, when it would, `shared` is frozen"],
    ],
  ],
});
