import { expect, test } from 'vitest';
import { look, part, sorted, type Instance } from './state';

const at = '2026-11-26T10:00:00Z';
const one = (state: string, more: Partial<Instance> = {}): Instance => ({ name: state, state, phone: null, pushName: null, createdAt: at, ...more });
const trouble = (code: string, until?: string) => ({ lastError: { code, message: code, at, ...(until === undefined ? {} : { until }) } });

test('each state has its next step', () => {
  const seen = [
    one('connected'),
    one('connected', { newContacts: { reason: 'new_chats_locked', since: at, until: at } }),
    one('connected', trouble('storage')),
    one('connecting', trouble('unreachable', at)),
    one('logged_out', trouble('logged_out')),
    one('banned', trouble('banned', at)),
    one('replaced', trouble('replaced')),
    one('replaced', trouble('lease_lost')),
    one('disconnected', trouble('client_outdated')),
    one('disconnected'),
    one('new'),
    one('a state of tomorrow'),
  ].map((instance) => [look(instance).title, look(instance).action, look(instance).hint, look(instance).rank]);
  expect(seen).toEqual([
    ['connected', 'disconnect', null, 2],
    ['paused', 'resume', 'again', 0],
    ['troubled', 'disconnect', 'storage', 0],
    ['connecting', 'disconnect', 'network', 1],
    ['loggedOut', 'pair', 'phone', 0],
    ['banned', null, 'ban', 0],
    ['replaced', 'connect', 'stopOther', 0],
    ['replaced', 'connect', 'owner', 0],
    ['stopped', 'connect', 'update', 0],
    ['disconnected', 'connect', null, 3],
    ['new', 'pair', null, 3],
    ['other', 'connect', null, 0],
  ]);
});

test('what needs somebody comes first', () => {
  expect(sorted([one('new'), one('connected'), one('connecting'), one('banned')]).map((i) => i.name)).toEqual(['banned', 'connecting', 'connected', 'new']);
});

test('a part of a time stays between nothing and all', () => {
  const end = '2026-11-26T12:00:00Z';
  expect([Date.parse(at) - 1, Date.parse(at) + 3_600_000, Date.parse(end) + 1].map((now) => part(at, end, now))).toEqual([0, 0.5, 1]);
  expect(part(end, end, Date.parse(end))).toBe(0);
});
