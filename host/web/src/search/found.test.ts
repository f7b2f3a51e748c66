import { expect, test } from 'vitest';
import type { Operation } from '../flow/ports';
import { flowsOf, found, operationsOf, stepsOf } from './found';

const all = {
  flows: [{ flow: 'menu', name: 'Support menu', version: 1, state: 'published' as const, steps: [{ id: 'start', type: 'manual', trigger: true }, { id: 'ask', name: 'Ação', type: 'x.menu@1' }, { id: 'other', type: 'x.menu@1' }] }],
  operations: [{ id: 'x.menu@1', kind: 'ACTION', title: 'Send a menu' }, { id: 'x.remove@1', kind: 'OPERATION', title: 'Remove' }] as Operation[],
  instances: [],
};

test('what is called so comes before what only mentions it, without accents, and the steps of a flow not with its name', () => {
  const went: string[] = [];
  const does = { go: (path: string) => void went.push(path), use: (id: string) => void went.push(id) };
  const groups = [
    { name: 'Flows', entries: flowsOf(all, does), always: true },
    { name: 'Steps', entries: stepsOf(all, does), always: false },
    { name: 'Operations', entries: operationsOf(all, does), always: false },
  ];
  const titles = (wanted: string): string[] => found(wanted, groups).map(({ title }) => title);
  expect(titles('')).toEqual(['Support menu']);
  expect(titles('support')).toEqual(['Support menu']);
  expect(titles('acao')).toEqual(['Ação']);
  expect(titles('remove')).toEqual([]);
  expect(titles('other x.menu')).toEqual(['other']);
  found('ask', groups)[0]?.act();
  found('send menu', groups).at(-1)?.act();
  expect(went).toEqual(['/flows/menu?step=ask', 'x.menu@1']);
});
