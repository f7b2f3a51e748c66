/// <reference types="vite/client" />
import { expect, test } from 'vitest';

const sheets = import.meta.glob<string>('./*.css', { query: '?raw', import: 'default', eager: true });
const bases = new Set(['./base.css', './phone-panel.css']); // the first all others build on, the second builds on phone.css

// All stylesheets are one file when they are built, in an order that nobody chose: where two give the same class its look, a
// page looks different from what its own stylesheet says.
test('a class has its look in one stylesheet', () => {
  const homes = new Map<string, Set<string>>();
  for (const [sheet, css] of Object.entries(sheets).filter(([sheet]) => !bases.has(sheet)))
    for (const [, selectors = ''] of css.replaceAll(/\/\*.*?\*\//gs, '').replaceAll(/:is\([^)]*\)/g, ':is').matchAll(/([^{};]+)\{/g))
      for (const [, name = ''] of selectors.matchAll(/(?:^|,)\s*\.([\w-]+)/g)) homes.set(name, (homes.get(name) ?? new Set()).add(sheet));
  expect(homes.size).toBeGreaterThan(150);
  expect([...homes].filter(([, those]) => those.size > 1).map(([name, those]) => `.${name}: ${[...those].join(', ')}`)).toEqual([]);
});
