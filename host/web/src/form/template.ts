// Where the expressions in a text begin and end, to draw them and to complete them. What they mean
// only the host knows: nothing here evaluates.

import { isObject, join } from './pointer';

export interface Segment {
  text: string; // as it is written, with ${ and }
  expression: boolean;
  open?: boolean; // an expression without its closing brace
}

/** split cuts a text at its ${ … }, as the host does: quotes and nested braces do not end one, $${ is a plain ${. */
export function split(text: string): Segment[] {
  const segments: Segment[] = [];
  let plain = 0;
  for (let i = text.indexOf('$'); i >= 0; i = text.indexOf('$', i)) {
    if (text.startsWith('$${', i)) i += 3;
    else if (text.startsWith('${', i)) {
      if (i > plain) segments.push({ text: text.slice(plain, i), expression: false });
      const end = expressionEnd(text, i + 2);
      const closed = end >= 0;
      const to = closed ? end + 1 : text.length;
      segments.push({ text: text.slice(i, to), expression: true, ...(closed ? {} : { open: true }) });
      plain = i = to;
    } else i++;
  }
  if (plain < text.length) segments.push({ text: text.slice(plain), expression: false });
  return segments;
}

function expressionEnd(text: string, from: number): number {
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const c = text[i];
    if (c === '{') depth++;
    else if (c === '}' && depth-- === 0) return i;
    else if (c === '"' || c === "'" || c === '`') {
      for (i++; i < text.length && text[i] !== c; i++) if (text[i] === '\\' && c !== '`') i++;
    }
  }
  return -1;
}

/** hasExpression says whether a value is a text with an expression in it. */
export const hasExpression = (value: unknown): value is string => typeof value === 'string' && value.replaceAll('$${', '').includes('${');

/** expressions are the places of all texts with an expression in a value. */
export function expressions(value: unknown, pointer = ''): string[] {
  if (hasExpression(value)) return [pointer];
  if (Array.isArray(value)) return value.flatMap((item, i) => expressions(item, join(pointer, i)));
  if (isObject(value)) return Object.entries(value).flatMap(([name, item]) => expressions(item, join(pointer, name)));
  return [];
}

/** escaped is a text that stands for itself, with nothing in it taken for an expression. */
export const escaped = (text: string): string => text.replaceAll('${', '$${');

/** plainly is an expression as a person calls what it takes: by the name of its entry, or as it is written, without ${ and }. */
export function plainly(segment: Segment, entries: readonly { path: string; name?: string }[]): string {
  const source = segment.text.slice(2, segment.open ? undefined : -1).trim();
  return entries.find(({ path }) => path === source)?.name ?? source.replace(/^vars\./, '');
}
