import { expect, test } from 'vitest';
import { clock, countdown, span, took } from './time';

test('a span is said in its two largest units', () => {
  expect([0, 900, 12_000, 61_000, 3_600_000, 52_620_000, 259_140_000, 864_000_000].map(span)).toEqual(['0 s', '0 s', '12 s', '1 min 1 s', '1 h', '14 h 37 min', '2 d 23 h', '10 d']);
  expect([23.4, 1_240, 61_000].map(took)).toEqual(['23 ms', '1.2 s', '1 min 1 s']);
  expect([134_000, 9_400, -5].map(countdown)).toEqual(['2:14', '0:09', '0:00']);
});

test('a time of a near day has its name, also over the change of a clock', () => {
  const now = new Date(2026, 10, 26, 18, 0).getTime();
  expect(clock(new Date(2026, 10, 26, 14, 2).getTime(), now, 'en')).toBe('today, 14:02');
  expect(clock(new Date(2026, 10, 27, 13, 0).getTime(), now, 'en')).toBe('tomorrow, 13:00');
  expect(clock(new Date(2026, 10, 27, 13, 0).getTime(), now, 'pt')).toBe('amanhã, 13:00');
  expect(clock(new Date(2026, 10, 25, 0, 1).getTime(), now, 'es')).toBe('ayer, 00:01');
  expect(clock(new Date(2026, 10, 12, 9, 5).getTime(), now, 'en')).toBe('Nov 12, 09:05');
  expect(clock(new Date(2025, 10, 12, 9, 5).getTime(), now, 'en')).toContain('2025');
});
