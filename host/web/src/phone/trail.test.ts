import { expect, test } from 'vitest';
import { Trail, type Step } from './trail';

let sequence = 0;
const step = (kind: string, more: Partial<Step> = {}): Step => ({ sequence: ++sequence, time: new Date(sequence * 10).toISOString(), step: kind, ...more });

test('a menu, a tap, and the next step light what they should', () => {
  const trail = new Trail();
  trail.beganBy('start');
  trail.add(step('run.started'));
  trail.add(step('node.started', { node: 'ask', visit: 1 }));
  expect(trail.at).toBe('ask');
  trail.add(step('node.succeeded', { node: 'ask', visit: 1, messageId: 'M1' }));
  trail.add(step('wait.armed', { node: 'ask', visit: 1, messageId: 'M1', data: ['reply:yes', 'reply:no'] }));
  expect(trail.at).toBe(null);
  expect([...trail.waiting.values()]).toEqual(['ask']);
  expect(trail.lines.at(-1)).toMatchObject({ kind: 'done', node: 'ask', ms: 10, offered: ['reply:yes', 'reply:no'], messageId: 'M1' });
  trail.add(step('wait.answered', { node: 'ask', visit: 1, port: 'reply:yes', buttonId: 'yes', messageId: 'M1', data: { messageId: 'C1', sender: { name: '(3 characters)' }, button: { displayText: 'Yes' } } }));
  trail.add(step('node.started', { node: 'thanks', visit: 2 }));
  expect([...trail.taken]).toEqual(['trigger start', 'ask.reply:yes']);
  expect(trail.lines.at(-2)).toMatchObject({ kind: 'tapped', answerId: 'C1', buttonId: 'yes', label: 'Yes' });
  expect(trail.lines.at(-2)?.who).toBeUndefined();
  expect(trail.at).toBe('thanks');
  expect([...trail.visited]).toEqual([['ask', 1], ['thanks', 2]]);
  expect(trail.waiting.size).toBe(0);
  trail.add(step('node.failed', { node: 'thanks', visit: 2, code: 'offline', message: 'the instance is not connected' }));
  expect(trail.lines.at(-1)).toMatchObject({ kind: 'failed', why: 'the instance is not connected' });
  trail.add(step('run.finished', { code: 'failed', message: 'no' }));
  expect(trail.over).toBe(true);
});

test('a step that comes again after a lost connection counts once, and lines are bounded', () => {
  const trail = new Trail();
  const began = step('run.started');
  trail.add(began);
  trail.add(began);
  expect(trail.lines.length).toBe(1);
  for (let i = 0; i < 1000; i++) trail.add(step('wait.refused', { node: 'ask', code: 'repeated', message: 'the same choice again at once' }));
  expect(trail.lines.length).toBe(500);
  expect(trail.lines.at(-1)).toMatchObject({ kind: 'refused', why: 'the same choice again at once' });
});

test('a late tap reopens a run that was over', () => {
  const trail = new Trail();
  trail.add(step('run.finished', { code: 'succeeded' }));
  trail.add(step('run.reopened'));
  expect(trail.over).toBe(false);
  trail.add(step('wait.restarted', { node: 'ask', visit: 1, port: 'reply:no', buttonId: 'no' }));
  expect(trail.lines.at(-1)?.kind).toBe('late');
});
