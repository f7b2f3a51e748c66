// What a trial of a flow begins with, beyond whom it is for: an example brings it, and it is kept in
// this browser, so that "start again" starts it the same way.

import type { Flow } from '../flow/model';

/** Begin is what POST /v1/flows/{flow}/runs takes beside the version. */
export interface Begin {
  trigger?: string;
  event?: unknown;
  vars?: Record<string, unknown>;
}

const key = (flow: string): string => `tapnode.try.${flow}`;

export function remember(flow: string, begin: Begin): void {
  try {
    if (Object.keys(begin).length === 0) localStorage.removeItem(key(flow));
    else localStorage.setItem(key(flow), JSON.stringify(begin));
  } catch {
    // Storage is closed to us: the flow starts by its own defaults.
  }
}

/** remembered leaves out what the flow, which may have been changed since, does not have any more. */
export function remembered(flow: Flow): Begin {
  let begin: Begin;
  try {
    begin = JSON.parse(localStorage.getItem(key(flow.metadata.id)) ?? '{}') as Begin;
  } catch {
    return {};
  }
  const vars = Object.fromEntries(Object.entries(begin.vars ?? {}).filter(([name]) => flow.vars?.properties?.[name] !== undefined));
  const known = flow.triggers.some((trigger) => trigger.id === begin.trigger);
  return { ...(known && { trigger: begin.trigger as string, event: begin.event }), ...(Object.keys(vars).length > 0 && { vars }) };
}
