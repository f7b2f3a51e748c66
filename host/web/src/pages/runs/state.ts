// How a run is, in a shape, a word and a tone.

import type { IconName } from '../../ui/icons';

export type Word = 'running' | 'waiting' | 'failed' | 'succeeded' | 'cancelled' | 'queued' | 'unreadable';

export interface Look {
  word: Word;
  icon: IconName | null; // null is the dot of what runs now
  tone: '' | 'running' | 'wait' | 'error';
}

export function look(run: { status: string; waitsAt?: string[] | null }): Look {
  switch (run.status) {
    case 'succeeded': return { word: 'succeeded', icon: 'check', tone: '' };
    case 'failed': return { word: 'failed', icon: 'error', tone: 'error' };
    case 'cancelled': return { word: 'cancelled', icon: 'x', tone: '' };
    case 'queued': return { word: 'queued', icon: 'clock', tone: '' };
    case 'running': return run.waitsAt?.length ? { word: 'waiting', icon: 'clock', tone: 'wait' } : { word: 'running', icon: null, tone: 'running' };
    default: return { word: 'unreadable', icon: 'error', tone: 'error' };
  }
}

/** customer is whom a run is about: a number if there is one, else the first thing it was about. */
export function customer(about: readonly string[] | null | undefined): string {
  const number = about?.find((one) => /^\+?\d{5,15}$|^…\d{2}$/.test(one));
  return number === undefined ? (about?.[0] ?? '') : number.startsWith('…') ? number : `+${number.replace('+', '')}`;
}
