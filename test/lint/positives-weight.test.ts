import { testRule } from "./expect.ts";

const model = (task: string, definitions = "") => `import { bce, focal } from "std/losses"
${definitions}
model M {
  input x: f32[B, 8]
  task t: binary { ${task} }
  flow per task { return linear(x, task.width) }
}`;

/** The library's focal loss weighs a positive by alpha and a negative by 1 - alpha; at a logit of 0 all else is equal. */
testRule("lint/positives-weight", {
  valid: [
    ["no stated share", model("loss: focal(alpha: 0.25)")],
    ["rare positives raised", model("loss: focal(alpha: 0.75), positives: 0.02")],
    ["common positives lowered", model("loss: focal(alpha: 0.2), positives: 0.86")],
    ["no weight", model("loss: bce, positives: 0.02")],
    ["about as many of each", model("loss: focal(alpha: 0.25), positives: 0.48")],
    ["exact balance", model("loss: focal(alpha: 0.98), positives: 0.02")],
    [
      "a disabled task",
      model("loss: focal(alpha: 0.25), positives: 0.02, enabled: false").replace("  flow", "  task u: binary { loss: bce }\n  flow"),
    ],
  ],
  invalid: [
    [
      "rare positives lowered",
      model("loss: focal(gamma: 2.0, alpha: 0.25), positives: 0.02"),
      [
        "5:26 the loss of task `t` weighs a positive 0.33 times as much as a negative, and 2 % of the rows are positive: it lowers the positives, which are rare already",
      ],
    ],
    [
      "rare negatives lowered",
      model("loss: focal(alpha: 0.6), positives: 0.86"),
      [
        "5:26 the loss of task `t` weighs a positive 1.5 times as much as a negative, and 86 % of the rows are positive: it lowers the negatives",
      ],
    ],
    // 0.999 / 0.001 · 0.02 / 0.98 = 20.4
    [
      "far beyond balance",
      model("loss: focal(alpha: 0.999), positives: 0.02"),
      [
        "5:26 the loss of task `t` weighs a positive 1000 times as much as a negative, and 2 % of the rows are positive: the rare positives count 20 times the rest",
      ],
    ],
    ["a threshold of one's own", model("loss: focal(alpha: 0.999), positives: 0.002"), ["5:26"], { beyond: 1.5 }],
    [
      "a loss of one's own",
      model(
        "loss: weighted(up: 0.1), positives: 0.1",
        `loss weighted(z: f32[B], y: f32[B], up: float) -> f32[B] for binary { return softplus(-z) * y * up + softplus(z) * (1 - y) }`,
      ),
      ["5:26 the loss of task `t` weighs a positive 0.1 times as much as a negative"],
    ],
  ],
});
