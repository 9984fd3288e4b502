/** Numbers of which nobody knows beforehand how many there will be. */
export class GrowingFloats {
  #values = new Float32Array(1024);
  #length = 0;

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Float32Array(2 * this.#length);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  /** A sorted copy. */
  sorted(): Float32Array {
    return this.#values.slice(0, this.#length).sort();
  }
}
