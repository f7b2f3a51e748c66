/// <reference types="vite/client" />
import { expect, test } from 'vitest';

const sources = import.meta.glob<string>('./**/*.{ts,svelte,css}', { query: '?raw', import: 'default', eager: true });
const allowed = new Set(['./pages/instances/app.ts', './api/schema.d.ts', './vendor.test.ts']); // the second is made from the host's document

test('no vendor is named in the page but where somebody has to open its app', () => {
  expect(Object.keys(sources).length).toBeGreaterThan(200);
  expect(Object.entries(sources).filter(([name, text]) => !allowed.has(name) && !name.endsWith('.test.ts') && /whats\s?app/i.test(text)).map(([name]) => name)).toEqual([]);
});
