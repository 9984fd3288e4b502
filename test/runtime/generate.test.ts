import { describe, expect, it } from "vitest";
import { generateBatch } from "../../runtime/generate.ts";
import { description, features, input } from "./support.ts";

const model = description([
  features,
  input("cluster", { dtype: "i32", vocabulary: 20 }),
  input("seq_mask", { shape: ["B", "T"] }),
  input("flag", { dtype: "bool" }),
  input("seq", { shape: ["B", "T", 3], optional: true, fill: -1 }),
]);

describe("generateBatch", () => {
  it("depends on the seed alone", () => {
    expect(generateBatch(model, 5, 7)).toEqual(generateBatch(model, 5, 7));
    expect(generateBatch(model, 5, 7)).not.toEqual(generateBatch(model, 5, 8));
  });

  it("gives the same first rows in a larger batch", () => {
    const small = generateBatch(model, 2, 7).get("features");
    expect(generateBatch(model, 9, 7).get("features")?.data.slice(0, 12)).toEqual(small?.data);
  });

  it("makes masks of ones and then zeros", () => {
    const { data } = generateBatch(model, 50, 3).get("seq_mask") ?? { data: [] };
    const lengths = Array.from({ length: 50 }, (_, row) =>
      [...data.slice(row * 8, row * 8 + 8)]
        .join("")
        .match(/^1+0*$/)?.[0]
        .indexOf("0"),
    );
    expect(lengths).not.toContain(undefined);
    expect(new Set(lengths).size).toBeGreaterThan(4);
  });

  it("respects dtypes, vocabularies, shapes and missing rows", () => {
    const batch = generateBatch(model, 400, 1);
    const ids = [...(batch.get("cluster")?.data ?? [])];
    expect(Math.min(...ids)).toBe(0);
    expect(Math.max(...ids)).toBe(19);
    expect(new Set(batch.get("flag")?.data)).toEqual(new Set([0, 1]));
    expect(batch.get("seq")?.shape).toEqual([400, 8, 3]);
    const rows = Array.from({ length: 400 }, (_, row) => batch.get("seq")?.data.subarray(row * 24, row * 24 + 24) ?? []);
    const missing = rows.filter((row) => row.every((value) => value === -1)).length;
    expect(missing).toBeGreaterThan(60);
    expect(missing).toBeLessThan(140);
    expect(rows.every((row) => row.every((value) => value === -1) || row.every((value) => value >= 0 && value < 1))).toBe(true);
  });
});
