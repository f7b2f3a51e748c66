// The host of an embedded form: another origin, which lets this page call when it was started with
// --origin. The token comes from the page's own server and is never written into markup.

import { ask, Refusal, type Of } from '../api/client';
import type { Host } from '../form/host';
import type { Instance, Operation } from '../form/types';
import { embed } from './words';

/** TokenSource is a token, or what gives one: asked again when the host no longer takes the last. */
export type TokenSource = string | (() => string | Promise<string>) | undefined;

const within = 15_000;

export class Remote implements Host {
  private token: string | undefined;

  constructor(
    private readonly base: string,
    private readonly source: TokenSource,
  ) {}

  operation = (id: string, signal: AbortSignal): Promise<Operation> => this.call('GET', this.path(id), undefined, signal);
  validate = (id: string, input: unknown, signal: AbortSignal): Promise<Of<'Validity'>> => this.call('POST', this.path(id, '/validate'), { input }, signal);
  preview = (id: string, input: unknown, signal: AbortSignal): Promise<Of<'Result'>> => this.call('POST', this.path(id, '/preview'), { input }, signal);
  ports = (id: string, input: unknown, signal: AbortSignal): Promise<Of<'Ports'>> => this.call('POST', this.path(id, '/ports'), { input }, signal);

  /** instances are those of the host that the token may see; a host or token without any gives none. */
  async instances(signal: AbortSignal): Promise<Instance[]> {
    try {
      const { instances } = await this.call<{ instances: { name: string; state?: string }[] }>('GET', '/v1/instances', undefined, signal);
      return instances.map((instance) => ({ name: instance.name, state: instance.state ?? '' }));
    } catch {
      return [];
    }
  }

  private path = (operation: string, what = ''): string => `/v1/operations/${encodeURIComponent(operation)}${what}`;

  private async call<T>(method: string, path: string, json: unknown, signal: AbortSignal): Promise<T> {
    const fresh = this.token === undefined;
    this.token ??= await this.fetchToken();
    try {
      const asked = { signal, within, headers: this.token === '' ? {} : { token: this.token }, ...(json === undefined ? {} : { json }) };
      return (await ask<T>(method, new URL(path, this.base).href, asked)).body;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (error.status === 401 && !fresh) {
        this.token = undefined;
        return this.call(method, path, json, signal);
      }
      throw error.status === 0 ? await this.why(error) : error;
    }
  }

  private async fetchToken(): Promise<string> {
    if (typeof this.source === 'function') return this.source();
    return this.source ?? '';
  }

  /** why tells a host that is not there from one that does not let this page call: an opaque request reaches only the second. */
  private async why(error: Refusal): Promise<Refusal> {
    try {
      await fetch(new URL('/healthz', this.base), { mode: 'no-cors', signal: AbortSignal.timeout(5000) });
    } catch {
      return new Refusal(0, error.code, embed().unreachable(this.base));
    }
    return new Refusal(0, 'origin_refused', embed().refused(location.origin));
  }
}

/** tokenFrom asks the page's own server: its answer is the token, as text or as {"token": …}. */
export async function tokenFrom(address: string): Promise<string> {
  const refused = new Refusal(0, 'no_token', embed().noToken(address));
  const answer = await fetch(address, { credentials: 'same-origin', signal: AbortSignal.timeout(within) }).catch(() => Promise.reject(refused));
  if (!answer.ok) throw refused;
  const text = (await answer.text()).trim();
  if (!text.startsWith('{')) return text;
  const { token } = JSON.parse(text) as { token?: unknown };
  if (typeof token !== 'string') throw refused;
  return token;
}
