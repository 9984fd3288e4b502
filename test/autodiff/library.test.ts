import { describe, expect, test } from "vitest";
import { graphOfCall } from "./graphs.ts";
import { libraryCases } from "./library-cases.ts";
import { bindingsOf, differentiated, expectSlopes, filled, gradientsOf, noise } from "./slopes.ts";

const rows = 3;

describe.each(libraryCases)("$name", (libraryCase) => {
  const built = differentiated(graphOfCall(libraryCase));

  test("the gradient agrees with differences along random directions of inputs and weights", { timeout: 60_000 }, () => {
    expectSlopes(built, bindingsOf(built.graph, rows, noise(0.8), noise(0.7)), "in parts");
  });

  test.each([
    ["zeros", filled(0), noise(0.7)],
    ["zeros and weights of zero", filled(0), filled(0)],
    ["ones", filled(1), noise(0.7)],
    ["large inputs", noise(1e3), noise(0.7)],
    ["large weights, which saturate every gate", noise(1), noise(50)],
  ] as const)("the gradient is finite at %s", (_, drawInput, drawParam) => {
    for (const { name, gradient } of gradientsOf(built, bindingsOf(built.graph, rows, drawInput, drawParam))) {
      expect(gradient?.data.every(Number.isFinite) ?? true, name).toBe(true);
    }
  });
});
