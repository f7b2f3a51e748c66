import { expect, test } from 'vitest';
import { pieces } from './format';

test('the marks of a message change its look, at the edges of words only', () => {
  expect(pieces('plain')).toEqual([{ text: 'plain' }]);
  expect(pieces('a *b* _c_ ~d~ `e`')).toEqual([
    { text: 'a ' }, { text: 'b', bold: true }, { text: ' ' }, { text: 'c', italic: true }, { text: ' ' }, { text: 'd', struck: true }, { text: ' ' }, { text: 'e', mono: true },
  ]);
  expect(pieces('*_both_*')).toEqual([{ text: 'both', bold: true, italic: true }]);
  expect(pieces('snake_case_name 2*3*4 * no*')).toEqual([{ text: 'snake_case_name 2*3*4 * no*' }]);
  expect(pieces('a\n*b\nc*')).toEqual([{ text: 'a\n*b\nc*' }]);
  expect(pieces('see ```*raw*``` and ```open')).toEqual([{ text: 'see ' }, { text: '*raw*', mono: true }, { text: ' and ' }, { text: '```open' }]);
});

test('what is hostile stays text, and a long one is cut in no time', () => {
  expect(pieces('<img src=x onerror=alert(1)>')).toEqual([{ text: '<img src=x onerror=alert(1)>' }]);
  const long = '*'.repeat(4096) + '_a'.repeat(2048);
  expect(pieces(long).map((piece) => piece.text).join('').length).toBeGreaterThan(4096);
});
