// Package reach: whether the host answers, for the whole page.
//
// It guarantees that a host that does not answer is said once, with the time of what is shown, and asked again
// until it answers; and that everything that is shown is then read anew.

import { ask, onReach, Refusal, said } from './client';

const pauses = [1, 2, 4, 8, 15]; // s; the last one again and again

const state = $state({ lost: false, heard: Date.now(), next: 0 });
const waiting = new Set<() => void>();
let missed = false; // a call was not answered, and none has been since
let failed = 0;
let asking: Promise<void> | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;

/** lost is whether the host does not answer: more than one call was in vain. */
export const lost = (): boolean => state.lost;
/** heard is when it answered last: as of then is what is shown. */
export const heard = (): number => state.heard;
/** next is when it is asked again. */
export const next = (): number => state.next;

/** onBack hears when the host answers again, to read anew what it could not. */
export function onBack(listener: () => void): () => void {
  waiting.add(listener);
  return () => waiting.delete(listener);
}

/** trouble is what a page says of what it could not read: nothing where the host cannot be reached, which is said above all pages. */
export const trouble = (error: unknown): string => (error instanceof Refusal && error.code === 'unreachable' ? '' : said(error));

/** knock asks whether the host is there, and again later if not. When it returns, lost says what the answer was. */
export const knock = (): Promise<void> => (asking ??= asked().finally(() => (asking = undefined)));

async function asked(): Promise<void> {
  clearTimeout(timer);
  const answered = await ask('GET', '/v1/session', { within: 10_000 }).then(() => true, (error: unknown) => !(error instanceof Refusal && error.status === 0));
  if (answered) return;
  const pause = 1000 * (pauses[Math.min(failed++, pauses.length - 1)] ?? 1);
  state.lost = true;
  state.next = Date.now() + pause;
  timer = setTimeout(knock, pause);
}

onReach((answered) => {
  if (!answered) {
    missed = true;
    if (!state.lost) void knock();
    return;
  }
  state.heard = Date.now();
  if (!missed) return;
  if (state.lost && asking === undefined) {
    void knock(); // it may have been on its way since before the host was gone
    return;
  }
  missed = state.lost = false;
  failed = 0;
  clearTimeout(timer);
  for (const listener of waiting) listener();
});
addEventListener('online', () => state.lost && void knock());
addEventListener('offline', () => void knock());
