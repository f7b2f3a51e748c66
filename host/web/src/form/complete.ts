// Completion inside ${ … }: which word the caret is in, what could stand there, and the text with it.

import type { Entry } from './types';
import { split } from './template';

export interface Word {
  from: number; // in the text, where the word begins
  to: number; // and the caret
  text: string;
  closed: boolean; // the expression has its closing brace
}

/** wordAt is the name that the caret is behind, or null outside of an expression or inside of its quotes. */
export function wordAt(text: string, caret: number): Word | null {
  let start = 0;
  for (const segment of split(text)) {
    const end = start + segment.text.length;
    if (segment.expression && caret >= start + 2 && (caret < end || (segment.open && caret === end))) {
      const before = text.slice(start + 2, caret);
      if (inQuotes(before)) return null;
      const word = /[A-Za-z_][\w.]*$/.exec(before)?.[0] ?? '';
      if (word === '' && /[\w)\]}"'`]\s*$/.test(before)) return null; // an operator comes next, not a name
      return { from: caret - word.length, to: caret, text: word, closed: !segment.open };
    }
    start = end;
  }
  return null;
}

function inQuotes(source: string): boolean {
  let quote = '';
  for (let i = 0; i < source.length; i++) {
    const c = source[i] as string;
    if (quote !== '') {
      if (c === '\\' && quote !== '`') i++;
      else if (c === quote) quote = '';
    } else if (c === '"' || c === "'" || c === '`') quote = c;
  }
  return quote !== '';
}

const most = 8;

/** offers are the entries that fit a word: those that begin with it, then those that have it inside. */
export function offers(entries: readonly Entry[], word: string): Entry[] {
  const wanted = word.toLowerCase();
  const begins = entries.filter((entry) => entry.path.toLowerCase().startsWith(wanted));
  const inside = entries.filter((entry) => !begins.includes(entry) && entry.path.toLowerCase().includes(wanted));
  const found = [...begins, ...inside];
  return found.length === 1 && found[0]?.path === word ? [] : found.slice(0, most);
}

/** complete is the text with a path in the place of a word, and where the caret then is. */
export function complete(text: string, word: Word, path: string): { text: string; caret: number } {
  const lead = word.text === '' && text[word.from - 1] === '{' ? ' ' : '';
  const tail = !word.closed ? ' }' : text[word.to] === '}' ? ' ' : '';
  const before = text.slice(0, word.from) + lead + path;
  return { text: before + tail + text.slice(word.to), caret: before.length + (word.closed ? 0 : tail.length) };
}
