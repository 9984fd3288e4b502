import { expect, test } from "vitest";
import { checkFile } from "../../compiler/driver.ts";
import { verifyGraph } from "../../compiler/ir/verify.ts";
import { simplify } from "../../compiler/passes/simplify.ts";
import { initialWeights } from "../../compiler/weights.ts";
import { graphOfModel } from "./graphs.ts";
import { bindingsOf, type Draw, differentiated, expectSlopes, filled, gradientsOf, noise } from "./slopes.ts";

const rows = 2;

/** Missing rows, for every optional input: all zeros. */
function halfMissing(draw: Draw): Draw {
  return (name, shape) => {
    const { data } = draw(name, shape);
    return { shape, data: name === "features" ? data : data.map((x, i) => (i < data.length / rows ? x : 0)) };
  };
}

/** The gradient of all of a spec: it reaches every param, agrees with differences, and is finite where formulas have their edges. */
export function testGradients(spec: string): void {
  const model = checkFile(`specs/${spec}`).models[0];
  if (model === undefined) throw new Error(`specs/${spec} does not check`);
  const subject = differentiated(graphOfModel(model));

  const initial = initialWeights({ params: model.parameters }, 5);
  /** As after a few steps: nothing is zero any more, and no recurrence explodes. */
  const stirred: Draw = (name, shape) => {
    const { data } = noise(0.05)(name, shape);
    return { shape, data: data.map((x, i) => x + (initial.get(name)?.[i] ?? 0)) };
  };

  test("a gradient reaches every param", () => {
    const unreached = model.parameters.filter((_, i) => subject.gradients[i] === null).map(({ name }) => name);
    expect(unreached).toEqual([]);
  });

  test("the graph of the gradient is sound, before and after simplification", () => {
    verifyGraph(subject.graph);
    verifyGraph(simplify(subject.graph));
  });

  test("the gradient agrees with differences along a random direction", { timeout: 120_000 }, () => {
    expectSlopes(subject, bindingsOf(subject.graph, rows, noise(0.9), stirred), "together");
  });

  test.each([
    ["zeros", filled(0), stirred],
    ["weights of zero", noise(1), filled(0)],
    ["missing rows", halfMissing(noise(1)), stirred],
    ["large inputs", noise(1e3), stirred],
    ["large weights", noise(1), noise(20)],
  ] as const)("the gradient is finite at %s", { timeout: 60_000 }, (_, drawInput, drawParam) => {
    for (const { name, gradient } of gradientsOf(subject, bindingsOf(subject.graph, rows, drawInput, drawParam))) {
      expect(gradient?.data.every(Number.isFinite) ?? true, name).toBe(true);
    }
  });
}
