import { describe, expect, test } from 'vitest';
import menu from '../../../../examples/flows/menu.yaml?raw';
import { read, write } from './document';
import { addStep, connect, disconnect, moveTo, newId, removeSteps, setStep, setTrigger, type Edit } from './edits';
import { copy, paste } from './fragment';
import { flowOf, source } from './model';
import { portsOf, renamed, type Operation } from './ports';

function edited(text: string, edit: Edit): string {
  const { document, problems } = read(text);
  expect(problems).toEqual([]);
  edit(document);
  return write(document);
}

describe('a text that is edited', () => {
  test('keeps its comments, order and what was not touched', () => {
    const after = edited(menu, setStep('ask', { with: { ...read(menu).flow!.nodes[0]!.with, footerText: 'Soon' } }));
    const changed = after.split('\n').filter((line, index) => line !== menu.split('\n')[index]);
    expect(changed).toEqual(['      footerText: Soon']);
  });

  test('comes back to the letter when nothing changes', () => {
    expect(edited(menu, () => {})).toBe(menu);
    for (const edit of [setStep('ask', { with: read(menu).flow!.nodes[0]!.with }), connect('ask.text', 'words'), moveTo('nodes', { ask: read(menu).flow!.ui.nodes['ask']! })]) expect(edited(menu, edit)).toBe(menu);
  });

  test('keeps the comment of a button that moves in its list', () => {
    const text = 'nodes:\n  - id: a\n    with:\n      buttons:\n        # the first\n        - {id: x, displayText: X}\n        - {id: y, displayText: Y} # the second\n';
    const after = edited(text, setStep('a', { with: { buttons: [{ id: 'y', displayText: 'Y' }, { id: 'x', displayText: 'X' }] } }));
    expect(after).toMatch(/\{id: y, displayText: Y\} # the second[^]*\{id: x, displayText: X\}/);
  });

  test('loses a step with its edges, and only those', () => {
    const { flow } = read(edited(menu, removeSteps(['support'])));
    expect(flow!.nodes.map((node) => node.id)).not.toContain('support');
    expect(flow!.edges).toEqual(read(menu).flow!.edges.filter((edge) => source(edge.from)[0] !== 'support' && edge.to !== 'support'));
    expect(flow!.ui.nodes).not.toHaveProperty('support');
  });

  test('takes a step into a flow that has none of its lists', () => {
    const after = edited('apiVersion: flow/v1\nkind: Flow\nmetadata: {id: x}\ntriggers: [{id: s, type: manual, to: ""}]\n', (document) => {
      addStep({ id: 'log', type: 'log@1', with: { message: 'x' } }, { x: 1.4, y: 2 })(document);
      setTrigger('s', { to: 'log' })(document);
    });
    expect(read(after).flow).toMatchObject({ nodes: [{ id: 'log', type: 'log@1' }], triggers: [{ to: 'log' }], ui: { nodes: { log: { x: 1, y: 2 } } } });
  });

  test('says where it cannot be read', () => {
    const { flow, problems } = read('a: 1\nb: [');
    expect(flow).toBeNull();
    expect(problems[0]).toMatchObject({ severity: 'error', code: 'syntax', line: 2 });
  });

  test.each(['', '[]', '1', 'nodes: 7', 'nodes: [1, null, {id: 5}]\nedges: {a: b}\nui: x', 'metadata: [x]'])('is a flow of nothing when it says %j', (text) => {
    expect(() => flowOf(read(text).document.toJS())).not.toThrow();
  });
});

test('an edge that is drawn twice is there once, and goes', () => {
  const twice = edited(edited(menu, connect('ask.text', 'words')), connect('billing.sent', 'silent'));
  expect(read(twice).flow!.edges).toHaveLength(9);
  expect(edited(twice, disconnect([{ from: 'billing.sent', to: 'silent' }]))).toBe(menu);
});

const buttons = {
  id: 'x.send@1', kind: 'ACTION', title: 'Send', portRules: [{ each: '/buttons', where: { type: 'REPLY' }, id: 'reply:{id}', label: '{displayText}' }],
  inputSchema: { properties: { buttons: { items: { $ref: '#/$defs/b' } } }, $defs: { b: { properties: { type: { default: 'REPLY' }, id: {} } } } },
} as unknown as Operation;
const step = (list: unknown): { id: string; type: string; with: Record<string, unknown> } => ({ id: 'a', type: 'x.send@1', with: { buttons: list } });
const base = [{ id: 'sent', label: 'Sent' }, { id: 'timeout', label: 'No answer' }];

test('a button is a port when its type leads on, by default too', () => {
  const ports = portsOf(buttons, base, step([{ id: 'a', displayText: 'A' }, { id: 'b', type: 'URL' }, { id: 'c', type: '', displayText: '' }, { id: '${ vars.x }', displayText: 'X' }, null, { displayText: 'no id' }]));
  expect(ports.map((port) => [port.id, port.label, port.button])).toEqual([['reply:a', 'A', true], ['reply:c', 'c', true], ['sent', 'Sent', false], ['timeout', 'No answer', false]]);
});

test('the edge of a button follows its id, also through an empty one', () => {
  const of = (...ids: string[]) => portsOf(buttons, base, step(ids.map((id) => ({ id, displayText: id }))));
  expect(renamed(of('a', 'b'), of('a', 'bb'), new Set(['reply:b']))).toEqual({ from: 'reply:b', to: 'reply:bb' });
  expect(renamed(of('a', 'b'), of('a'), new Set(['reply:b']))).toBeNull();
  expect(renamed(of('a'), of('a', 'c'), new Set(['reply:a', 'reply:b', 'timeout']))).toEqual({ from: 'reply:b', to: 'reply:c' });
  expect(renamed(of('a', 'b'), of('b', 'a'), new Set(['reply:a']))).toBeNull();
});

test('steps are copied as text, and pasted under ids of their own with the edges between them', () => {
  const flow = read(menu).flow!;
  const pasted = paste(copy(flow, ['support', 'ticket']), flow, { x: 1000, y: 0 })!;
  const after = read(edited(menu, pasted.edit)).flow!;
  expect(pasted.ids).toEqual(['support-2', 'ticket-2']);
  expect(after.edges.slice(-1)).toEqual([{ from: 'support-2.reply:on', to: 'ticket-2' }]);
  expect(after.nodes.find((node) => node.id === 'ticket-2')!.with).toEqual(flow.nodes.find((node) => node.id === 'ticket')!.with);
  expect(after.ui.nodes['ticket-2']!.x - after.ui.nodes['support-2']!.x).toBe(flow.ui.nodes['ticket']!.x - flow.ui.nodes['support']!.x);
  for (const text of ['', 'hello', '[1]', 'nodes: []', 'nodes: [{id: 1}]', 'nodes: [', 'x'.repeat(300_000)]) expect(paste(text, flow, { x: 0, y: 0 })).toBeNull();
});

test('a new id is one that a flow can have', () => {
  expect(newId('Send Buttons!', ['send-buttons'])).toBe('send-buttons-2');
  for (const wanted of ['', '123', '-', 'ção', '🙂', 'a'.repeat(200)]) expect(newId(wanted, [])).toMatch(/^[a-z][a-z0-9_-]{0,62}$/);
});
