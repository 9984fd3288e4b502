export interface EarlyStoppingProgress {
  /** The lowest loss so far; null before the first. */
  readonly best: number | null;
  /** Epochs since then. */
  readonly since: number;
}

/** Tells when a phase ends because nothing has improved for as many epochs as its patience. */
export class EarlyStopping {
  readonly #patience: number | null;
  #best: number;
  #since: number;

  /** @param patience  epochs without improvement; null never stops    @param from  what another one's `progress` was */
  constructor(patience: number | null, { best, since }: EarlyStoppingProgress = { best: null, since: 0 }) {
    this.#patience = patience;
    this.#best = best ?? Number.POSITIVE_INFINITY;
    this.#since = since;
  }

  get progress(): EarlyStoppingProgress {
    return { best: Number.isFinite(this.#best) ? this.#best : null, since: this.#since };
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
