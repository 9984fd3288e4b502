import type { Terms } from "./records.ts";

/** Sums of reported terms, of which not every step reports all. */
export class TermSums {
  readonly #sums: Map<string, readonly [sum: number, count: number]>;

  constructor(from: Readonly<Record<string, readonly [sum: number, count: number]>> = {}) {
    this.#sums = new Map(Object.entries(from));
  }

  get sums(): Readonly<Record<string, readonly [sum: number, count: number]>> {
    return Object.fromEntries(this.#sums);
  }

  add(report: ReadonlyMap<string, number>): void {
    for (const [name, value] of report) {
      const [sum, count] = this.#sums.get(name) ?? [0, 0];
      this.#sums.set(name, [sum + value, count + 1]);
    }
  }

  means(): Terms {
    return Object.fromEntries([...this.#sums].map(([name, [sum, count]]) => [name, sum / count]));
  }
}
