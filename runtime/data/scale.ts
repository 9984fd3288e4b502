import type { ScaleName } from "./mapping.ts";

/** Mean and standard deviation (of the population) of the training rows, one pair for each place of the last axis or one for all. */
export interface Moments {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/** The steps before standardisation. Not a number where a step is not defined: `log` is of numbers above -1. */
export function compress(value: number, steps: readonly ScaleName[]): number {
  let result = value;
  for (const step of steps) {
    if (step === "log") result = Math.log1p(result);
    else if (step === "symlog") result = Math.sign(result) * Math.log1p(Math.abs(result));
  }
  return result;
}

/** Undoes `compress` and standardisation: for predictions of a label that was scaled. */
export function unscale(value: number, steps: readonly ScaleName[], moments: Moments | null, place: number): number {
  let result = value;
  for (const step of [...steps].reverse()) {
    if (step === "standard") {
      if (moments === null) throw new Error("a standardised value needs its moments");
      const at = moments.mean.length === 1 ? 0 : place;
      result = result * (moments.deviation[at] ?? 1) + (moments.mean[at] ?? 0);
    } else if (step === "log") result = Math.expm1(result);
    else result = Math.sign(result) * Math.expm1(Math.abs(result));
  }
  return result;
}

/** Welford's running mean and variance. */
export class RunningMoments {
  readonly #mean: Float64Array;
  readonly #squares: Float64Array;
  readonly #counts: Float64Array;

  constructor(places: number) {
    this.#mean = new Float64Array(places);
    this.#squares = new Float64Array(places);
    this.#counts = new Float64Array(places);
  }

  add(place: number, value: number): void {
    const count = (this.#counts[place] ?? 0) + 1;
    const before = this.#mean[place] ?? 0;
    const mean = before + (value - before) / count;
    this.#counts[place] = count;
    this.#mean[place] = mean;
    this.#squares[place] = (this.#squares[place] ?? 0) + (value - before) * (value - mean);
  }

  /** A place without any variance has deviation 1; `constants` lists those that have values. */
  finish(): { readonly moments: Moments; readonly constants: readonly number[] } {
    const constants: number[] = [];
    const deviation = Array.from(this.#squares, (squares, place) => {
      const count = this.#counts[place] ?? 0;
      const found = count === 0 ? 0 : Math.sqrt(squares / count);
      if (found > 0) return found;
      if (count > 0) constants.push(place);
      return 1;
    });
    return { moments: { mean: Array.from(this.#mean), deviation }, constants };
  }
}
