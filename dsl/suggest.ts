import { distance } from "fastest-levenshtein";

/** The candidate that a misspelt name most likely meant, or null when none is near. */
export function closest(name: string, candidates: Iterable<string>): string | null {
  const limit = Math.max(1, Math.floor(name.length / 3));
  const lower = name.toLowerCase();
  let best: string | null = null;
  let least = limit + 0.5;
  for (const candidate of candidates) {
    if (candidate === name || Math.abs(candidate.length - name.length) > limit) continue;
    // A difference in case alone counts as half a letter.
    const steps = candidate.toLowerCase() === lower ? 0.5 : distance(lower, candidate.toLowerCase());
    if (steps < least) {
      least = steps;
      best = candidate;
    }
  }
  return best;
}
