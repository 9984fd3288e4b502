import { type Case, tasks } from "../expect.ts";

/** Tasks a to d (lines 3 to 6), `flow per task` with transfers on line 7, and edges from line 8 on. */
const four = (edges: string, flow = "return x |> transfers |> linear(task.width)") =>
  tasks(
    `${["a", "b", "c", "d"].map((name) => `task ${name}: binary { loss: none }`).join("\n  ")}
  flow per task { ${flow} }
  ${edges}`,
    "module Add(x: f32[B, n], source: record) -> f32[B, n] { return x + source.prediction[:, 0][:, none] }",
  );

export const transferCases: readonly Case[] = [
  ["a chain", four("transfer a -> b = Add()\n  transfer b -> c = Add()\n  transfer c -> d = Add()")],
  ["edges against the order of declaration", four("transfer d -> c = Add()\n  transfer c -> b = Add()\n  transfer b -> a = Add()")],
  ["several edges into one task", four("transfer a -> d = Add()\n  transfer b -> d = Add()\n  transfer c -> d = Add()")],
  ["an edge that is a bare name", four("transfer a -> b = Add")],
  ["an edge that is a lambda", four("transfer a -> b = (x, source) => x + source.logit[:, 0][:, none]")],
  ["a diamond", four("transfer a -> b = Add()\n  transfer a -> c = Add()\n  transfer b -> d = Add()\n  transfer c -> d = Add()")],

  // ── cycles ────────────────────────────────────────────────────────────────
  ["a task into itself", four("transfer a -> a = Add()"), "transfer/cycle 8:3 transfer cycle: a → a"],
  ["two tasks", four("transfer a -> b = Add()\n  transfer b -> a = Add()"), "transfer/cycle 8:3 transfer cycle: a → b → a"],
  [
    "three tasks",
    four("transfer c -> a = Add()\n  transfer a -> b = Add()\n  transfer b -> c = Add()"),
    "transfer/cycle 8:3 transfer cycle: c → a → b → c",
  ],
  [
    "a cycle with a tail",
    four("transfer a -> b = Add()\n  transfer b -> c = Add()\n  transfer c -> b = Add()\n  transfer c -> d = Add()"),
    "transfer/cycle 9:3 transfer cycle: b → c → b",
  ],
  [
    "two cycles",
    four("transfer a -> b = Add()\n  transfer b -> a = Add()\n  transfer c -> d = Add()\n  transfer d -> c = Add()"),
    "transfer/cycle 8:3 transfer cycle: a → b → a",
    "transfer/cycle 10:3 transfer cycle: c → d → c",
  ],
  ["a flow that reads itself", four("flow a { return linear(x, 1) + a.logit }"), "transfer/cycle 8:34 transfer cycle: a → a"],
  [
    "flows that read each other",
    four("flow a { return linear(x, 1) + b.logit }\n  flow b { return linear(x, 1) + a.logit }"),
    "transfer/cycle 8:34 transfer cycle: b → a → b",
  ],
  [
    "a flow against an edge",
    four("flow a { return linear(x, 1) + b.logit }\n  transfer a -> b = Add()"),
    "transfer/cycle 8:34 transfer cycle: b → a → b",
  ],
  ["a flow that reads another one", four("flow a { return linear(x, 1) + d.logit }")],
  ["a let named like nothing that a flow reads", four("flow a { let h = b.logit\n return linear(x, 1) + h }")],

  // ── ends ──────────────────────────────────────────────────────────────────
  ["from an unknown task", four("transfer ab -> b = Add()"), "transfer/unknown-task 8:12 transfer from unknown task `ab`"],
  ["into an unknown task", four("transfer a -> bb = Add()"), "transfer/unknown-task 8:17 transfer into unknown task `bb`"],
  ["both ends unknown", four("transfer aa -> bb = Add()"), "transfer/unknown-task 8:12", "transfer/unknown-task 8:18"],
  [
    "from a disabled task",
    four("transfer a -> b = Add()").replace("task a: binary { loss: none", "task a: binary { loss: none, enabled: false"),
    "transfer/disabled-task 8:12 transfer from `a`, which is disabled",
  ],
  [
    "into a disabled task",
    four("transfer a -> b = Add()").replace("task b: binary { loss: none", "task b: binary { loss: none, enabled: false"),
    "transfer/disabled-task 8:17 transfer into `b`, which is disabled",
  ],
  ["an edge twice", four("transfer a -> b = Add()\n  transfer a -> b = Add()"), "transfer/duplicate 9:3 a second transfer from `a` to `b`"],
  [
    "a flow that reads a disabled task",
    four("flow a { return linear(x, 1) + b.logit }").replace("task b: binary { loss: none", "task b: binary { loss: none, enabled: false"),
    "transfer/disabled-task 8:34 transfer from `b`, which is disabled",
  ],

  // ── application ───────────────────────────────────────────────────────────
  [
    "a dropped edge",
    four("transfer a -> b = Add()", "return linear(x, task.width)"),
    "transfer/dropped 8:3 task `b` has incoming transfers, and its flow never applies them",
  ],
  [
    "two dropped edges into one task",
    four("transfer a -> b = Add()\n  transfer c -> b = Add()", "return linear(x, task.width)"),
    "transfer/dropped 8:3",
  ],
  ["a dropped edge of a flow of its own", four("transfer a -> b = Add()\n  flow b { return linear(x, 1) }"), "transfer/dropped 8:3"],
  [
    "transfers in a branch that is not taken",
    four("transfer a -> b = Add()", "return if false then x |> transfers |> linear(task.width) else linear(x, 1)"),
    "transfer/dropped 8:3",
  ],
  ["transfers twice", four("transfer a -> b = Add()", "return x |> transfers |> transfers |> linear(task.width)"), "transfer/twice"],
  ["transfers twice without an edge", four("", "return x |> transfers |> transfers |> linear(task.width)"), "transfer/twice"],
  [
    "transfers called in a loop",
    four("transfer a -> b = Add()", "return iterate(2, (s) => transfers(s), from: x) |> linear(task.width)"),
    "transfer/twice",
  ],
  ["transfers without an edge", four("")],

  // ── modules of edges ──────────────────────────────────────────────────────
  ["an edge of an unknown module", four("transfer a -> b = Nothing()"), "name/unknown 8:21"],
  ["an edge that is a number", four("transfer a -> b = 3"), "call/not-callable 8:21"],
  ["an edge with an unknown setting", four("transfer a -> b = Add(strenth: 1)"), "call/unknown-argument 8:25"],
  ["an edge that changes the shape is checked at its target", four("transfer a -> b = (x, source) => x[:, 9]"), "dim/slice-past-end 8:41"],
  ["an edge that gives a number", four("transfer a -> b = (x, source) => 3"), "type/mismatch"],
  [
    "an output of the source",
    four("transfer a -> b = (x, source) => x + source.hidden", "output hidden = x * 2\n return hidden |> transfers |> linear(task.width)"),
  ],
  [
    "an unknown output of the source",
    four("transfer a -> b = (x, source) => x + source.hiden", "output hidden = x * 2\n return hidden |> transfers |> linear(task.width)"),
    "name/unknown-member 9:47",
  ],
  [
    "a fault in a source brings one finding",
    four("transfer a -> b = Add()", "return if task.index == 0 then linear(x, 2) else x |> transfers |> linear(task.width)"),
    "task/logit-shape",
  ],
];
