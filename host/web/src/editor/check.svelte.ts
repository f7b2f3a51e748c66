import { post, Refusal } from '../api/client';
import type { Finding } from '../flow/model';
import type { Editor } from './editor.svelte';

const pause = 400; // ms after the last change

/** check asks the host what is wrong with the text, whenever it has rested for a moment; the newest answer counts. */
export function check(editor: Editor): () => void {
  let gone = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = $effect.root(() => {
    $effect(() => {
      const text = editor.text;
      if (!editor.readable) return;
      clearTimeout(timer);
      gone.abort();
      gone = new AbortController();
      const { signal } = gone;
      timer = setTimeout(() => void ask(text, signal), pause);
    });
  });

  async function ask(text: string, signal: AbortSignal): Promise<void> {
    try {
      const { findings } = await post<{ findings: Finding[] }>('/v1/flows/validate', undefined, { text, signal });
      if (!signal.aborted) editor.checked = findings;
    } catch (error) {
      // A host that is away finds nothing; what it found last stays until it is back and the text changes.
      if (!signal.aborted && error instanceof Refusal && error.status === 0) timer = setTimeout(() => void ask(text, signal), 3000);
    }
  }

  return () => {
    clearTimeout(timer);
    gone.abort();
    stop();
  };
}
