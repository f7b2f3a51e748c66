// What can be done from the search (Ctrl K), and which of its two dialogs is open. The page that is shown adds
// what only it can do, for as long as it is there.

import { go } from './router.svelte';

export interface Command {
  id: string;
  title: string;
  note?: string;
  keys?: string;
  act(): void;
}

/** Lent is what a page lends to the search: its own commands, and how it adds a step, if it can. */
export interface Lent {
  commands(): Command[];
  add?(operation: string): void;
}

let now = $state.raw<{ open: 'search' | 'keys' | null; lent: Lent | null }>({ open: null, lent: null });

export const opened = (): 'search' | 'keys' | null => now.open;
export const lent = (): Lent | null => now.lent;
export const open = (what: 'search' | 'keys' | null): void => void (now = { ...now, open: what });

/** lend gives the search what a page can do, until the returned function takes it back. */
export function lend(what: Lent): () => void {
  now = { ...now, lent: what };
  return () => {
    if (now.lent === what) now = { ...now, lent: null };
  };
}

/** places are the pages that G and a letter lead to. */
export const places: Readonly<Record<string, string>> = { f: '/flows', r: '/runs', i: '/insights', n: '/instances', s: '/sessions' };

let going = false; // G was pressed

/** pressed takes the keys that every page has. Letters count only where nobody writes. */
export function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing) return;
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest('dialog, [role="menu"]')) return;
  const key = event.key.toLowerCase();
  if (key === 'shift') return; // on the way to ?
  const went = going;
  going = false;
  if ((event.ctrlKey || event.metaKey) && !event.altKey && key === 'k') {
    event.preventDefault();
    open('search');
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || target?.closest('input, textarea, select, [contenteditable]')) return;
  const place = places[key];
  if (went && place !== undefined) go(place);
  else if (key === 'g') going = true;
  else if (key === '?') open('keys');
  else return;
  event.preventDefault();
}
