import { describe, expect, it } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { annealings } from "../../compiler/training/annealings.ts";
import { modelOf } from "./run-steps.ts";

const model = (penalties: string) =>
  modelOf(`import { mse } from "std/losses"
model Annealed {
  input x: f32[B, 2]
  param w: f32[2, 1] = 0.5
  task t: regression { loss: mse }
  flow t { return x @ w }
  ${penalties}
}`);

const size = "mean(x * x, axis: [0, 1])";

describe("an annealing", () => {
  it.each([
    ["a ramp", `penalty p = min(1, epoch / 4) * ${size}`, 4],
    ["a ramp that ends between epochs", `penalty p = min(1, epoch / 2.5) * ${size}`, 2.5],
    ["one that ends at 0", `penalty p = max(1 - epoch / 3, 0) * ${size}`, 3],
    ["a switch", `penalty p = where(epoch >= 6, 1, 0) * ${size}`, 6],
    ["a penalty of the epoch alone", "penalty p = min(epoch, 5)", 5],
  ])("%s", (_, text, end) => {
    const [found, ...others] = annealings(model(text), 10);
    expect(others).toEqual([]);
    expect(found?.end).toBeCloseTo(end, 2);
    expect(found?.terms).toEqual(["penalty/p"]);
  });

  it.each([
    ["a penalty without the epoch", `penalty p = 0.1 * ${size}`],
    ["what changes up to the end of the plan", `penalty p = epoch * ${size}`],
    ["a ramp that is longer than the plan", `penalty p = min(1, epoch / 20) * ${size}`],
    ["what is the same all the time", `penalty p = min(1, epoch + 1) * ${size}`],
  ])("is not %s", (_, text) => expect(annealings(model(text), 10)).toEqual([]));

  it("has all terms that come to rest at its end", () => {
    const found = annealings(
      model(`penalty p = min(1, epoch / 4) * ${size}
  penalty q = 2 * min(1, epoch / 4) * ${size}
  penalty r = min(1, epoch / 4) * min(1, epoch / 8) * ${size}`),
      10,
    );
    expect(found.map(({ end, terms }) => [end, terms])).toEqual([
      [4, ["penalty/p", "penalty/q"]],
      [8, ["penalty/r"]],
    ]);
  });

  it("of the full spec is that of its evidence, after ten epochs", () => {
    const [full] = checkFile("specs/ple_cluster_adatt.ple").models;
    if (full === undefined) throw new Error("the full spec has errors");
    const [found, ...others] = annealings(full, 23);
    expect(others).toEqual([]);
    expect(found?.end).toBe(10);
    expect(found?.terms).toHaveLength(15);
    expect(annealings(full, 9)).toEqual([]);
  });
});
