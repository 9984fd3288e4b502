import { describe, expect, test } from "vitest";
import type { Value } from "../../compiler/ir/graph.ts";
import { DropoutMasks } from "../../compiler/training/dropout.ts";
import { evaluate } from "./evaluate.ts";

/** Masks of ones, [rows, columns] each, of several sites in one step: what is kept is 1. */
function masks(rows: number, columns: readonly number[], rate: number, seed = 0, step = 0): readonly (readonly number[])[] {
  const result = evaluate({ "train/seed": seed, "train/step": step }, (f, inputs) => {
    const drop = new DropoutMasks(f, () => ({ seed: inputs["train/seed"] as Value, step: inputs["train/step"] as Value }));
    const sites = columns.map((width, i) => [`site${i}`, drop.apply(f.full([rows, width], 1), rate)] as const);
    return Object.fromEntries(sites);
  });
  return columns.map((_, i) => (result[`site${i}`] ?? []).map((v) => Number(v > 0)));
}

const mean = (values: readonly number[]) => values.reduce((sum, v) => sum + v, 0) / values.length;

/** Correlation of two masks, in standard deviations of what chance gives. */
function zOf(a: readonly number[], b: readonly number[]): number {
  const [meanA, meanB] = [mean(a), mean(b)];
  const covariance = mean(a.map((v, i) => (v - meanA) * ((b[i] ?? 0) - meanB)));
  return (covariance / Math.sqrt(meanA * (1 - meanA) * meanB * (1 - meanB))) * Math.sqrt(a.length);
}

describe("dropout masks", () => {
  const rate = 0.2;
  const [rows, width] = [1024, 128];
  const [mask = [], other = []] = masks(rows, [width, width], rate);

  test("keep the share that the rate says, and scale so that the mean stays", () => {
    // 5 standard deviations of 131,072 draws
    expect(Math.abs(mean(mask) - 0.8)).toBeLessThan(5 * Math.sqrt((0.2 * 0.8) / (rows * width)));
    const { y = [] } = evaluate({ s: 3, t: 9 }, (f, { s, t }) => ({
      y: new DropoutMasks(f, () => ({ seed: s, step: t })).apply(f.full([4000, 50], 1), 0.5),
    }));
    expect(mean(y)).toBeCloseTo(1, 1);
    expect(new Set(y).size).toBe(2);
  });

  test("keep the same share in every row and in every column, as far as chance goes", () => {
    const statistic = (groups: number, groupOf: (i: number) => number) => {
      const kept = new Float64Array(groups);
      mask.forEach((v, i) => {
        const at = groupOf(i);
        kept[at] = (kept[at] ?? 0) + v;
      });
      const size = mask.length / groups;
      return kept.reduce((sum, k) => sum + (k - 0.8 * size) ** 2 / (size * 0.16), 0);
    };
    // χ² with n degrees of freedom: mean n, variance 2n
    for (const [groups, groupOf] of [
      [rows, (i: number) => Math.floor(i / width)],
      [width, (i: number) => i % width],
    ] as const) {
      expect(Math.abs(statistic(groups, groupOf) - groups)).toBeLessThan(6 * Math.sqrt(2 * groups));
    }
  });

  test.each([
    ["the next column", mask.slice(0, -1), mask.slice(1)],
    ["the column after it", mask.slice(0, -2), mask.slice(2)],
    ["the next row", mask.slice(0, -width), mask.slice(width)],
    ["a row 1,000 further on", mask.slice(0, -1000 * width), mask.slice(1000 * width)],
    ["another site", mask, other],
    ["the next step", mask, masks(rows, [width], rate, 0, 1)[0] ?? []],
    ["a step 1,024 later", mask, masks(rows, [width], rate, 0, 1024)[0] ?? []],
    ["another seed", mask, masks(rows, [width], rate, 1, 0)[0] ?? []],
  ])("an element tells nothing of %s", (_, a, b) => expect(Math.abs(zOf(a, b))).toBeLessThan(5));

  test("nor do two elements of a third: the parity of three is fair at a rate of one half", () => {
    const [fair = []] = masks(rows, [width], 0.5);
    for (const [d, e] of [
      [1, 2],
      [1, 3],
      [2, 5],
      [width, 2 * width],
      [1, width],
    ] as const) {
      const parity = fair.slice(0, -2 * width).map((v, i) => (v + (fair[i + d] ?? 0) + (fair[i + e] ?? 0)) % 2);
      expect(Math.abs(mean(parity) - 0.5)).toBeLessThan((5 * 0.5) / Math.sqrt(parity.length));
    }
  });

  test("no two rows share a mask", () => {
    const rowsOf = Array.from({ length: rows }, (_, i) => mask.slice(i * width, (i + 1) * width).join(""));
    expect(new Set(rowsOf).size).toBe(rows);
  });

  test("repeat for the same seed and step", () => expect(masks(rows, [width], rate)[0]).toEqual(mask));

  test("more columns than residues, and columns of several axes, are drawn on their own too", () => {
    const [long = []] = masks(16, [5000], rate);
    expect(Math.abs(zOf(long.slice(0, -2039), long.slice(2039)))).toBeLessThan(5);
    const { y = [] } = evaluate({ s: 0, t: 0 }, (f, { s, t }) => ({
      y: new DropoutMasks(f, () => ({ seed: s, step: t })).apply(f.full([64, 10, 12], 1), 0.3),
    }));
    expect(Math.abs(mean(y.map((v) => Number(v > 0))) - 0.7)).toBeLessThan(0.03);
  });
});
