import type { CalibrationBin } from "../records.ts";

/** Probabilities this near to 0 and 1 count as this far: the log loss of a wrong certainty is large and finite. */
export const smallestProbability = 1e-7;

/**
 * The share of pairs of a positive and a negative in which the positive has the higher score, ties counting half; NaN without such pairs.
 *
 * @param positives  scores, sorted    @param negatives  scores, sorted
 */
export function areaUnderCurve(positives: Float32Array, negatives: Float32Array): number {
  let below = 0;
  let notAbove = 0;
  let won = 0;
  for (const score of positives) {
    while (below < negatives.length && (negatives[below] as number) < score) below += 1;
    if (notAbove < below) notAbove = below;
    while (notAbove < negatives.length && (negatives[notAbove] as number) <= score) notAbove += 1;
    won += (below + notAbove) / 2;
  }
  return won / (positives.length * negatives.length);
}

/** Bins of equally many rows, by rising prediction. @param positives  probabilities, sorted    @param negatives  likewise */
export function calibrationBins(positives: Float32Array, negatives: Float32Array, count = 10): readonly CalibrationBin[] {
  const total = positives.length + negatives.length;
  const bins: CalibrationBin[] = [];
  let [p, n] = [0, 0];
  for (let bin = 0; bin < Math.min(count, total); bin++) {
    const [p0, n0] = [p, n];
    let sum = 0;
    for (const end = Math.floor(((bin + 1) * total) / Math.min(count, total)); p + n < end; ) {
      const [positive, negative] = [positives[p] ?? Number.POSITIVE_INFINITY, negatives[n] ?? Number.POSITIVE_INFINITY];
      sum += Math.min(positive, negative);
      if (positive < negative) p += 1;
      else n += 1;
    }
    const rows = p - p0 + n - n0;
    bins.push({ predicted: sum / rows, observed: (p - p0) / rows, rows });
  }
  return bins;
}

/** Expected calibration error. @see Naeini et al., AAAI 2015 */
export function calibrationError(bins: readonly CalibrationBin[]): number {
  const rows = bins.reduce((total, bin) => total + bin.rows, 0);
  return bins.reduce((total, bin) => total + (bin.rows / rows) * Math.abs(bin.predicted - bin.observed), 0);
}

/** The mean log loss of one probability for all, where a share of the rows is positive. */
export function constantLogLoss(probability: number, positiveShare: number): number {
  const p = Math.min(Math.max(probability, smallestProbability), 1 - smallestProbability);
  return -(positiveShare * Math.log(p) + (1 - positiveShare) * Math.log(1 - p));
}
