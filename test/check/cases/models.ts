import { type Case, model, output, tasks } from "../expect.ts";

export const modelCases: readonly Case[] = [
  ["the sound model of these tests", model("")],
  ["no task", "model M {\n  input x: f32[B, 4]\n}", "model/no-tasks 1:7 model `M` has no enabled task"],
  ["no enabled task", "model M {\n  input x: f32[B, 4]\n  task t: binary { loss: none, enabled: false }\n}", "model/no-tasks 1:7"],
  ["no flow", "model M {\n  input x: f32[B, 4]\n  task t: binary { loss: none }\n}", "model/no-flow 3:8 task `t` has no flow"],
  [
    "a flow for one of two tasks",
    tasks("task a: binary { loss: none }\n  task b: binary { loss: none }\n  flow a { return linear(x, 1) }"),
    "model/no-flow 4:8",
  ],
  [
    "a flow for each task",
    tasks(
      "task a: binary { loss: none }\n  task b: binary { loss: none }\n  flow a { return linear(x, 1) }\n  flow b { return linear(x, 1) }",
    ),
  ],
  [
    "a flow of its own beside the common one",
    tasks(
      "task a: binary { loss: none }\n  task b: binary { loss: none }\n  flow a { return linear(x, 1) }\n  flow per task { return linear(x, 1) }",
    ),
  ],
  ["two flows for all", model("flow per task { return linear(x, 1) }"), "model/duplicate-flow 6:3 a second flow for all tasks"],
  [
    "two flows for one task",
    tasks("task a: binary { loss: none }\n  flow a { return linear(x, 1) }\n  flow a { return linear(x, 1) }"),
    "model/duplicate-flow 5:8 a second flow for task `a`",
  ],
  ["no input", "model M {\n  task t: binary { loss: none }\n  flow per task { return zeros([B, 1]) }\n}", "model/no-required-input 1:7"],
  [
    "optional inputs alone",
    model("").replace("x: f32[B, 8]", "x: f32[B, 8]?"),
    "model/no-required-input 2:7 every input of `M` is optional, so nothing says how large a batch is",
  ],
  ["a required input that reaches nothing says how large a batch is", model("input y: f32[B, 8]?\n  output o = y")],
  [
    "a setting of a task that does not exist",
    model("").replace("loss: bce", "loss: bce, wieght: 1"),
    "model/setting 4:31 a task has no setting `wieght`",
  ],
  [
    "a setting of a group that does not exist",
    model("group g { intr: 1 }").replace("task t:", "task t in g:"),
    "model/setting 6:13 a group has no setting `intr`",
  ],
  ["a setting of a group of another kind", model('group g { intra: "a" }').replace("task t:", "task t in g:"), "type/mismatch 6:20"],

  // ── what nothing reads ────────────────────────────────────────────────────
  ["an input that nothing reads", model("input y: f32[B, 4]"), "input/unused 6:9 input `y` reaches no prediction or output"],
  ["an input that reaches an unused let alone", model("input y: f32[B, 4]\n  let _h = y * 2"), "input/unused 6:9"],
  ["an input that a penalty reads", model("input y: f32[B, 4]\n  penalty p = mean(y, axis: [0, 1])")],
  ["an input of which only the size is read", model("input y: f32[B, 4]\n  output o = x * width(y)"), "input/unused 6:9"],
  [
    "a slice that nothing reads",
    model("input y: f32[B, 4] { a: 1, b: 3 }\n  output o = y.a"),
    "slice/unused 6:30 slice `b` of input `y` is read by nothing",
  ],
  [
    "an inner slice that nothing reads",
    model("input y: f32[B, 4] { a: 1, b: 3 { c: 1, d: 2 } }\n  output o = concat([y.a, y.b.c])"),
    "slice/unused 6:43 slice `b.d` of input `y` is read by nothing",
  ],
  ["a slice read by position", model("input y: f32[B, 4] { a: 1, b: 3 }\n  output o = y[:, 0:2]")],
  ["slices read by all of it", model("input y: f32[B, 4] { a: 1, b: 3 }\n  output o = y * 2")],
  [
    "slices read by a scan",
    model("input y: f32[B, 5, 4] { a: 1, b: 3 }\n  output o = scan((h, v) => h + v[:, 0], init: zeros([B]), over: y)"),
  ],
  [
    "an expert that nothing mixes",
    model("experts b {\n    one = linear(x, 4)\n    two = linear(x, 4)\n  }\n  output o = b.one"),
    "expert/unused 8:5 expert `two` of bank `b` reaches no prediction or output",
  ],
  ["a bank that nothing mixes", model("experts b { one = linear(x, 4) }"), "expert/unused 6:15"],
  [
    "numbered experts that nothing mixes",
    model("experts b {\n    e[2] = linear(x, 4)\n  }\n  output o = b.e_0"),
    "expert/unused 7:5 expert `e_1` of bank `b` reaches no prediction or output",
  ],

  // ── banks ─────────────────────────────────────────────────────────────────
  ["a bank without entries", model("experts b {}\n  output o = sum([v for v in b])"), "bank/empty 6:11 bank `b` has no entries"],
  [
    "an entry that is a number",
    model("experts b { e = 3 }\n  output o = b.e"),
    "bank/entry 6:19 entry `e` of `b` is the number 3, not a tensor with the batch in front",
  ],
  ["an entry that is a vector", model("experts b { e = x[:, 0] }\n  output o = b.e"), "bank/entry 6:19"],
  ["an entry without the batch", model("experts b { e = zeros([3, 4]) }\n  output o = x + b.e"), "bank/entry 6:19"],
  ["an entry that is a function", model("experts b { e = silu }\n  output o = b.e"), "bank/entry 6:19"],
  [
    "a wrong entry brings one finding",
    model("experts b {\n    e = linear(x[:, 9], 4)\n    f = linear(x, 4)\n  }\n  output o = sum([v for v in b])"),
    "dim/slice-past-end",
  ],
  [
    "no instances",
    model("experts b { e[0] = linear(x, 4) }\n  output o = sum([v for v in b])"),
    "type/range 6:17 a bank entry has 1 to 10000 instances, not 0",
  ],
  ["a huge number of instances", model("experts b { e[1e9] = linear(x, 4) }\n  output o = sum([v for v in b])"), "type/range 6:17"],
  ["a fraction of instances", model("experts b { e[1.5] = linear(x, 4) }\n  output o = sum([v for v in b])"), "type/mismatch 6:17"],
  [
    "a gate in a bank",
    model("experts b { e = G(x) }\n  output o = b.e", "gate G(x: f32[B, n]) { return x * 2 }"),
    "role/mismatch 6:19 `G` is a gate, and a bank of experts takes an expert",
  ],
  ["a tower in a bank", model("experts b { e = G(x) }\n  output o = b.e", "tower G(x: f32[B, n]) { return x * 2 }"), "role/mismatch 6:19"],
  ["a module in a bank", model("experts b { e = G(x) }\n  output o = b.e", "module G(x: f32[B, n]) { return x * 2 }")],

  // ── names of outputs ──────────────────────────────────────────────────────
  ["an output called like an input", model("output x = x * 2"), "output/name-taken 6:10 output `x` has the name of an input"],
  ["an output called like a task", model("output t = x"), "output/name-taken 6:10 output `t` has the name of the prediction of a task"],
  ["an output per task called like an input", model("output x per task = logit"), "output/name-taken 6:10"],
  ["an output called like a let", model("let h = x * 2\n  output h = h")],
  ["two outputs of one name", model("output o = x\n  output o = x * 2"), "name/duplicate 7:10"],

  // ── penalties and outputs ─────────────────────────────────────────────────
  ["a penalty", model("penalty p = mean(x * x, axis: [0, 1])")],
  ["a penalty that is no scalar", model("penalty p = x"), "type/mismatch 6:15 the penalty `p` must be a scalar f32[], not f32[B, 8]"],
  ["a penalty that is a number", model("penalty p = 3"), "type/mismatch 6:15"],
  [
    "a penalty twice",
    model("penalty p = mean(x, axis: [0, 1])\n  penalty p = mean(x * x, axis: [0, 1])"),
    "name/duplicate 7:11 `p` is declared twice",
  ],
  [
    "a penalty twice in a module",
    model(
      "output o = F(x)",
      "module F(x: f32[B, n]) {\n  let s = mean(x, axis: [0, 1])\n  penalty p = s\n  penalty p = s * s\n  return x\n}",
    ),
    "name/duplicate 11:11 `p` is declared twice",
  ],
  [
    "penalties of a module and of the model at one place",
    model(
      "let s = F(x)\n  output o = s\n  penalty s per task = mean(prediction, axis: [0, 1])",
      "module F(x: f32[B, n]) {\n  penalty t = mean(x, axis: [0, 1])\n  return x\n}",
    ),
    "name/duplicate 8:11 `s/t` is declared twice",
  ],
  [
    "a penalty inside a loop",
    output("scan((h, v) => {\n    let s = h + v\n    penalty p = mean(s, axis: [0])\n    return s\n  }, init: x[:, 0], over: x)"),
    "penalty/in-loop 8:5 the penalty `p` is computed inside a loop, anew at each step",
  ],
  [
    "a penalty inside a loop that does not depend on it",
    output("scan((h, v) => {\n    penalty p = mean(x, axis: [0, 1])\n    return h + v\n  }, init: x[:, 0], over: x)"),
  ],
  ["a penalty of a module", model("output o = F(x)", "module F(x: f32[B, n]) {\n  penalty p = x\n  return x\n}"), "type/mismatch 9:15"],
  ["an output per task", model("output o per task = logit + prediction")],
  [
    "an output per task of a flow's output",
    model("output o per task = h").replace("{ return linear(x, task.width)", "{ output h = linear(x, 3)\n return linear(h, task.width)"),
  ],
  [
    "two tasks, an output of one flow",
    tasks(
      "task a: binary { loss: none }\n  task b: binary { loss: none }\n  flow a { output h = linear(x, 3)\n return linear(h, 1) }\n  flow b { return linear(x, 1) }\n  output o per task = h",
    ),
    "name/unknown 8:23 unknown name `h`",
  ],
];
