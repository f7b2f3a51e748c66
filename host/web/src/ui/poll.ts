import { onBack } from '../api/reach.svelte';

/** poll asks now, again every so often while the page is seen, and when the host is back; never twice at a time. It returns how to stop. */
export function poll(ask: (signal: AbortSignal) => Promise<void>, every: number): () => void {
  const stopped = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let asking = false;
  const look = async (): Promise<void> => {
    clearTimeout(timer);
    if (stopped.signal.aborted || asking || document.hidden) return;
    asking = true;
    try {
      await ask(stopped.signal);
    } finally {
      asking = false;
      if (!stopped.signal.aborted) timer = setTimeout(look, every);
    }
  };
  document.addEventListener('visibilitychange', look, { signal: stopped.signal });
  const deaf = onBack(() => void look());
  void look();
  return () => {
    deaf();
    stopped.abort();
    clearTimeout(timer);
  };
}
