import { describe, expect, it } from 'vitest';
import { formatted } from './format';
import { asMessage } from './message';

describe('formatting', () => {
  const shown = (text: string) => formatted(text).map((run) => [...run.marks].join('+') + ':' + run.text);
  it.each([
    ['plain', [':plain']],
    ['Our *new* one', [':Our ', 'bold:new', ': one']],
    ['*_both_*', ['bold+italic:both']],
    ['2*3*4 and snake_case_name', [':2*3*4 and snake_case_name']],
    ['* not * this', [':* not * this']],
    ['*over\ntwo*', [':*over\ntwo*']],
    ['~old~ ```a *b*```', ['struck:old', ': ', 'fixed:a *b*']],
    ['*open', [':*open']],
    ['<b>*x*</b>', [':<b>', 'bold:x', ':</b>']],
  ])('%s', (text, want) => expect(shown(text)).toEqual(want));
});

describe('a preview', () => {
  it('is a message only when it says so', () => {
    expect(asMessage({ body: 'x', buttons: [] })).toBeNull();
    expect(asMessage({ kind: 'message', body: 'x' })).toEqual({ kind: 'message', to: '', header: null, body: 'x', footer: '', buttons: [], text: '' });
    expect(asMessage({ kind: 'message', body: 'x', buttons: [{ label: 'A', type: 'ODD', hiddenOn: ['desktop', 7] }, 5] })?.buttons).toEqual([{ type: 'ODD', label: 'A', value: '', hiddenOn: ['desktop'] }]);
  });
});
