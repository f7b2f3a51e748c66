import { expect, test } from 'vitest';
import menu from '../../../../examples/flows/menu.yaml?raw';
import { read } from './document';
import { tidy } from './layout';

test('what the first button leads to lies above what the second does, and nothing lies on anything', () => {
  const flow = read(menu).flow!;
  const exits = ['reply:sales', 'reply:support', 'reply:billing', 'text', 'timeout'];
  const { nodes, triggers } = tidy(flow, new Map(), () => exits);
  const y = (id: string): number => nodes[id]!.y;
  expect([y('sales') < y('support'), y('support') < y('billing'), y('billing') < y('words')]).toEqual([true, true, true]);
  expect(nodes['sales']!.x).toBeGreaterThan(nodes['ask']!.x);
  expect(triggers['start']!.y).toBeLessThan(y('ask'));
  const boxes = Object.values(nodes);
  for (const a of boxes) for (const b of boxes) if (a !== b) expect(Math.abs(a.x - b.x) >= 196 || Math.abs(a.y - b.y) >= 120).toBe(true);
});

test('a flow of 300 steps and of cycles is laid out, too', () => {
  const nodes = Array.from({ length: 300 }, (_, i) => ({ id: `n${i}`, type: 'x@1', with: {} }));
  const edges = nodes.flatMap((node, i) => [{ from: `${node.id}.out`, to: `n${(i * 7) % 300}` }, { from: `${node.id}.error`, to: `n${(i + 1) % 300}` }]);
  const flow = { metadata: { id: 'big' }, triggers: [{ id: 's', type: 'manual', to: 'n0' }], nodes, edges, ui: { nodes: {}, triggers: {}, notes: [], groups: [] } };
  expect(Object.values(tidy(flow, new Map()).nodes).every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))).toBe(true);
});
