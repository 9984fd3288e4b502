import { expect, test } from "vitest";
import { checkSource } from "../../compiler/driver.ts";

const definitions = `
module Small(x: f32[B, n]) -> f32[B, n] {
  let y = linear(x, n)
  penalty size = mean(y * y, axis: [0, 1])
  return y
}`;

function penaltiesOf(items: string): readonly string[] {
  const { models, diagnostics } = checkSource(
    "case.ple",
    `model M {
  input x: f32[B, 4]
  group near
  group far
  task a in near: binary { loss: none }
  task b in far: binary { loss: none }
  task c in near: binary { loss: none }
  flow per task { return linear(x, task.width) }
  ${items}
}${definitions}`,
  );
  expect(diagnostics).toEqual([]);
  return models[0]?.penalties.map(({ name }) => name) ?? [];
}

test.each([
  ["of the model", "penalty order = mean(x, axis: [0, 1])", ["order"]],
  ["per task", "penalty p per task = mean(logit, axis: [0, 1])", ["p/a", "p/b", "p/c"]],
  ["per group", "penalty p per group = mean(x, axis: [0, 1])", ["p/near", "p/far"]],
  ["of a call", "let h = Small(x)\n output o = h", ["h/size"]],
  ["of a call in a penalty", "penalty p = mean(Small(x), axis: [0, 1])", ["p/Small/size", "p"]],
  ["of a call for each task", "let h per task = Small(x)\n output o per task = h", ["h/a/size", "h/b/size", "h/c/size"]],
  ["of a list of calls", "let h = sum([Small(x) for i in range(2)])\n output o = h", ["h/0/Small/size", "h/1/Small/size"]],
  ["shared, and equal for the tasks", "let h per task = Small(x) per group\n output o per task = h", ["h/near/size", "h/far/size"]],
  [
    "shared, and another number for each task",
    "let w per task = linear(x, 4)\n let h per task = Small(w) per group\n output o per task = h",
    ["h/near/size/a", "h/near/size/c", "h/far/size"],
  ],
])("a penalty %s is named by its place", (_, items, names) => expect(penaltiesOf(items)).toEqual(names));
