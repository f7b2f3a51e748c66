import { tick } from 'svelte';

const patience = 2000;

/** focusSoon moves the focus to what a selector finds, as soon as it is drawn. Who has moved on meanwhile is left alone. */
export async function focusSoon(selector: string): Promise<void> {
  const from = document.activeElement;
  await tick();
  for (const end = Date.now() + patience; Date.now() < end; ) {
    const found = document.querySelector<HTMLElement>(selector);
    if (found) return found.focus();
    await new Promise(requestAnimationFrame);
    const at = document.activeElement;
    if (at !== from && at !== document.body) return;
  }
}
