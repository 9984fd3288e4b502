import { testRule } from "./expect.ts";

const model = (
  first: string,
  second = "",
  bank = "a = linear(x, 4)\n    b = linear(x, 4)\n    c[2] = linear(x, 4)",
) => `import { bce } from "std/losses"
model M {
  input x: f32[B, 8]
  experts shared {
    ${bank}
  }
  task t: binary { loss: bce${first} }
  task u: binary { loss: bce${second} }
  flow per task { return linear(concat(shared), task.width) }
}`;

testRule("lint/expert-unpreferred", {
  valid: [
    ["no task states preferences", model("")],
    ["every expert has a task", model(", prefer: [a, c_0]", ", prefer: [b, c_1]")],
    [
      "experts of each task's own need no preference",
      `import { bce } from "std/losses"
model M {
  input x: f32[B, 8]
  experts shared { a = linear(x, 4) }
  experts own per task { b = linear(x, 4) }
  task t: binary { loss: bce, prefer: [a] }
  flow per task { return linear(concat(own ++ shared), task.width) }
}`,
    ],
  ],
  invalid: [
    [
      "one that nobody names, and one instance of two",
      model(", prefer: [a, c_1]", ", prefer: [a]"),
      ["6:5 expert `b` of bank `shared` is preferred by no task", "7:5 expert `c_0` of bank `shared` is preferred by no task"],
    ],
    [
      "a disabled task prefers nothing",
      model(", prefer: [a]", ", enabled: false, prefer: [b]", "a = linear(x, 4)\n    b = linear(x, 4)"),
      ["6:5 expert `b`"],
    ],
  ],
});
