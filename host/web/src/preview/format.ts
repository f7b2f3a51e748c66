// Chat formatting for the eye: *bold*, _italic_, ~struck~ and ```fixed```, as chat apps draw it. The result
// is text and marks, never markup.

export interface Run {
  text: string;
  marks: ReadonlySet<Mark>;
}

type Mark = 'bold' | 'italic' | 'struck' | 'fixed';

const signs: Record<string, Mark> = { '*': 'bold', _: 'italic', '~': 'struck' };

/** formatted cuts a text into runs. A sign marks only what it hugs, at the edges of words and within a line. */
export function formatted(text: string, marks: ReadonlySet<Mark> = new Set()): Run[] {
  const runs: Run[] = [];
  let plain = '';
  const flush = (): void => {
    if (plain !== '') runs.push({ text: plain, marks });
    plain = '';
  };
  for (let i = 0; i < text.length; ) {
    if (text.startsWith('```', i)) {
      const end = text.indexOf('```', i + 3);
      if (end > i + 3) {
        flush();
        runs.push({ text: text.slice(i + 3, end), marks: new Set([...marks, 'fixed']) });
        i = end + 3;
        continue;
      }
    }
    const sign = text[i] as string;
    const mark = signs[sign];
    const end = mark === undefined || marks.has(mark) || isWord(text[i - 1]) || isBlank(text[i + 1]) ? -1 : closing(text, sign, i + 1);
    if (mark !== undefined && end > 0) {
      flush();
      runs.push(...formatted(text.slice(i + 1, end), new Set([...marks, mark])));
      i = end + 1;
      continue;
    }
    plain += sign;
    i++;
  }
  flush();
  return runs;
}

function closing(text: string, sign: string, from: number): number {
  for (let i = from; i < text.length && text[i] !== '\n'; i++) if (text[i] === sign && i > from && !isBlank(text[i - 1]) && !isWord(text[i + 1])) return i;
  return -1;
}

const isWord = (c: string | undefined): boolean => c !== undefined && /[\p{L}\p{N}]/u.test(c);
const isBlank = (c: string | undefined): boolean => c === undefined || /\s/.test(c);
