import { testRule } from "./expect.ts";

const model = (end: string, task = "binary { loss: bce }", definitions = "") => `import { bce, huber, nll } from "std/losses"
${definitions}
model M {
  input x: f32[B, 8]
  task t: ${task}
  flow per task { return linear(x, task.width)${end} }
}`;

const regression = "regression { loss: huber }";

// silu falls to -0.278 at most; a sigmoid or softmax before the task's own activation is an error of the checker
testRule("lint/activated-logit", {
  valid: [
    ["a linear end", model("")],
    ["a scaled end", model(" * 0.5 + 1")],
    ["a soft bound far out", model("").replace("linear(x, task.width)", "10 * tanh(linear(x, task.width) / 10)")],
    ["another layer behind the activation", model(" |> relu |> linear(1)")],
    ["a regression of amounts", model(" |> relu", regression)],
    ["a task without a loss", model(" |> relu", "binary { loss: none }")],
    ["a sum with something else", model("").replace("linear(x, task.width)", "relu(linear(x, task.width)) - linear(x, 1)")],
    [
      "a loss that takes probabilities",
      model(
        " |> clip(0.01, 0.99)",
        "binary { loss: likelihood, activation: none }",
        "loss likelihood(p: f32[B], y: f32[B]) -> f32[B] for binary { return -log(p) * y - log(1 - p) * (1 - y) }",
      ),
    ],
  ],
  invalid: [
    ["a rectifier", model(" |> relu"), ["6:26 the logits of task `t` pass `relu` last, after which they never fall below 0"]],
    [
      "a smooth rectifier",
      model(" |> softplus"),
      ["6:26 the logits of task `t` pass `softplus` last, after which they never fall below 0"],
    ],
    ["a hyperbolic tangent", model(" |> tanh"), ["6:26 the logits of task `t` pass `tanh` last, after which they stay between -1 and 1"]],
    [
      "silu, which is x · sigmoid(x)",
      model(" |> silu"),
      ["6:26 the logits of task `t` pass `sigmoid` last, after which they never fall below -0.27"],
    ],
    [
      "one flow for several tasks",
      model(" |> relu").replace("  flow", "  task u: binary { loss: bce }\n  flow"),
      ["7:26 the logits of the tasks `t`, `u` pass `relu` last"],
    ],
    ["classes", model(" |> relu", "classes(3) { loss: nll }"), ["6:26 the logits of task `t` pass `relu` last"]],
    ["a clip", model(" |> clip(-2, 2)"), ["6:26 the logits of task `t` pass `min` last, after which they stay between -2 and 2"]],
    [
      "a scale behind it",
      model("").replace("linear(x, task.width)", "-1 * softplus(linear(x, task.width))"),
      ["6:26 the logits of task `t` pass `softplus` last, after which they never rise above"],
    ],
    [
      "a strict reach",
      model(" |> clip(-6, 6)"),
      ["6:26 the logits of task `t` pass `min` last, after which they stay between -6 and 6"],
      { reach: 8 },
    ],
  ],
});
