import { distance } from "fastest-levenshtein";

/** The candidate that `name` most likely stands for, or null. A third of the letters may differ, and letter case counts little. */
export function closest(name: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestScore = Number.POSITIVE_INFINITY;
  const lower = name.toLowerCase();
  for (const candidate of candidates) {
    if (candidate === name) continue;
    const limit = Math.max(1, Math.floor((Math.max(name.length, candidate.length) + 1) / 3));
    if (Math.abs(name.length - candidate.length) > limit) continue;
    const caseless = distance(lower, candidate.toLowerCase());
    // a difference in case alone is always worth a suggestion
    const score = caseless === 0 ? 0.5 : caseless + (distance(name, candidate) > caseless ? 0.5 : 0);
    const short = Math.min(name.length, candidate.length) <= 2 && caseless > 0;
    if (short || caseless > limit || score >= bestScore) continue;
    best = candidate;
    bestScore = score;
  }
  return best;
}
