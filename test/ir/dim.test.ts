import fc from "fast-check";
import { expect, test } from "vitest";
import {
  addDims,
  type Dim,
  dimsEqual,
  divideDims,
  evaluateDim,
  formatDim,
  multiplyDims,
  scaleDim,
  subtractDims,
  symbolDim,
  symbolsOf,
} from "../../compiler/ir/dim.ts";
import { provablyNonNegative } from "../../compiler/ops/shape-rules.ts";

const names = ["B", "T", "N"];

const dims: fc.Arbitrary<Dim> = fc.letrec<{ dim: Dim }>((tie) => ({
  dim: fc.oneof(
    { maxDepth: 4 },
    fc.integer({ min: -9, max: 9 }),
    fc.constantFrom(...names).map(symbolDim),
    fc.tuple(tie("dim"), tie("dim")).map(([a, b]) => addDims(a, b)),
    fc.tuple(tie("dim"), tie("dim")).map(([a, b]) => multiplyDims(a, b)),
    fc.tuple(tie("dim"), tie("dim")).map(([a, b]) => subtractDims(a, b)),
  ),
})).dim;

const values = fc
  .tuple(...names.map(() => fc.integer({ min: 1, max: 6 })))
  .map((numbers) => new Map(names.map((name, i) => [name, numbers[i] as number])));

test("arithmetic on dims is arithmetic on their values", () => {
  fc.assert(
    fc.property(dims, dims, values, fc.integer({ min: -5, max: 5 }), (a, b, at, factor) => {
      const [x, y] = [evaluateDim(a, at), evaluateDim(b, at)];
      expect(evaluateDim(addDims(a, b), at) === x + y).toBe(true);
      expect(evaluateDim(subtractDims(a, b), at) === x - y).toBe(true);
      expect(evaluateDim(multiplyDims(a, b), at) === x * y).toBe(true);
      expect(evaluateDim(scaleDim(a, factor), at) === x * factor).toBe(true);
    }),
  );
});

test("the normal form does not depend on the order of operations", () => {
  fc.assert(
    fc.property(dims, dims, dims, (a, b, c) => {
      expect(dimsEqual(addDims(a, b), addDims(b, a))).toBe(true);
      expect(dimsEqual(multiplyDims(a, addDims(b, c)), addDims(multiplyDims(a, b), multiplyDims(c, a)))).toBe(true);
      expect(dimsEqual(subtractDims(addDims(a, b), b), a)).toBe(true);
    }),
  );
});

test("an exact quotient times the divisor is the dividend", () => {
  fc.assert(
    fc.property(dims, dims, (a, b) => {
      const quotient = divideDims(a, b);
      if (quotient !== null) expect(dimsEqual(multiplyDims(quotient, b), a)).toBe(true);
    }),
  );
});

test("a product is divisible by a single symbol in it", () => {
  fc.assert(
    fc.property(dims, (a) => {
      expect(formatDim(divideDims(multiplyDims(a, symbolDim("T")), symbolDim("T")) ?? Number.NaN)).toBe(formatDim(a));
    }),
  );
});

test("what is provably not negative is not negative at any size", () => {
  fc.assert(
    fc.property(dims, values, (a, at) => {
      expect(!provablyNonNegative(a) || evaluateDim(a, at) >= 0).toBe(true);
    }),
  );
});

const [B, T] = [symbolDim("B"), symbolDim("T")];
for (const [dim, text] of [
  [addDims(T, 2), "T + 2"],
  [subtractDims(T, 1), "T - 1"],
  [multiplyDims(T, scaleDim(B, 2)), "2*B*T"],
  [subtractDims(B, T), "B - T"],
  [subtractDims(B, B), "0"],
] as const) {
  test(`prints ${text}`, () => expect(formatDim(dim)).toBe(text));
}

test("an unknown symbol is an error", () => {
  expect(symbolsOf(multiplyDims(B, T))).toEqual(["B", "T"]);
  expect(() => evaluateDim(B, new Map())).toThrow("dim symbol B has no value");
});
