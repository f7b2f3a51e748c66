import { expect, test } from 'vitest';
import { csv, every, ticks } from './scale';
import { half, rates, sums, together, type Insights, type Menu } from './shape';

const menu = (more: Partial<Menu>): Menu => ({ flow: 'menu', node: 'ask', sent: 4, tapped: 2, wrote: 1, noAnswer: 1, medianMs: 8000, buttons: [], timeToClick: [], ...more });

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
  const rows = rates(menu({ buttons: [{ id: 'a', taps: 1 }, { id: 'b', label: 'Bravo', taps: 2 }] }), 'wrote', 'nothing');
  expect(rows.map(({ name, count, rate, quiet }) => [name, count, rate, quiet])).toEqual([['Bravo', 2, 0.5, false], ['a', 1, 0.25, false], ['wrote', 1, 0.25, true], ['nothing', 1, 0.25, true]]);
  expect(rates(menu({ sent: 0 }), 'w', 'n').every(({ rate }) => rate === 0)).toBe(true);
});

test('several menus are one: sums, and the time within which half tapped', () => {
  const two = [menu({ timeToClick: [{ upToMs: 10_000, clicks: 1 }, { upToMs: null, clicks: 1 }] }), menu({ timeToClick: [{ upToMs: 60_000, clicks: 2 }] })];
  expect(together(two)).toEqual([{ upToMs: 10_000, clicks: 1 }, { upToMs: 60_000, clicks: 2 }, { upToMs: null, clicks: 1 }]);
  expect(half(together(two))).toBe(60_000);
  expect(half([])).toBe(null);
  const all: Insights = { from: '', to: '', series: [{ at: '', sends: 5, clicks: 2 }, { at: '', sends: 3, clicks: 2 }], menus: two, failures: [{ operation: 'o', code: 'c', count: 2 }], published: [] };
  expect(sums(all)).toEqual({ sends: 8, clicks: 4, menus: 8, tapped: 4, failed: 2, halfMs: 60_000 });
});
