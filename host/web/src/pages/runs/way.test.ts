import { expect, test } from 'vitest';
import { Trail, type Step } from '../../phone/trail';
import { counted, data, type HistoryStep } from './way';

const at = (sequence: number, step: string, more: object = {}) => ({ sequence, time: `2026-11-26T12:00:0${sequence}Z`, step, ...more });
const steps = [
  at(1, 'run.started', { data: { name: 'Ana' } }),
  at(2, 'node.started', { node: 'ask', visit: 1, attempt: 1, data: { number: '5511' }, key: 'run:k' }),
  at(3, 'node.retry', { node: 'ask', visit: 1, attempt: 1, message: 'Instance is not connected' }),
  at(4, 'node.started', { node: 'ask', visit: 1, attempt: 2, data: { number: '5511' }, key: 'run:k' }),
  at(5, 'node.succeeded', { node: 'ask', visit: 1, messageId: '3EB0', data: { messageId: '3EB0' }, warnings: [{ code: 'w', message: 'hidden on Desktop' }] }),
  at(6, 'wait.armed', { node: 'ask', visit: 1, data: ['reply:yes'] }),
  at(7, 'wait.answered', { node: 'ask', visit: 1, port: 'reply:yes', buttonId: 'yes', data: { button: { id: 'yes' } } }),
] as (HistoryStep & Step)[];

test('a line of a call has its input, output, attempts and warnings; one of a tap has its event', () => {
  const trail = new Trail();
  for (const step of steps) trail.add(step);
  const sent = data(trail.lines.find(({ kind }) => kind === 'done')!, steps);
  expect([sent.input?.data, sent.output?.data, sent.attempts, sent.key, sent.warnings, sent.problems]).toEqual([{ number: '5511' }, { messageId: '3EB0' }, 2, 'run:k', ['hidden on Desktop'], ['Instance is not connected']]);
  expect(data(trail.lines.find(({ kind }) => kind === 'tapped')!, steps).event?.data).toEqual({ button: { id: 'yes' } });
  expect(counted(trail.lines)).toEqual({ steps: 1, messages: 1, taps: 1 });
});
