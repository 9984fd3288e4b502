import { expect, test } from "vitest";
import { checkSource } from "../../compiler/driver.ts";

/** Parameters of \`h\`, evaluated for tasks a, c of the group near and b of the group far. */
function parametersOf(call: string, body: string): readonly string[] {
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
  let h per task = ${call}
  output o per task = h
}
module F(x: f32[B, n]) -> f32[B, n] {
  param own: f32[n] = 1
  return ${body}
}`,
  );
  expect(diagnostics).toEqual([]);
  return models[0]?.parameters.flatMap(({ name }) => (name.startsWith("h/") ? [name] : [])) ?? [];
}

test.each([
  ["F(x)", "x * own |> rms_norm", ["h/a/own", "h/a/rms_norm/gamma", "h/b/own", "h/b/rms_norm/gamma", "h/c/own", "h/c/rms_norm/gamma"]],
  ["F(x) per group", "x * own |> rms_norm", ["h/near/own", "h/near/rms_norm/gamma", "h/far/own", "h/far/rms_norm/gamma"]],
  ["F(x) per model", "x * own |> rms_norm", ["h/own", "h/rms_norm/gamma"]],
  ["F(x)", "x * own |> rms_norm per group", ["h/a/own", "h/near/rms_norm/gamma", "h/b/own", "h/far/rms_norm/gamma", "h/c/own"]],
  ["F(x) per group", "x * own |> rms_norm per group", ["h/near/own", "h/near/rms_norm/gamma", "h/far/own", "h/far/rms_norm/gamma"]],
  ["F(x) per group", "x * own |> rms_norm per model", ["h/near/own", "h/rms_norm/gamma", "h/far/own"]],
])("%s of x: %s", (call, body, names) => expect([...parametersOf(call, body)].sort()).toEqual([...names].sort()));
