import { type Case, model, output, tasks } from "../expect.ts";

/** Two tasks in two groups. */
const grouped = (items: string, flow = "return linear(x, task.width)") =>
  tasks(`group g
  group h
  task a in g: binary { loss: none }
  task b in h: binary { loss: none }
  flow per task { ${flow} }
  ${items}`);

export const perCases: readonly Case[] = [
  ["a let per task", model("let h per task = linear(x, 4)\n  output o per task = h")],
  ["a let per group", grouped("let h per group = linear(x, 4)\n  output o per group = h")],
  ["per group in per task", grouped("let h per group = linear(x, 4)\n  output o per task = h")],
  ["per model is once", model("let h per model = linear(x, 4)\n  output o = h")],
  [
    "a per-task name where no task is",
    model("let h per task = linear(x, 4)\n  output o = h"),
    "per/outside 7:14 `h` is per task, and there is no task here",
  ],
  [
    "a per-group name where no group is",
    grouped("let h per group = linear(x, 4)\n  output o = h"),
    "per/outside 9:14 `h` is per group, and there is no group here",
  ],
  [
    "a per-task name in per group",
    grouped("let h per task = linear(x, 4)\n  output o per group = h"),
    "per/outside 9:24 `h` is per task, and there is no task here",
  ],
  ["a per-group name of a task without a group", model("let h per group = linear(x, 4)\n  output o per task = h"), "per/outside 7:23"],
  ["a per-task bank where no task is", model("experts b per task { e = linear(x, 4) }\n  output o = b.e"), "per/outside 7:14"],
  ["`task` where no task is", model("output o = x * task.weight"), "per/outside 6:18 `task` is per task, and there is no task here"],
  ["`group` where no group is", model("output o = x * group.intra"), "per/outside 6:18"],
  ["`group` of a task without one", model("output o per task = logit * group.intra"), "per/outside 6:31"],
  ["all of a per-task name", model("let h per task = linear(x, 4)\n  output o = concat(all(h))")],
  ["all of a per-task bank", model("experts b per task { e = linear(x, 4) }\n  output o = concat(all(b))")],
  ["all of a name that exists once", model("let h = x\n  output o = concat(all(h))"), "type/mismatch 7:21"],
  ["all of an expression", output("concat(all(x + 1))"), "type/mismatch 6:21"],
  ["all of two names", output("concat(all(x, x))"), "type/mismatch 6:21"],
  ["all of an unknown name", output("concat(all(h))"), "name/unknown 6:25"],
  [
    "all of routes",
    grouped("routes r { u = linear(x, 4)\n v = linear(x, 4) }\n  output o = concat(all(r))\n  output p per task = r")
      .replace("group g", "group g { route: u }")
      .replace("group h", "group h { route: v }"),
  ],

  // ── sharing ───────────────────────────────────────────────────────────────
  ["shared in a group", grouped("let h per task = linear(x, 4) per group\n  output o per task = h")],
  ["shared among all", model("let h per task = linear(x, 4) per model\n  output o per task = h")],
  ["shared in a pipe", grouped("let h per task = x |> linear(4) per group |> layer_norm per group\n  output o per task = h")],
  ["shared in a flow", grouped("", "return x |> linear(4) per group |> linear(task.width)")],
  [
    "nothing to share in a let",
    model("let h = linear(x, 4) per group\n  output o = h"),
    "per/nothing-to-share 6:24 `per group` has no meaning here: nothing around it is per task",
  ],
  ["nothing to share in an output", output("linear(x, 4) per model"), "per/nothing-to-share 6:27"],
  ["nothing to share in a definition", output("F(x)", "module F(x: f32[B, n]) { return linear(x, 4) per task }"), "per/nothing-to-share"],
  [
    "shared in the group of a task without one",
    model("let h per task = linear(x, 4) per group\n  output o per task = h"),
    "per/no-group 6:33 `per group`, and the task `t` is in no group",
  ],
  [
    "shared by more inside of what is shared",
    grouped("let h per task = F(x) per group\n  output o per task = h", "return linear(x, task.width)").concat(`
module F(x: f32[B, n]) { return linear(x, 4) per model |> layer_norm per group }`),
  ],
  ["per model inside of per group", grouped("let h per group = linear(x, 4) per model\n  output o per group = h")],
  [
    "per task inside of per group",
    grouped("let h per group = linear(x, 4) per task\n  output o per group = h"),
    "per/narrower 8:34 `per task` inside something that is per group",
  ],
  [
    "per group inside of what all share",
    grouped("let h per task = F(x) per model\n  output o per task = h").concat("module F(x: f32[B, n]) { return linear(x, 4) per group }"),
    "per/narrower 11:46 `per group` inside something that is per model",
  ],
  [
    "shared with unequal widths",
    grouped("let w per task = linear(x, 4 + task.index)\n  let h per task = linear(w, 4) per model\n  output o per task = h"),
    "per/shared-shapes-differ",
  ],
  [
    "shared in a group with equal widths in each",
    grouped("let w per task = linear(x, 4 + task.index)\n  let h per task = linear(w, 4) per group\n  output o per task = h"),
  ],
];
