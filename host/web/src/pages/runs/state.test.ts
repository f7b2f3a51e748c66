import { expect, test } from 'vitest';
import { customer, look } from './state';

test('a run that waits is not one that runs', () => {
  const seen = [{ status: 'running' }, { status: 'running', waitsAt: [] }, { status: 'running', waitsAt: ['ask'] }, { status: 'failed' }, { status: 'of tomorrow' }].map((run) => look(run).word);
  expect(seen).toEqual(['running', 'running', 'waiting', 'failed', 'unreadable']);
});

test('a run is named by its customer, masked or not', () => {
  expect(customer(['3EB0E180954B0308C6ED29', '5511999990001', '123@lid'])).toBe('+5511999990001');
  expect(customer(['…01', '3EB0'])).toBe('…01');
  expect(customer(['120363@g.us'])).toBe('120363@g.us');
  expect(customer(null)).toBe('');
});
