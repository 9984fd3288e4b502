import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { graphOfCall } from "./graphs.ts";
import { libraryCases } from "./library-cases.ts";
import { bindingsOf, differentiated, expectSlopes, filled, gradientsOf, noise } from "./slopes.ts";

const rows = 3;

/** Initialisers, and what chooses by the kind of a task, which whole specs differentiate (`specs.test.ts`). */
const elsewhere = ["EvidentialHead", "evidential_loss", "expectation", "kaiming_uniform", "outcomes", "uncertainty"];

test("every definition of the library is called, or is part of one that is", () => {
  const files = readdirSync("specs/std", { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ple"));
  const bodies = new Map(
    files.flatMap((file) =>
      readFileSync(`specs/std/${file}`, "utf8")
        .split(/^(?=(?:expert|gate|tower|loss|module) \w)/m)
        .flatMap((text) => {
          const [, name] = /^(?:expert|gate|tower|loss|module) (\w+)/.exec(text) ?? [];
          return name === undefined ? [] : [[name, text] as const];
        }),
    ),
  );
  const found = new Set<string>();
  const pending = libraryCases.map(({ call }) => call);
  for (let text = pending.pop(); text !== undefined; text = pending.pop())
    for (const [name] of text.matchAll(/\w+/g)) {
      const body = bodies.get(name);
      if (body === undefined || found.has(name)) continue;
      found.add(name);
      pending.push(body);
    }
  expect(bodies.size).toBeGreaterThan(100);
  expect([...bodies.keys()].filter((name) => !found.has(name)).sort()).toEqual(elsewhere);
});

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
