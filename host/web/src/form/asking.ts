import { Refusal } from '../api/client';

const rest = 250; // ms without a change before the host is asked
export const again = 3000; // ms until it is asked once more, after a failure that passes

/** passes says of a failure that the same question may be answered later: the host is away, busy, or has a limit. */
export const passes = (error: unknown): boolean => !(error instanceof Refusal) || error.status === 0 || error.status === 429 || error.status >= 500;

/**
 * asking asks the host when typing rests, and again after a failure that passes, until the returned
 * function ends it: with the next change, or when the form goes. failed hears of each failure.
 */
export function asking(ask: (signal: AbortSignal) => Promise<void>, failed: (error: unknown) => void = () => {}): () => void {
  const stop = new AbortController();
  let timer = setTimeout(attempt, rest);
  async function attempt(): Promise<void> {
    try {
      await ask(stop.signal);
    } catch (error) {
      if (stop.signal.aborted) return;
      failed(error);
      if (passes(error)) timer = setTimeout(attempt, again);
    }
  }
  return () => {
    clearTimeout(timer);
    stop.abort();
  };
}
