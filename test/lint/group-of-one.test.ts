import { testRule } from "./expect.ts";

const model = (groups: string) => `import { bce } from "std/losses"
model M {
  input x: f32[B, 8]
  ${groups}
  flow per task { return linear(x, task.width) }
}`;

testRule("lint/group-of-one", {
  valid: [
    ["no groups", model("task a: binary { loss: bce }")],
    [
      "two groups of two",
      model(`group g {}
  group h {}
  task a in g: binary { loss: bce }
  task b in g: binary { loss: bce }
  task c in h: binary { loss: bce }
  task d in h: binary { loss: bce }`),
    ],
    ["a single group, which is the model", model("group g {}\n  task a in g: binary { loss: bce }")],
    [
      "a comment allows it",
      model(`group g {}
  // plec-allow group-of-one: more of its tasks come with the next data delivery
  group h {}
  task a in g: binary { loss: bce }
  task b in g: binary { loss: bce }
  task c in h: binary { loss: bce }`),
    ],
  ],
  invalid: [
    [
      "one task beside two",
      model(`group g {}
  group h {}
  task a in g: binary { loss: bce }
  task b in g: binary { loss: bce }
  task c in h: binary { loss: bce }`),
      ["5:9 group `h` has one enabled task, `c`"],
    ],
    [
      "disabled tasks do not count",
      model(`group g {}
  group h {}
  task a in g: binary { loss: bce }
  task b in g: binary { loss: bce }
  task c in h: binary { loss: bce }
  task d in h: binary { loss: bce, enabled: false }`),
      ["5:9 group `h` has one enabled task, `c`"],
    ],
  ],
});
