// A pairing: the way of an instance to its phone, told by the host as it goes. Leaving the page, or the
// dialog, ends it; an instance that is paired needs nobody.

import { post, problem, Refusal, said } from '../../api/client';
import { stream } from '../../api/stream';

export type Stage = 'starting' | 'qr' | 'code' | 'passkey' | 'confirm' | 'paired' | 'connecting' | 'done' | 'failed';

interface Progress {
  qr?: string;
  code?: string;
  expiresAt?: string;
  passkey?: object;
}

export const patience = 170; // s; the other side stops after about 160

export class Pairing {
  stage = $state<Stage>('starting');
  qr = $state('');
  code = $state('');
  shown = $state(0); // when this code came
  expires = $state(0);
  ends = $state(0);
  passkey = $state.raw<object | null>(null);
  why = $state('');
  #stop = new AbortController();

  constructor(readonly instance: string) {}

  readonly path = (verb: string): string => `/v1/instances/${encodeURIComponent(this.instance)}/${verb}`;

  /** start asks for what the phone needs; a pairing that runs is ended first. */
  async start(method: 'qr' | 'code', phone?: string): Promise<void> {
    this.stop();
    const { signal } = (this.#stop = new AbortController());
    this.stage = 'starting';
    this.why = this.code = this.qr = '';
    this.ends = Date.now() + patience * 1000;
    try {
      const json = { method, timeout: patience, ...(phone === undefined ? {} : { phone }) };
      for await (const told of stream('POST', this.path('connect'), { json, signal })) {
        if (signal.aborted) return;
        if (this.#hear(told.event, told.data)) return;
      }
      throw new Refusal(0, 'unreachable', 'No connection to the server.');
    } catch (error) {
      if (signal.aborted) return;
      this.stage = 'failed';
      this.why = said(error);
    }
  }

  stop(): void {
    this.#stop.abort();
  }

  /** answer hands over what the authenticator said. */
  readonly answer = (response: object): Promise<unknown> => post(this.path('passkey'), { response });

  /** agree says that the phone shows the same code. */
  readonly agree = (): Promise<unknown> => post(this.path('passkey'), { confirm: true });

  /** #hear says whether that was the end. */
  #hear(event: string, data: unknown): boolean {
    if (event === 'problem') throw problem((data as { status?: number }).status ?? 500, data);
    if (event === 'result') {
      this.stage = 'done';
      return true;
    }
    const { stage, data: step = {} } = data as { stage?: Stage; data?: Progress };
    if (stage === undefined) return false;
    this.stage = stage;
    this.qr = step.qr ?? this.qr;
    this.code = step.code ?? this.code;
    this.passkey = step.passkey ?? this.passkey;
    this.shown = Date.now();
    this.expires = step.expiresAt === undefined ? 0 : Date.parse(step.expiresAt);
    return false;
  }
}
