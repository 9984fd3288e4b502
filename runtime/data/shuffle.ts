import { randomNumbers } from "../generate.ts";
import type { PackedRows } from "./row-layout.ts";

/** Rows in order of the shuffle: a bounded buffer is kept full, and each row that comes pushes out one drawn at random. */
export class ShuffleBuffer {
  readonly #rows: PackedRows;
  readonly #random: () => number;
  #filled = 0;

  constructor(rows: PackedRows, seed: number, epoch: number) {
    this.#rows = rows;
    this.#random = randomNumbers(Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(epoch + 1, 0x85ebca6b));
  }

  get isFull(): boolean {
    return this.#filled === this.#rows.capacity;
  }

  /** Takes a row while there is room. */
  fill(from: PackedRows, row: number): void {
    this.#rows.copyFrom(from, row, this.#filled);
    this.#filled += 1;
  }

  /** Gives a row drawn at random and puts the new one into its place. `out` null drops the row that is given. */
  exchange(from: PackedRows, row: number, out: PackedRows | null, at: number): void {
    const slot = this.#draw();
    out?.copyFrom(this.#rows, slot, at);
    this.#rows.copyFrom(from, row, slot);
  }

  /** Gives a row drawn at random from what is left; false when nothing is. */
  drain(out: PackedRows | null, at: number): boolean {
    if (this.#filled === 0) return false;
    const slot = this.#draw();
    out?.copyFrom(this.#rows, slot, at);
    this.#filled -= 1;
    if (slot !== this.#filled) this.#rows.copyFrom(this.#rows, this.#filled, slot);
    return true;
  }

  #draw(): number {
    return Math.floor(this.#random() * this.#filled);
  }
}
