import { describe, expect, it } from "vitest";
import { checkSource } from "../../compiler/driver.ts";
import { trainingPlan } from "../../compiler/training/plan.ts";
import { trainingStep } from "../../compiler/training/step.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { renderDiagnostic } from "../../dsl/render.ts";
import { describeNonFinite } from "../../runtime/runs/catalogue.ts";
import { findFirstNonFinite } from "../../runtime/runs/find-non-finite.ts";
import { initialState, stepScalars } from "../../runtime/training/state.ts";
import { f32, modelOf } from "../training/run-steps.ts";

const text = (body: string) => `import { mse } from "std/losses"

model Wrong {
  input x: f32[B, 2]
  param w: f32[2, 1] = 0.5
  task t: regression { loss: mse }
  flow t {
${body}
  }
  train { optimizer: sgd(lr: 0.1), batch: 2 }
}`;

/** The first op that is not finite in a step on rows of the values; the second column is 1. */
function hunt(body: string, xs: readonly number[]) {
  const model = modelOf(text(body));
  const step = trainingStep(model, trainingPlan(model));
  const known = new Set(step.graph.inputs.map(({ name }) => name));
  const feeds = new Map(
    [
      ...initialState(step.state, initialWeights({ params: model.parameters }, 0)),
      ...stepScalars({ epoch: 0, step: 0, seed: 0 }),
      [
        "x",
        f32(
          [xs.length, 2],
          xs.flatMap((x) => [x, 1]),
        ),
      ] as const,
      [
        "label/t",
        f32(
          [xs.length],
          xs.map(() => 0),
        ),
      ] as const,
    ].filter(([name]) => known.has(name)),
  );
  const found = findFirstNonFinite(step.graph, feeds);
  return { found, shown: found === null ? "" : renderDiagnostic(describeNonFinite(model, found), { colour: false }) };
}

/** The text at the place of what was found. */
function placed({ found }: ReturnType<typeof hunt>): string {
  const span = found?.span ?? null;
  return span === null ? "" : span.source.text.slice(span.start, span.end);
}

describe("the first op that is not finite", () => {
  it.each([
    ["log(0)", "    return log(relu(x)) @ w", [-1, 2], "log", "an infinity", "log(relu(x))"],
    ["0 / 0", "    let y = x - x\n    return (y / (x - x)) @ w", [1, 2], "div", "NaN", "y / (x - x)"],
    ["exp beyond float32", "    return exp(x * 10) @ w", [1, 9], "exp", "an infinity", "exp(x * 10)"],
    ["a square beyond float32", "    return ((x * 1e25) * (x * 1e25)) @ w", [1], "mul", "an infinity", "(x * 1e25) * (x * 1e25)"],
    [
      "within a loop",
      "    return scan((h, v) => log(h) + v, init: zeros([B, 1]), over: stack([x[:, 0:1], x[:, 0:1]], axis: 1))[:, -1] @ w[0:1, :]",
      [1],
      "log",
      "an infinity",
      "log(h)",
    ],
  ])("forward: %s", (_, body, xs, op, found, place) => {
    const result = hunt(body, xs);
    expect(result.found).toMatchObject({ op, found });
    expect(result.found?.path).not.toContain("gradient/");
    expect(placed(result)).toBe(place);
    expect(result.shown).toMatch(/^test\/training\/model\.ple:\d+:\d+ error train\/not-finite: /);
  });

  it.each([
    ["log near 0", "    return log(x[:, 0:1] @ w[0:1, :])", [1e-37], "log(x[:, 0:1] @ w[0:1, :])"],
    [
      "factors that add up",
      "    let y = x[:, 0:1] @ w[0:1, :] * 1e20\n    return exp(log(y) + 46)",
      [1e-30],
      "x[:, 0:1] @ w[0:1, :] * 1e20",
    ],
  ])("only on the way back: %s", (_, body, xs, place) => {
    const result = hunt(body, xs);
    expect(result.found?.path).toContain("gradient/");
    expect(placed(result)).toContain(place);
    expect(result.shown).toContain("on the way back");
  });

  it("is the one that reaches the loss, not one that is taken away again", () => {
    const result = hunt(
      "    let kept = min(log(relu(x)), 3)\n    return (where(x > 0, stop_gradient(kept), x) + 0 * exp(x * 50)) @ w",
      [-1, 2],
    );
    expect(placed(result)).toBe("exp(x * 50)");
  });

  it("names what was not finite before the step", () => {
    const { found, shown } = hunt("    return x @ w", [Number.NaN]);
    expect(found).toEqual({ op: "input", path: "x", span: null, found: "NaN" });
    expect(shown).toContain("error train/not-finite-input: `x` holds NaN before the step");
  });

  it("is none where everything is finite", () => {
    expect(hunt("    return where(x > 0, x, 2 * x) @ w", [-1, 2]).found).toBeNull();
  });

  it("of the library comes with the place that called it", () => {
    const { models } = checkSource(
      "test/training/lib.ple",
      `import { Tower } from "std/layers"
import { mse } from "std/losses"
module Sharp(x: f32[B, n]) -> f32[B, n] { return rms_norm(x, eps: -1) }
model M { input x: f32[B, 2]
  experts shared { only = rms_norm(x, eps: 0.0) }
  task t: regression { loss: mse }
  flow t { return shared.only |> Tower(1) } }`,
    );
    const [model] = models;
    if (model === undefined) throw new Error("the model has errors");
    const step = trainingStep(model, trainingPlan(model));
    const feeds = new Map([
      ...initialState(step.state, initialWeights({ params: model.parameters }, 0)),
      ...stepScalars({ epoch: 0, step: 0, seed: 0 }),
    ]);
    feeds.set("x", f32([1, 2], [0, 0])).set("label/t", f32([1], [1]));
    const known = new Set(step.graph.inputs.map(({ name }) => name));
    const found = findFirstNonFinite(step.graph, new Map([...feeds].filter(([name]) => known.has(name))));
    expect(found).toMatchObject({ op: "div", found: "NaN" });
    const shown = found === null ? "" : renderDiagnostic(describeNonFinite(model, found), { colour: false });
    expect(shown).toContain("std/prelude.ple");
    expect(shown).toContain("called from here");
    expect(shown).toContain("test/training/lib.ple:5");
  });
});
