import { expect, test } from "vitest";
import { checkSource } from "../../compiler/driver.ts";
import { renderDiagnostic } from "../../dsl/render.ts";
import { model, output, sourceName, tasks } from "./expect.ts";

const withGate = (source: string) => source.replace("import", 'import { WeightedSum } from "std/gates"\nimport');

const edges = (items: string) =>
  tasks(
    `task ctr: binary { loss: none }\n  task cvr: binary { loss: none }\n  task ltv: regression { loss: none }\n  flow per task { return x |> transfers |> linear(1) }\n  ${items}`,
    "module Add(x: f32[B, n], source: record) -> f32[B, n] { return x + source.prediction[:, 0][:, none] }",
  );

/** Findings as users read them; `golden/` holds the rendered text of each. */
const sources: Readonly<Record<string, string>> = {
  "claimed-width": model("let h = concat([x, x[:, 0:3]])\n  let g: f32[B, 12] = h * 2\n  output o = g"),
  "width-of-a-module": `${model("input features: f32[B, 10] { base: 4, visits: 2, raw: 4 }\n  output o = Causal(features)")}\nexpert Causal(x: f32[B, 6]) -> f32[B, 6] {\n  return x * 2\n}`,
  "unequal-experts": withGate(
    model("experts shared {\n    wide = linear(x, 16)\n    slim = linear(x, 4)\n  }\n  output o = WeightedSum(shared, by: x)"),
  ),
  "inner-dims": model("param W: f32[9, 3] = 0\n  output o = silu(x) @ W"),
  "silent-broadcast": output("x * linear(x, 1)"),
  "slice-past-end": output("x[:, 4:10]"),
  "slices-sum": model("input y: f32[B, 10] { age: 4, income: 5 }\n  output o = y"),
  "batch-lost": output("mean(x, axis: 0)"),
  "fault-in-a-definition": model("output o = Twice(x)", "module Twice(x: f32[B, n]) -> f32[B, n] {\n  return concat([x, x])\n}"),
  "fault-under-two-calls": model(
    "output o = Outer(x)",
    "module Outer(x: f32[B, n]) { return Inner(linear(x, 4)) }\nmodule Inner(x: f32[B, n]) { return x[:, 0:6] }",
  ),
  "fault-in-the-library": output("linear(x, 0)"),
  "unknown-name": output("layr_norm(x)"),
  "unknown-slice": model("input y: f32[B, 10] { base: 4, visits: 6 }\n  output o = y.vists\n  output p = y"),
  requirement: model("input s: f32[B, 5, 6]\n  output o = self_attention(s, step_mask(s))"),
  "transfer-cycle": edges("transfer ctr -> cvr = Add()\n  transfer cvr -> ltv = Add()\n  transfer ltv -> ctr = Add()"),
  "transfer-dropped": edges("transfer ctr -> ltv = Add()\n  flow ltv { return linear(x, 1) }"),
  "loss-kind": model("").replace("loss: bce", "loss: bce").replace("t: binary", "t: regression"),
  "activated-twice": model("").replace("linear(x, task.width)", "sigmoid(linear(x, 1))[:, 0:1]"),
  "per-task-outside": model("let h per task = linear(x, 4)\n  output o = h"),
  "endless-recursion": output("F(x)", "module F(x: f32[B, n]) { return G(x) }\nmodule G(x: f32[B, n]) { return F(x) }"),
};

test.each(Object.entries(sources))("%s", async (name, source) => {
  const { diagnostics } = checkSource(sourceName, source);
  const text = diagnostics.map((diagnostic) => renderDiagnostic(diagnostic, { colour: false, width: 120 })).join("\n\n");
  await expect(`${text}\n`).toMatchFileSnapshot(`golden/${name}.txt`);
});
