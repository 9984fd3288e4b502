import { randomNumbers } from "../generate.ts";

/** A stream that depends on the seed and its name alone. FNV-1a. */
export function namedStream(seed: number, name: string): () => number {
  let hash = 0x811c9dc5 ^ Math.imul(seed + 1, 0x9e3779b1);
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193);
  return randomNumbers(hash);
}

const tableSize = 1 << 14;

/** Quantiles of the standard normal in the middle of equal shares: drawing from them is several times quicker than computing each. */
const quantiles = Float64Array.from({ length: tableSize }, (_, i) => normalQuantile((i + 0.5) / tableSize));

/** Standard normal draws, of 16,384 different values. */
export function normals(uniform: () => number): () => number {
  return () => quantiles[Math.floor(uniform() * tableSize)] as number;
}

/** Acklam's rational approximation, relative error below 1.2e-9. */
export function normalQuantile(p: number): number {
  const low = 0.02425;
  if (p > 1 - low) return -normalQuantile(1 - p);
  if (p < low) {
    const q = Math.sqrt(-2 * Math.log(p));
    const top = [-7.784894002430293e-3, -0.3223964580411365, -2.400758277161838, -2.549732539343734, 4.374664141464968, 2.938163982698783];
    const bottom = [7.784695709041462e-3, 0.3224671290700398, 2.445134137142996, 3.754408661907416, 1];
    return horner(top, q) / horner(bottom, q);
  }
  const q = p - 0.5;
  const r = q * q;
  const top = [-39.69683028665376, 220.9460984245205, -275.9285104469687, 138.357751867269, -30.66479806614716, 2.506628277459239];
  const bottom = [-54.47609879822406, 161.5858368580409, -155.6989798598866, 66.80131188771972, -13.28068155288572, 1];
  return (horner(top, r) * q) / horner(bottom, r);
}

function horner(coefficients: readonly number[], x: number): number {
  return coefficients.reduce((sum, coefficient) => sum * x + coefficient, 0);
}

/** The standard normal's distribution function, within 2e-4: enough to cut it into categories. */
export function normalShare(x: number): number {
  return 1 / (1 + Math.exp(-(1.5976 * x + 0.07056 * x ** 3)));
}
