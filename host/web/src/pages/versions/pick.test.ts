import { expect, test } from 'vitest';
import { pair, shown, type Version } from './pick';

const v = (version: number, state = ''): Version => ({ version, state, flow: 'menu', digest: '', changed: '' }) as Version;
const all = shown([v(5, 'trial'), v(4, 'draft'), v(3), v(2, 'published'), v(1)]);
const picked = (from: number, to: number): (number | undefined)[] => {
  const { from: a, to: b } = pair(all, from, to);
  return [a?.version, b?.version];
};

test('a draft is compared with what is live, a version with the one before it', () => {
  expect(all.map(({ version }) => version)).toEqual([4, 3, 2, 1]);
  expect(picked(NaN, NaN)).toEqual([2, 4]);
  expect(picked(NaN, 3)).toEqual([2, 3]);
  expect(picked(NaN, 2)).toEqual([1, 2]);
  expect(picked(3, 1)).toEqual([3, 1]);
  expect(picked(NaN, 1)).toEqual([undefined, 1]);
  expect(pair([], NaN, NaN)).toEqual({ from: null, to: null });
});
