import { expect, test } from 'vitest';
import { read } from '../../flow/document';
import { empty, free, named } from './bring';
import { mini } from './mini';

const menu = `
metadata: {id: menu, name: Menu}
vars: {properties: {name: {default: there}}}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - {id: ask, type: x.menu@1, with: {text: "Hello \${ vars.name }", options: [{id: a, label: A}, {id: b, label: B, kind: LINK}]}}
  - {id: a, type: x.text@1, with: {}}
  - {id: b, type: x.text@1, with: {}}
  - {id: c, type: x.text@1, with: {}}
edges: [{from: "ask.pick:a", to: a}, {from: "ask.timeout", to: b}, {from: a.out, to: c}, {from: c.out, to: ask}]
`;
const flow = read(menu).flow ?? (() => { throw new Error('not read'); })();

test('an id that is taken gets a number, and only then the text is changed', () => {
  expect(free('Menü  Süd', new Set())).toBe('men-s-d');
  expect(free('menu', new Set(['menu', 'menu-2']))).toBe('menu-3');
  expect(free('123', new Set())).toBe('flow');
  expect(named(menu, new Set())).toEqual({ id: 'menu', text: menu });
  expect(named(menu, new Set(['menu'])).text).toContain('id: menu-2');
  expect(read(empty('new', 'A "new" one')).flow?.metadata).toEqual({ id: 'new', name: 'A "new" one' });
});

test('what is no flow is refused with the place', () => {
  expect(() => named('a: [', new Set())).toThrow(/^\d+: /);
  expect(() => named('just words', new Set())).toThrow(/no nodes/);
  expect(() => named('x'.repeat((1 << 20) + 1), new Set())).toThrow(/more than/);
});

test('the drawing lights the way that goes furthest, and leaves ways back out', () => {
  const drawn = mini(flow);
  expect(drawn.boxes.map((box) => box.id)).toEqual(['ask', 'a', 'b', 'c']);
  expect(drawn.ways.map((way) => way.lit)).toEqual([false, true, true]);
  expect(mini({ ...flow, nodes: [], edges: [], triggers: [] }).boxes).toEqual([]);
});
