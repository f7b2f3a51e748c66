// follow keeps a stream of events open for as long as somebody wants it.
//
// It guarantees that a lost one is opened again behind the last event that was heard, at once when the
// browser is online or seen again, and that it gives up only when the host says that there is no such
// stream, or that nobody is signed in.

import { Refusal } from './client';
import { stream, type Told } from './stream';

export interface Following {
  signal: AbortSignal;
  on: (told: Told) => void;
  onopen?: () => void;
  onlost?: (why: Refusal) => void;
  over?: () => boolean; // whether the stream, when the host ends it, has said all there is
  last?: string; // go on behind this event
}

const first = 250;
const longest = 5_000;

/** follow returns when all is said or signal aborts; a Refusal says that there is nothing to follow. */
export async function follow(path: string, { signal, on, onopen, onlost, over, last = '' }: Following): Promise<void> {
  let pause = first;
  while (!signal.aborted) {
    try {
      for await (const told of stream('GET', path, { signal, last, onopen })) {
        pause = first;
        if (told.id !== '') last = told.id;
        on(told);
      }
      if (over?.() === true) return;
      onlost?.(new Refusal(0, 'unreachable', 'No connection to the server.')); // it stops; another is on its way
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Refusal)) throw error;
      if (!passing(error.status)) throw error;
      onlost?.(error);
    }
    await rest(pause * (0.75 + Math.random() / 2), signal);
    pause = Math.min(pause * 2, longest);
  }
}

/** passing says whether a refusal may be another one in a moment. */
const passing = (status: number): boolean => status === 0 || status === 408 || status === 429 || status >= 500;

/** rest waits, no longer than until the browser is online or seen again. */
function rest(ms: number, signal: AbortSignal): Promise<void> {
  const woken = new AbortController();
  return new Promise((resolve) => {
    const wake = (): void => {
      clearTimeout(timer);
      woken.abort();
      resolve();
    };
    const timer = setTimeout(wake, ms);
    const once = { signal: woken.signal };
    addEventListener('online', wake, once);
    document.addEventListener('visibilitychange', wake, once);
    signal.addEventListener('abort', wake, once);
  });
}
