// The words for how an instance is: its title, why, and what to do.

import { clock, span } from '../../words/time';
import { language } from '../../words/words.svelte';
import type { Hint, Instance, Look } from './state';
import { w } from './words';

export function title(of: Instance, seen: Look, now: number): string {
  if (seen.title === 'other') return `${w().other}: ${of.state}`;
  const word = w()[seen.title];
  return seen.title === 'banned' && seen.until !== null ? `${word} ${w().until(clock(Date.parse(seen.until), now, language()))}` : word;
}

/** reason is in the server's words where it has some. */
export function reason(of: Instance, seen: Look, now: number): string {
  if (seen.title === 'paused' && of.newContacts) {
    const when = clock(Date.parse(of.newContacts.until), now, language());
    const { locked, capped, pausedBy } = w();
    if (of.newContacts.reason === 'new_chats_locked') return locked(when);
    return of.newContacts.reason === 'new_chats_capped' ? capped(when) : pausedBy(of.newContacts.reason, when);
  }
  if (of.lastError) return of.lastError.message;
  if (seen.title === 'new') return w().newReason;
  if (seen.title === 'pairing') return w().pairingReason;
  return seen.title === 'disconnected' ? w().restReason : '';
}

/** attempt says when it is tried again by itself. */
export const attempt = (seen: Look, now: number): string => (seen.title === 'connecting' && seen.until !== null && Date.parse(seen.until) > now ? w().next(span(Date.parse(seen.until) - now)) : '');

export function hint(of: Hint): string {
  const all: Record<Hint, string> = {
    network: w().hintNetwork, alone: w().hintAlone, phone: w().hintPhone, update: w().hintUpdate, owner: w().hintOwner,
    stopOther: w().hintStopOther, ban: w().hintBan, again: w().hintAgain, storage: w().hintStorage, twice: w().hintTwice,
  };
  return all[of];
}
