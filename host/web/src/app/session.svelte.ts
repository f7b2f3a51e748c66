// Package session: who is signed in, and what they may do. The cookie is the host's and out of reach here.

import { ask, get, onSignedOut, post, Refusal } from '../api/client';

export interface Session {
  name?: string;
  scopes: string[];
  instances?: string[] | null;
  simulated: boolean;
  picture?: string; // the simulation's
  version: string;
  until?: string;
}

const state = $state<{ session: Session | null; known: boolean; reachable: boolean }>({ session: null, known: false, reachable: true });

export const session = (): Session | null => state.session;
/** known is false until the host has said whether somebody is signed in. */
export const known = (): boolean => state.known;
export const reachable = (): boolean => state.reachable;
export const may = (scope: string): boolean => state.session?.scopes.includes(scope) ?? false;

onSignedOut(() => (state.session = null));

export async function look(): Promise<void> {
  try {
    state.session = await get<Session>('/v1/session');
    state.reachable = true;
  } catch (error) {
    state.reachable = !(error instanceof Refusal && error.status === 0);
    if (state.reachable) state.session = null; // who is there stays, also without the host
  }
  state.known = true;
}

/** signIn takes the code of a sign-in link, or a token. */
export async function signIn(with_: { code: string } | { token: string }): Promise<void> {
  await post('/v1/session', with_);
  await look();
}

export async function signOut(): Promise<void> {
  await ask('DELETE', '/v1/session');
  state.session = null;
}
