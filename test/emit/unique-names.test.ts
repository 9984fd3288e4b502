import { expect, test } from "vitest";
import { UniqueNames } from "../../compiler/emit/unique-names.ts";

test.each([
  ["different names as they are", ["a", "b", "a/b"], ["a", "b", "a/b"]],
  ["a number where one is taken", ["a", "a", "a"], ["a", "a_1", "a_2"]],
  ["a numbered name that was asked for itself", ["a_1", "a", "a", "a_1"], ["a_1", "a", "a_2", "a_1_1"]],
])("hands out %s", (_, asked, given) => {
  const names = new UniqueNames();
  expect(asked.map((name) => names.take(name))).toEqual(given);
  expect(given.every((name) => names.has(name))).toBe(true);
});
