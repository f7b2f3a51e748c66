// The run that the phone and the canvas show when a flow is opened: the one that this tab has shown last, or
// else the newest of the draft.

import { get, type Of } from '../api/client';

const key = (flow: string): string => `tapnode.run.${flow}`;

export function keepRun(flow: string, run: string): void {
  try {
    sessionStorage.setItem(key(flow), run);
  } catch {
    // Storage is closed to us: a reload shows the newest of the draft.
  }
}

export async function lastRun(flow: string): Promise<string | null> {
  try {
    const kept = sessionStorage.getItem(key(flow));
    if (kept !== null) return kept;
  } catch {
    // The host knows one.
  }
  const query = new URLSearchParams({ flow, trial: 'true', limit: '1' });
  return (await get<Of<'RunList'>>(`/v1/runs?${query}`)).runs?.[0]?.run ?? null;
}
