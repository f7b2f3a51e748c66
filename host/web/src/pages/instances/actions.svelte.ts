// What can be done to an instance, and what is open over the page: a pairing, a question.

import { post, remove, said } from '../../api/client';
import type { Instance } from './state';

type Verb = 'connect' | 'reconnect' | 'disconnect' | 'logout' | 'resume';
type Open = { what: 'pair'; by: 'qr' | 'code'; instance: Instance } | { what: 'logout' | 'delete'; instance: Instance } | { what: 'new'; by: 'qr' | 'code' };

export class Actions {
  open = $state.raw<Open | null>(null);
  busy = $state<Record<string, boolean>>({});
  problems = $state<Record<string, string>>({});

  constructor(readonly changed: () => void) {}

  /** act does it, and says at the instance what was refused; it answers whether it was done. */
  async act(verb: Verb | 'delete', name: string): Promise<boolean> {
    if (this.busy[name]) return false;
    this.busy[name] = true;
    this.problems[name] = '';
    const path = `/v1/instances/${encodeURIComponent(name)}`;
    let done = true;
    try {
      // A paired instance has nothing to show, so its connecting needs no stream.
      if (verb === 'delete') await remove(path);
      else await post(`${path}/${verb}`, verb === 'connect' || verb === 'reconnect' ? {} : undefined, { within: 90_000 });
    } catch (error) {
      this.problems[name] = said(error);
      done = false;
    }
    this.busy[name] = false;
    this.changed();
    return done;
  }
}
