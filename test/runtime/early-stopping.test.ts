import { expect, test } from "vitest";
import { EarlyStopping } from "../../runtime/training/early-stopping.ts";

/** The epoch after which it stops, or null. */
function stopsAfter(patience: number | null, losses: readonly number[]): number | null {
  const stopping = new EarlyStopping(patience);
  const at = losses.findIndex((loss) => stopping.observe(loss).stop);
  return at < 0 ? null : at;
}

test.each([
  ["a loss that falls", 2, [5, 4, 3, 2], null],
  ["two epochs without improvement", 2, [5, 4, 4, 4.5, 1], 3],
  ["an improvement in between starts the count again", 2, [5, 6, 4, 6, 6], 4],
  ["NaN is no improvement", 2, [5, Number.NaN, Number.NaN], 2],
  ["no patience is set", null, [5, 6, 7, 8, 9], null],
] as const)("%s", (_, patience, losses, expected) => expect(stopsAfter(patience, losses)).toBe(expected));

test("keeps the best loss, and says which epoch brought it", () => {
  const stopping = new EarlyStopping(7);
  expect([3, 2, 4].map((loss) => stopping.observe(loss).improved)).toEqual([true, true, false]);
  expect(stopping.best).toBe(2);
});
