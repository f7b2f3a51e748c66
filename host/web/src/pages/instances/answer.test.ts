import { expect, test } from 'vitest';
import { lines, read } from './answer';

test('what was printed is taken whole or not at all', () => {
  expect(read('  {"id":"AQID","type":"public-key"}\n')).toEqual({ id: 'AQID', type: 'public-key' });
  expect(['', ' \n', '{"id":"AQID","respon', '"AQID"', '[]'].map(read)).toEqual(['empty', 'empty', 'cut', 'cut', 'cut']);
});

test('the lines hold the request as a string, whatever is in it', () => {
  const request = { challenge: 'A"`${1}\\', rpId: 'whatsapp.com', none: null };
  const first = lines(request).split('\n')[0] ?? '';
  expect(JSON.parse(JSON.parse(first.slice('const request = '.length, -1)))).toEqual(request);
});
