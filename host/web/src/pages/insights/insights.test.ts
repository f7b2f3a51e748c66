import { expect, test } from 'vitest';
import { csv, every, ticks } from './scale';
import { days, half, rates, sums, together, type Insights, type Menu } from './shape';

const menu = (more: Partial<Menu>): Menu => ({ flow: 'menu', node: 'ask', sent: 4, wrote: 1, noAnswer: 1, rate: 0.5, buttons: [], took: { histogram: [] }, ...more });

test('an axis begins at zero, has five lines at most, and round whole numbers', () => {
  expect(ticks(861)).toEqual([0, 250, 500, 750, 1000]);
  expect(ticks(3)).toEqual([0, 1, 2, 3]);
  expect(ticks(0)).toEqual([0, 1]);
  for (let most = 1; most < 3000; most += 7) {
    const lines = ticks(most);
    expect(lines.length).toBeLessThanOrEqual(5);
    expect(lines.at(-1)).toBeGreaterThanOrEqual(most);
  }
  expect([every(14, 1000, 44), every(90, 1000, 44), every(3, 0, 44)]).toEqual([1, 4, 132]);
});

test('a cell of a CSV is never a formula, and keeps its quotes', () => {
  expect(csv([['Button', 'Taps'], ['=1+1', 3], ['say "no"', -1]])).toBe('"Button","Taps"\r\n"\'=1+1",3\r\n"say ""no""",-1\r\n');
});

test('rates are of the menus that were sent, the most tapped first, silence last', () => {
  const rows = rates(menu({ buttons: [{ port: 'reply:a', taps: 1, rate: 0.25 }, { port: 'reply:b', taps: 2, rate: 0.5 }] }), (port) => port.toUpperCase(), 'wrote', 'nothing');
  expect(rows.map(({ name, count, rate, quiet }) => [name, count, rate, quiet])).toEqual([['REPLY:B', 2, 0.5, false], ['REPLY:A', 1, 0.25, false], ['wrote', 1, 0.25, true], ['nothing', 1, 0.25, true]]);
  expect(rates(menu({ sent: 0 }), String, 'w', 'n').every(({ rate }) => rate === 0)).toBe(true);
});

const of = (more: Partial<Insights>): Insights => ({ from: '', to: '', step: 'hour', series: [], menus: [], failures: [], versions: [], ...more });

test('several menus are one: sums, and the time within which half tapped', () => {
  const two = [menu({ took: { histogram: [{ upToSeconds: 10, n: 1 }, { n: 1 }] }, buttons: [{ port: 'reply:a', taps: 3, rate: 0 }] }), menu({ took: { histogram: [{ upToSeconds: 60, n: 2 }] } })];
  expect(together(two)).toEqual([{ upTo: 10_000, clicks: 1 }, { upTo: 60_000, clicks: 2 }, { upTo: null, clicks: 1 }]);
  expect(half(together(two))).toBe(35_000);
  expect(half([])).toBe(null);
  expect(half([{ upTo: 10_000, clicks: 0 }, { upTo: null, clicks: 1 }])).toBe(null);
  const all = of({ series: [{ at: '', sent: 5, clicks: 2 }, { at: '', sent: 3, clicks: 2 }], menus: two, failures: [{ operation: 'o', code: 'c', n: 2 }] });
  expect(sums(all)).toEqual({ sent: 8, clicks: 4, menus: 8, taps: 3, failed: 2, half: 35_000 });
});

test('hours make days of this place, every day is there, also where clocks change', () => {
  const from = new Date(2026, 2, 27).getTime();
  const to = new Date(2026, 3, 1, 12).getTime();
  const hour = (day: number, of: number): string => new Date(2026, 2, day, of).toISOString();
  const found = days(of({ series: [{ at: hour(28, 0), sent: 1, clicks: 0 }, { at: hour(28, 23), sent: 2, clicks: 1 }, { at: hour(29, 0), sent: 4, clicks: 0 }, { at: hour(1, 0), sent: 9, clicks: 9 }] }), from, to);
  expect(found.map(({ at }) => new Date(at).getDate())).toEqual([27, 28, 29, 30, 31, 1]);
  expect(found.map(({ sent }) => sent)).toEqual([0, 3, 4, 0, 0, 0]);
  expect(days(of({ step: 'day', series: [{ at: '2026-03-28T00:00:00Z', sent: 7, clicks: 1 }] }), Date.UTC(2026, 2, 27), Date.UTC(2026, 2, 29, 5)).map(({ sent }) => sent)).toEqual([0, 7, 0]);
});
