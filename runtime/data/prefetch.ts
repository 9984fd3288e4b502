/**
 * The same items, each asked for while the one before is being used, so that a batch is prepared while another trains. Asks for `ahead` items more than
 * were taken; ends the source when its own reader stops.
 */
export async function* prefetch<T>(source: AsyncIterable<T>, ahead = 1): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  const pending: Promise<IteratorResult<T>>[] = [];
  const ask = (): void => {
    const next = iterator.next();
    // A failure is thrown where the item is taken; until then it is not an unhandled one.
    next.catch(() => undefined);
    pending.push(next);
  };
  try {
    for (let i = 0; i <= ahead; i++) ask();
    for (;;) {
      const next = await pending.shift();
      if (next === undefined || next.done === true) return;
      ask();
      yield next.value;
    }
  } finally {
    await Promise.allSettled(pending);
    await iterator.return?.();
  }
}
