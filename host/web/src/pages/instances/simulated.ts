// The phone of an instance in simulated mode: an account of its own on the simulator, which scans,
// types and answers as a person would.

import { get, post, Refusal } from '../../api/client';

interface Account {
  number: string;
  name: string;
  kind: string;
  devices: unknown[];
}

const first = 5511300000000; // as the host counts for the instances that it pairs itself

/** phoneOf is the number an instance has had, or that of an account of its name that is free, or a new one. */
export async function phoneOf(instance: string, had: string | null): Promise<string> {
  const all = await get<Account[]>('/sim/v1/accounts');
  const known = all.find((account) => account.kind === 'account' && (had === null ? account.name === instance && account.devices.length === 1 : account.number === had));
  if (known) return known.number;
  const taken = new Set(all.map((account) => account.number));
  let next = first;
  while (taken.has(String(next))) next++;
  return (await post<Account>('/sim/v1/accounts', { number: String(next), name: instance })).number;
}

/** scan waits as long as the phone does: with a passkey the answer comes after the second step. */
export const scan = (number: string, qr: string): Promise<unknown> => post(`/sim/v1/accounts/${number}/scan`, { qr }, { within: 180_000 });

export const type = (number: string, code: string): Promise<unknown> => post(`/sim/v1/accounts/${number}/code`, { code }, { within: 180_000 });

/** prove is what the account's authenticator says to a request; null if it has none. */
export async function prove(number: string, request: object): Promise<object | null> {
  try {
    return await post<object>(`/sim/v1/accounts/${number}/passkey`, request);
  } catch (error) {
    if (error instanceof Refusal && error.status === 409) return null;
    throw error;
  }
}

/** owner is the account whose phone is being linked to an instance. */
export async function owner(instance: string): Promise<string | null> {
  const all = await get<Account[]>('/sim/v1/accounts');
  return all.find((account) => account.kind === 'account' && account.name === instance)?.number ?? null;
}
