// What an instance's state means to a person: how urgent it is, what it looks like, and the one next step.

import type { IconName } from '../../ui/icons';

export interface Trouble {
  code: string;
  message: string;
  at: string;
  until?: string;
}

/** Instance is one as GET /v1/instances describes it. */
export interface Instance {
  name: string;
  state: string;
  phone: string | null;
  pushName: string | null;
  createdAt: string;
  connectedAt?: string | null;
  newContacts?: { reason: string; since: string; until: string } | null;
  lastError?: Trouble | null;
}

export type Action = 'pair' | 'connect' | 'resume' | 'disconnect';

/** Title names a state in words; Hint what to do about it. */
export type Title = 'connected' | 'paused' | 'troubled' | 'connecting' | 'pairing' | 'new' | 'disconnected' | 'stopped' | 'loggedOut' | 'banned' | 'replaced' | 'other';
export type Hint = 'network' | 'alone' | 'phone' | 'update' | 'owner' | 'stopOther' | 'ban' | 'again' | 'storage' | 'twice';

export interface Look {
  title: Title;
  tone: '' | 'wait' | 'warn' | 'error';
  icon: IconName | null; // null is the dot of what is under way
  action: Action | null;
  hint: Hint | null;
  until: string | null;
  since: string | null;
  rank: number; // 0 needs somebody, 1 is under way, 2 works, 3 is at rest
}

const hints: Record<string, Hint> = {
  unreachable: 'network', untrusted_server: 'network', slow_down: 'alone', connection_lost: 'alone', not_delivering: 'alone', keepalive: 'alone',
  refused: 'phone', connect_failure: 'phone', client_outdated: 'update', lease_lost: 'owner', lease_unclaimed: 'owner', unstable: 'stopOther', storage: 'storage', same_account: 'twice',
};

export function look(of: Instance): Look {
  const trouble = of.lastError ?? null;
  const at = { until: trouble?.until ?? null, since: trouble?.at ?? null, hint: trouble === null ? null : (hints[trouble.code] ?? null) };
  switch (of.state) {
    case 'connected':
      if (of.newContacts) return { ...at, title: 'paused', tone: 'warn', icon: 'warn', action: 'resume', hint: 'again', until: of.newContacts.until, since: of.newContacts.since, rank: 0 };
      if (trouble !== null) return { ...at, title: 'troubled', tone: 'warn', icon: 'warn', action: 'disconnect', rank: trouble.code === 'keepalive' ? 1 : 0 };
      return { title: 'connected', tone: '', icon: 'check', action: 'disconnect', hint: null, until: null, since: of.connectedAt ?? null, rank: 2 };
    case 'connecting':
      return { ...at, title: 'connecting', tone: 'wait', icon: null, action: 'disconnect', rank: 1 };
    case 'pairing':
      return { ...at, title: 'pairing', tone: 'wait', icon: null, action: 'pair', rank: 1 };
    case 'new':
      return { ...at, title: 'new', tone: '', icon: 'device', action: 'pair', rank: 3 };
    case 'logged_out':
      return { ...at, title: 'loggedOut', tone: 'error', icon: 'error', action: 'pair', hint: 'phone', rank: 0 };
    case 'banned':
      return { ...at, title: 'banned', tone: 'error', icon: 'pause', action: null, hint: 'ban', rank: 0 };
    case 'replaced':
      return { ...at, title: 'replaced', tone: 'error', icon: 'sync', action: 'connect', hint: trouble?.code === 'lease_lost' ? 'owner' : 'stopOther', rank: 0 };
    case 'disconnected':
      if (trouble !== null) return { ...at, title: 'stopped', tone: 'error', icon: 'error', action: 'connect', rank: 0 };
      return { ...at, title: 'disconnected', tone: '', icon: 'offline', action: 'connect', rank: 3 };
    default: // a node that is newer than this page
      return { ...at, title: 'other', tone: 'warn', icon: 'info', action: 'connect', rank: 0 };
  }
}

/** part is how much of a stretch of time is over, of 1. */
export const part = (since: string, until: string, now: number): number =>
  Math.min(1, Math.max(0, (now - Date.parse(since)) / Math.max(1, Date.parse(until) - Date.parse(since))));

/** sorted puts first what needs somebody; names decide else. */
export const sorted = (all: readonly Instance[]): Instance[] => [...all].sort((a, b) => look(a).rank - look(b).rank || a.name.localeCompare(b.name));
