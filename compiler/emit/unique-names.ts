/** Hands out names, each once: `name`, then `name_1`, `name_2`, ... where it is taken. */
export class UniqueNames {
  readonly #counts = new Map<string, number>();

  take(name: string): string {
    let count = this.#counts.get(name);
    if (count === undefined) {
      this.#counts.set(name, 0);
      return name;
    }
    let candidate: string;
    do candidate = `${name}_${++count}`;
    while (this.#counts.has(candidate));
    this.#counts.set(name, count);
    this.#counts.set(candidate, 0);
    return candidate;
  }

  has(name: string): boolean {
    return this.#counts.has(name);
  }
}
