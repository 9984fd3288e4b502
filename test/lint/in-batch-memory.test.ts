import { testRule } from "./expect.ts";

const model = (loss: string, train: string, definitions = "", penalty = "") => `import { info_nce, mse } from "std/losses"
${definitions}
model M {
  input x: f32[B, 8]
  task t: embedding(16) { loss: ${loss} }
  task r: regression { loss: mse }
  flow per task { return linear(x, task.width) }
  ${penalty}
  train { ${train} }
}`;

/** One product of B × B, then its exponential and nothing else of that size. */
const pairs = `loss pairs(z: f32[B, n], y: f32[B, n]) -> f32[B] for embedding { return sum(exp(z @ transpose(y, [1, 0])), axis: 1) }`;

testRule("lint/in-batch-memory", {
  valid: [
    ["a small batch", model("info_nce()", "batch: 1024")],
    ["no stated batch", model("info_nce()", "seed: 1")],
    ["a loss by rows", model("none", "batch: 100000")],
    ["just within the limit", model("pairs", "batch: 10000", pairs), { megabytes: 763 }],
  ],
  invalid: [
    // 2 tensors · 4 bytes · 20,000²
    [
      "two tensors",
      model("pairs", "batch: 20000", pairs),
      ["5:33 the loss of task `t` holds 2 tensors of the size of the batch squared, 3.2 GB at the stated batch of 20000"],
    ],
    [
      "just beyond the limit",
      model("pairs", "batch: 10000", pairs),
      ["5:33 the loss of task `t` holds 2 tensors of the size of the batch squared, 800 MB"],
      { megabytes: 762 },
    ],
    ["the library's contrast", model("info_nce(tau: 0.1)", "batch: 2 ^ 14"), ["5:33 the loss of task `t` holds 9 tensors"]],
    [
      "a penalty",
      model("none", "batch: 20000", "", "penalty spread = mean(x @ transpose(x, [1, 0]), axis: [0, 1])"),
      ["8:20 the penalty `spread` holds a tensor of the size of the batch squared, 1.6 GB at the stated batch of 20000"],
    ],
  ],
});
