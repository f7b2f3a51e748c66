import { expect, test } from 'vitest';
import { usesOf } from './uses';

test('a flow uses an instance once, however many of its steps name it, and a retired one uses none', () => {
  const step = (instance?: string) => ({ id: 'a', type: 'x@1', ...(instance === undefined ? {} : { instance }) });
  const uses = usesOf([
    { flow: 'menu', name: 'Menu', version: 1, state: 'published', steps: [step('demo'), step('demo'), step('shop'), step()] },
    { flow: 'night', version: 1, state: 'draft', steps: [step('demo')] },
    { flow: 'old', version: 1, state: 'retired', steps: [step('demo')] },
  ]);
  expect(uses.get('demo')).toEqual([{ flow: 'menu', name: 'Menu' }, { flow: 'night', name: 'night' }]);
  expect(uses.get('shop')).toEqual([{ flow: 'menu', name: 'Menu' }]);
  expect(uses.size).toBe(2);
});
