import { expect, test } from 'vitest';
import { beside, neighbour } from './places';

const places = { a: { x: 0, y: 0 }, b: { x: 280, y: 0 }, c: { x: 280, y: 140 }, d: { x: 700, y: 20 } };

test('a new step lies right of the one it follows, below what is there', () => {
  expect(beside({ x: 0, y: 0 }, {})).toEqual({ x: 280, y: 0 });
  expect(beside({ x: 0, y: 0 }, places)).toEqual({ x: 280, y: 280 });
});

test('the next step in a direction is the nearest ahead; there may be none', () => {
  expect(neighbour('a', [1, 0], places)).toBe('b');
  expect(neighbour('b', [0, 1], places)).toBe('c');
  expect(neighbour('d', [-1, 0], places)).toBe('b');
  expect(neighbour('a', [0, -1], places)).toBeNull();
  expect(neighbour('gone', [1, 0], places)).toBeNull();
});
