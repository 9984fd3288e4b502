import { testRule } from "./expect.ts";

const model = (mix: string, definitions = "") => `import { bce } from "std/losses"
import { BlockScale, WeightedSum } from "std/gates"
${definitions}
model M {
  input x: f32[B, 8]
  experts shared {
    a = linear(x, 4)
    b = linear(x, 4)
    c = linear(x, 4)
  }
  task t: binary { loss: bce }
  task u: binary { loss: bce }
  let mixed per task = ${mix}
  flow per task { return linear(mixed, task.width) }
}`;

/** A gate of the user's own, in another form than the library's. */
const handmade = (act: string) => `gate Own(bank: [f32[B, d]], by: f32[B, m], prior: [float]) -> f32[B, d] {
  param W: f32[m, count(bank)] = normal(0.1)
  param b: f32[count(bank)] = tensor(prior)
  let w = ${act}(by @ W + b)
  return sum([e * w[:, i][:, none] for e, i in bank])
}`;

// softmax of 0, 0, -4 gives exp(-4) / (2 + exp(-4)) = 0.0091 to the third; softmax of 1, 1, -1 gives 0.063, 19 % of a third
testRule("lint/gate-starts-closed", {
  valid: [
    ["no prior", model("WeightedSum(shared, by: x, bias: zero)")],
    ["a mild prior", model("BlockScale(shared, by: x, prior: [1, 1, -1])")],
    ["no bias at all", model("WeightedSum(shared, by: x)")],
    ["a gate of one's own with a mild prior", model("Own(shared, by: x, prior: [0, 0, -1])", handmade("softmax"))],
    ["sigmoids that start open", model("Own(shared, by: x, prior: [2, 2, 2])", handmade("sigmoid"))],
    ["a closed softmax that weighs no expert", model("BlockScale(shared, by: softmax(x + tensor([9, 0, 0, 0, 0, 0, 0, 0])))")],
  ],
  invalid: [
    [
      "a strong prior, one finding for all tasks",
      model("BlockScale(shared, by: x, prior: [0, 0, -4])"),
      ["13:24 2 gates (`mixed/t`, ...) start with a weight of 0.91 % on expert `c`, 2.7 % of an even one"],
    ],
    [
      "a prior by task",
      model('BlockScale(shared, by: x, prior: [if task.name == "u" and e == "b" then -6 else 0 for e in names(shared)])'),
      ["13:24 the gate `mixed/u` starts with a weight of 0.12 % on expert `b`"],
    ],
    [
      "a mild prior under a strict threshold",
      model("BlockScale(shared, by: x, prior: [1, 1, -1])"),
      ["13:24 2 gates (`mixed/t`, ...) start with a weight of 6.3 % on expert `c`, 19 % of an even one"],
      { share: 0.5 },
    ],
    [
      "a gate of one's own",
      model("Own(shared, by: x, prior: [0, 0, -9])", handmade("softmax")),
      ["6:11 2 gates (`mixed/t`, ...) start with a weight of 0.0062 % on expert `c`"],
    ],
    [
      "sigmoids",
      model("Own(shared, by: x, prior: [2, 2, -5])", handmade("sigmoid")),
      ["6:11 2 gates (`mixed/t`, ...) start with a weight of 0.67 % on expert `c`, 1.3 % of an even one"],
    ],
    [
      "a weighted sum as a product of matrices",
      model(
        "Matrix(shared, by: x, prior: [0, -9, 0])",
        `gate Matrix(bank: [f32[B, d]], by: f32[B, m], prior: [float]) -> f32[B, d] {
  param W: f32[m, count(bank)] = normal(0.1)
  param b: f32[count(bank)] = tensor(prior)
  return (softmax(by @ W + b)[:, none] @ stack(bank, axis: 1))[:, 0]
}`,
      ),
      ["6:11 2 gates (`mixed/t`, ...) start with a weight of 0.0062 % on expert `b`"],
    ],
  ],
});
