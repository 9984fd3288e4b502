/** Tells when a phase ends because nothing has improved for as many epochs as its patience. */
export class EarlyStopping {
  readonly #patience: number | null;
  #best = Number.POSITIVE_INFINITY;
  #since = 0;

  /** @param patience  epochs without improvement; null never stops */
  constructor(patience: number | null) {
    this.#patience = patience;
  }

  /** The lowest loss so far. */
  get best(): number {
    return this.#best;
  }

  /** Takes the loss of an epoch, lower being better; NaN improves nothing. */
  observe(loss: number): { readonly improved: boolean; readonly stop: boolean } {
    const improved = loss < this.#best;
    this.#since = improved ? 0 : this.#since + 1;
    if (improved) this.#best = loss;
    return { improved, stop: this.#patience !== null && this.#since >= this.#patience };
  }
}
