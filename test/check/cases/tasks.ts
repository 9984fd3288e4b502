import { type Case, tasks } from "../expect.ts";

/** One task with the given declaration, from column 10, and a flow that fits every kind. */
const task = (declaration: string, definitions = "") => `import { bce, focal, nll, mse, huber, info_nce } from "std/losses"
model M {
  input x: f32[B, 8]
  task t: ${declaration}
  flow per task { return linear(x, task.width) }
  train { optimizer: adamw(lr: 1e-3) }
}
${definitions}
const _losses = [bce, focal, nll, mse, huber, info_nce]`;

const flow = (returned: string, setting = "") => tasks(`task t: binary { loss: none${setting} }\n  flow per task { return ${returned} }`);

export const taskCases: readonly Case[] = [
  // ── kinds and widths ──────────────────────────────────────────────────────
  ["binary", task("binary { loss: bce }")],
  ["classes", task("classes(3) { loss: nll }")],
  ["regression", task("regression { loss: mse }")],
  ["regression of several values", task("regression(3) { loss: mse }")],
  ["embedding", task("embedding(3) { loss: info_nce(tau: 0.1) }")],
  ["a width by a const", task("classes(n) { loss: nll }", "const n = 3")],
  ["an unknown kind", task("binry { loss: bce }"), "task/kind 4:11 unknown task kind `binry`"],
  ["binary with a number", task("binary(2) { loss: bce }"), "task/classes 4:18 `binary` has one logit and takes no number"],
  ["classes without a number", task("classes { loss: nll }"), "task/classes 4:11 `classes` needs a number: `classes(10)`"],
  [
    "one class",
    task("classes(1) { loss: nll }"),
    "task/classes 4:19 `classes(1)` has too few classes: a task with two outcomes is `binary`",
  ],
  ["no class", task("classes(0) { loss: nll }"), "task/classes 4:19"],
  ["negative classes", task("classes(-3) { loss: nll }"), "task/classes 4:19"],
  ["a fraction of classes", task("classes(2.5) { loss: nll }"), "type/mismatch 4:19"],
  ["absurdly many classes", task("classes(1e12) { loss: nll }"), "task/classes 4:19"],
  ["classes by the batch", task("classes(B) { loss: nll }"), "type/not-static 4:19"],
  ["an embedding without a number", task("embedding { loss: info_nce(tau: 0.1) }"), "task/classes 4:11"],
  ["an embedding of nothing", task("embedding(0) { loss: info_nce(tau: 0.1) }"), "task/classes 4:21"],

  // ── losses ────────────────────────────────────────────────────────────────
  ["no loss", task("binary"), "task/loss-missing 4:8 task `t` has no loss"],
  ["none for a loss", task("binary { loss: none }")],
  ["a loss with settings", task("binary { loss: focal(gamma: 2, alpha: 0.3) }")],
  ["a loss of classes for a binary task", task("binary { loss: nll }"), "task/loss-kind 4:26 loss `nll` does not fit the binary task `t`"],
  ["a binary loss for classes", task("classes(3) { loss: bce }"), "task/loss-kind 4:30"],
  ["a loss of regression for a binary task", task("binary { loss: mse }"), "task/loss-kind 4:26"],
  ["a binary loss for regression", task("regression { loss: focal(gamma: 1) }"), "task/loss-kind 4:30"],
  ["a loss of regression for an embedding", task("embedding(4) { loss: huber }"), "task/loss-kind 4:32"],
  [
    "a kind of tasks for what is no loss",
    task("binary { loss: bce }", "module F(x: f32[B, n]) for binary { return x }"),
    "role/for 8:28 `for` on the module `F`",
  ],
  ["a module for a loss", task("binary { loss: silu }"), "role/mismatch 4:26 `silu` is a module, and `loss` takes a loss"],
  ["a built-in function for a loss", task("binary { loss: exp }"), "role/mismatch 4:26"],
  ["a number for a loss", task("binary { loss: 3 }"), "call/not-callable 4:26"],
  ["a loss with an unknown setting", task("binary { loss: focal(gama: 2) }"), "call/unknown-argument 4:32"],
  ["a loss with a setting of another kind", task('binary { loss: focal(gamma: "a") }'), "type/mismatch 4:39"],
  ["a loss of one's own", task("binary { loss: l }", "loss l(z: f32[B], y: f32[B]) { return (z - y) * (z - y) }")],
  [
    "a loss that gives one number for the batch",
    task("binary { loss: l }", "loss l(z: f32[B], y: f32[B]) { return mean(z - y, axis: 0) }"),
    "type/mismatch 4:26",
  ],
  ["a loss of too many classes", task("binary { loss: l }", "loss l(z: f32[B, n], y: f32[B]) { return z[:, 0] - y }"), "dim/rank 4:26"],
  [
    "a loss that does not fit every kind that it states",
    task("binary { loss: none }", "loss l(z: f32[B], y: f32[B]) for binary | nothing { return z - y }"),
    "task/kind 8:43",
  ],

  // ── settings ──────────────────────────────────────────────────────────────
  ["a negative weight", task("binary { loss: bce, weight: -1 }"), "type/range 4:39 `weight` is a number from 0 up, not -1"],
  ["a weight by string", task('binary { loss: bce, weight: "a" }'), "type/mismatch 4:39"],
  [
    "a setting by a number",
    task("binary { loss: bce, enabled: 3 }"),
    "type/mismatch 4:40 `enabled` must be `true` or `false`, not another expression",
  ],
  ["a setting by a const", task("binary { loss: bce, weight: w }", "const w = 2")],
  [
    "enabled by a const",
    tasks(
      "task a: binary { loss: none, enabled: on }\n  task b: binary { loss: none }\n  const on = false\n  flow per task { return linear(x, task.width) }",
    ),
    "type/mismatch 3:41",
  ],
  ["an activation of one's own", task("regression { loss: mse, activation: softplus }")],
  ["an activation by a lambda", task("regression { loss: mse, activation: (z) => 2 * z }")],
  ["an activation that changes the shape", task("regression { loss: mse, activation: (z) => z[:, 0] }"), "type/mismatch"],
  ["an activation that is a number", task("regression { loss: mse, activation: 3 }"), "call/not-callable 4:47"],
  ["an unknown activation", task("regression { loss: mse, activation: softplu }"), "name/unknown 4:47"],
  ["no activation", task("binary { loss: bce, activation: none }")],

  // ── logits ────────────────────────────────────────────────────────────────
  [
    "a flow with too few logits",
    task("classes(3) { loss: nll }").replace("task.width", "2"),
    "task/logit-shape 5:26 the flow gives task `t` f32[B, 2], not f32[B, 3]",
  ],
  ["a flow with a vector", flow("x[:, 0]"), "task/logit-shape 4:26"],
  ["a flow with a number", flow("3"), "task/logit-shape 4:26"],
  ["a flow without the batch", flow("zeros([3, 1])"), "task/logit-shape 4:26"],
  ["a flow with ids", flow("i32(linear(x, 1))"), "task/logit-shape 4:26"],
  [
    "an activated flow",
    flow("sigmoid(linear(x, 1))"),
    "task/activated-twice 4:26 the flow of task `t` already ends in `sigmoid`, and the task applies `sigmoid` again",
  ],
  [
    "an activated flow, scaled by the activation",
    tasks("task t: regression { loss: none, activation: (z) => 2 * z }\n  flow per task { return sigmoid(linear(x, 1)) }"),
  ],
  [
    "activated parts joined",
    tasks("task t: classes(2) { loss: none }\n  flow per task { let p = sigmoid(linear(x, 1))\n return concat([p, 1 - p]) }"),
  ],
  [
    "activated parts alone joined",
    tasks("task t: classes(2) { loss: none }\n  flow per task { let p = sigmoid(linear(x, 1))\n return concat([p, p]) }"),
    "task/activated-twice 5:9",
  ],
  ["an activated flow under a reshape", flow("reshape(sigmoid(linear(x, 1)), [B, 1])"), "task/activated-twice 4:26"],
  ["an activated flow under a slice", flow("sigmoid(linear(x, 4))[:, 0:1]"), "task/activated-twice 4:26"],
  ["an activated flow under an index and a new axis", flow("sigmoid(linear(x, 4))[:, 0][:, none]"), "task/activated-twice 4:26"],
  ["an activated flow under stop_gradient", flow("stop_gradient(sigmoid(linear(x, 1)))"), "task/activated-twice 4:26"],
  ["an activated flow under dropout", flow("dropout(sigmoid(linear(x, 1)), 0.5)"), "task/activated-twice 4:26"],
  [
    "an activated flow of a module",
    flow("F(x)").replace(/}\n$/, "}\nmodule F(x: f32[B, n]) { return sigmoid(linear(x, 1)) }"),
    "task/activated-twice 4:26",
  ],
  [
    "a softmax for classes",
    tasks("task t: classes(3) { loss: none }\n  flow per task { return softmax(linear(x, 3)) }"),
    "task/activated-twice 4:26",
  ],
  ["an activation inside of the flow", flow("linear(sigmoid(linear(x, 4)), 1)")],
  ["an activated flow of a regression", tasks("task t: regression { loss: none }\n  flow per task { return sigmoid(linear(x, 1)) }")],
  ["an activated flow of a task without activation and loss", flow("sigmoid(linear(x, 1))", ", activation: none")],
  [
    "an activated flow of a task without activation, with a loss",
    'import { bce } from "std/losses"\nmodel M {\n  input x: f32[B, 8]\n  task t: binary { loss: bce, activation: none }\n  flow per task { return sigmoid(linear(x, 1)) }\n}',
    "task/activated-twice 5:26",
  ],

  // ── groups ────────────────────────────────────────────────────────────────
  [
    "a partition",
    tasks(
      "group g\n  group h\n  task a in g: binary { loss: none }\n  task b in h: binary { loss: none }\n  flow per task { return linear(x, 1) }",
    ),
  ],
  [
    "an unknown group",
    tasks(
      "group gain\n  task a in gian: binary { loss: none }\n  task b in gain: binary { loss: none }\n  flow per task { return linear(x, 1) }",
    ),
    "group/unknown 4:13 unknown group `gian`",
  ],
  [
    "a task in no group",
    tasks("group g\n  task a in g: binary { loss: none }\n  task b: binary { loss: none }\n  flow per task { return linear(x, 1) }"),
    "group/missing 5:8 task `b` is in no group, and this model has groups",
  ],
  [
    "a group without tasks",
    tasks("group g\n  group h\n  task a in g: binary { loss: none }\n  flow per task { return linear(x, 1) }"),
    "group/empty 4:9 group `h` has no enabled task",
  ],
  [
    "a group of disabled tasks",
    tasks(
      "group g\n  group h\n  task a in g: binary { loss: none }\n  task b in h: binary { loss: none, enabled: false }\n  flow per task { return linear(x, 1) }",
    ),
    "group/empty 4:9",
  ],

  // ── routes ────────────────────────────────────────────────────────────────
  [
    "routes by task",
    tasks(
      "routes r { u = linear(x, 4)\n v = linear(x, 4) }\n  task a: binary { loss: none, route: u }\n  task b: binary { loss: none, route: v }\n  flow per task { return linear(r, 1) }",
    ),
  ],
  [
    "routes by group",
    tasks(
      "routes r { u = linear(x, 4) }\n  group g { route: u }\n  task a in g: binary { loss: none }\n  flow per task { return linear(r, 1) }",
    ),
  ],
  [
    "a task's own route before its group's",
    tasks(
      "routes r { u = linear(x, 4)\n v = linear(x, 5) }\n  group g { route: u }\n  task a in g: binary { loss: none, route: v }\n  flow per task { let h: f32[B, 5] = r\n return linear(h, 1) }",
    ),
  ],
  [
    "a task without a route",
    tasks("routes r { u = linear(x, 4) }\n  task a: binary { loss: none }\n  flow per task { return linear(r, 1) }"),
    "task/no-route 4:8 task `a` has no route in `r`",
  ],
  [
    "an unknown route",
    tasks("routes r { uu = linear(x, 4) }\n  task a: binary { loss: none, route: uv }\n  flow per task { return linear(r, 1) }"),
    "task/unknown-route 4:39 no `routes` bank has an entry `uv`",
  ],
  [
    "a route without any bank",
    tasks("task a: binary { loss: none, route: u }\n  flow per task { return linear(x, 1) }"),
    "task/unknown-route 3:39",
  ],
  [
    "a route by string",
    tasks('routes r { u = linear(x, 4) }\n  task a: binary { loss: none, route: "u" }\n  flow per task { return linear(r, 1) }'),
    "type/mismatch 4:39",
  ],
  [
    "an unknown route of a group",
    tasks(
      "routes r { u = linear(x, 4) }\n  group g { route: w }\n  task a in g: binary { loss: none }\n  flow per task { return linear(r, 1) }",
    ),
    "task/unknown-route 4:20",
  ],
  [
    "routes of two banks",
    tasks(
      "routes r { u = linear(x, 4) }\n  routes q { v = linear(x, 4) }\n  task a: binary { loss: none, route: [u, v] }\n  flow per task { return linear(r + q, 1) }",
    ),
  ],

  // ── preferred experts ─────────────────────────────────────────────────────
  [
    "preferred experts",
    tasks(
      "experts e { one = linear(x, 4)\n two = linear(x, 4) }\n  task a: binary { loss: none, prefer: [two, one] }\n  flow per task { return linear(sum([v for v in e]), 1) }",
    ),
  ],
  [
    "a preferred expert that does not exist",
    tasks("experts e { one = linear(x, 4) }\n  task a: binary { loss: none, prefer: [oen] }\n  flow per task { return linear(e.one, 1) }"),
    "task/unknown-expert 4:41 task `a` prefers `oen`, which is no expert of any bank",
  ],
  [
    "a preferred expert twice",
    tasks(
      "experts e { one = linear(x, 4) }\n  task a: binary { loss: none, prefer: [one, one] }\n  flow per task { return linear(e.one, 1) }",
    ),
    "task/preferred-twice 4:46 task `a` prefers `one` twice",
  ],
  [
    "a preferred expert by number",
    tasks(
      "experts e { one[2] = linear(x, 4) }\n  task a: binary { loss: none, prefer: [one_1] }\n  flow per task { return linear(e.one_0 + e.one_1, 1) }",
    ),
  ],
  [
    "a preferred expert beyond the number",
    tasks(
      "experts e { one[2] = linear(x, 4) }\n  task a: binary { loss: none, prefer: [one_2] }\n  flow per task { return linear(e.one_0 + e.one_1, 1) }",
    ),
    "task/unknown-expert 4:41",
  ],
  [
    "a preferred entry of routes",
    tasks("routes r { u = linear(x, 4) }\n  task a: binary { loss: none, prefer: [u], route: u }\n  flow per task { return linear(r, 1) }"),
    "task/unknown-expert 4:41",
  ],
  [
    "preferred experts by name alone",
    tasks("experts e { one = linear(x, 4) }\n  task a: binary { loss: none, prefer: one }\n  flow per task { return linear(e.one, 1) }"),
    "type/mismatch 4:40",
  ],
  ["a share of positives", tasks("task a: binary { loss: none, positives: 1 / 50 }\n  flow per task { return linear(x, 1) }")],
  [
    "a share of positives above 1",
    tasks("task a: binary { loss: none, positives: 2 }\n  flow per task { return linear(x, 1) }"),
    "type/range 3:43 `positives` is a share between 0 and 1, not 2",
  ],
  [
    "no positives",
    tasks("task a: binary { loss: none, positives: 0 }\n  flow per task { return linear(x, 1) }"),
    "type/range 3:43 `positives` is a share between 0 and 1, not 0",
  ],
  [
    "positives of a regression",
    tasks("task a: regression { loss: none, positives: 0.5 }\n  flow per task { return linear(x, 1) }"),
    "type/range 3:47 `positives` is the share of rows with label 1, and `a` is no binary task",
  ],
  [
    "preferred experts of a disabled task",
    tasks(
      "experts e { one = linear(x, 4) }\n  task a: binary { loss: none }\n  task b: binary { loss: none, enabled: false, prefer: [oen] }\n  flow per task { return linear(e.one, 1) }",
    ),
    "task/unknown-expert 5:57",
  ],
];
