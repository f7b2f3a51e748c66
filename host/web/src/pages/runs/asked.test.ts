import { expect, test } from 'vitest';
import { address, askedIn, request, runId } from './asked';

const now = Date.parse('2026-11-26T12:00:00Z');
const of = (query: string): string => request(askedIn(new URLSearchParams(query)), ['menu'], now, false);

test('what was typed is a customer, a message or a flow that is known', () => {
  expect(of('q=%2B55 11 99999-0001')).toBe('/v1/runs?limit=50&about=%2B55+11+99999-0001');
  expect(of('q=menu')).toBe('/v1/runs?limit=50&flow=menu');
  expect(of('q=menu&flow=receipt')).toBe('/v1/runs?limit=50&about=menu&flow=receipt');
  expect(of('trial=true')).toBe('/v1/runs?limit=50&trial=true');
  expect(of('node=ask')).toBe('/v1/runs?limit=50'); // a step belongs to a flow
  expect(of('flow=menu&node=ask&status=running&since=day')).toBe('/v1/runs?limit=50&flow=menu&node=ask&status=running&since=2026-11-25T12%3A00%3A00.000Z');
  expect(runId(' raeytkkkrwkqcluvccml4va67qw ')).toBe('raeytkkkrwkqcluvccml4va67qw');
  expect(runId('reply')).toBe(null);
});

test('the address keeps what is asked, and drops what nobody knows', () => {
  expect(address(askedIn(new URLSearchParams('q=1&since=never&x=y&status=failed')))).toBe('?q=1&status=failed');
  expect(address(askedIn(new URLSearchParams()))).toBe('');
});
