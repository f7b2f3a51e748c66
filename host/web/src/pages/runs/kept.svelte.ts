// One run as the host keeps it, and as it goes on: its history is asked for when a step has come.

import { get, post, Refusal, said, type Of } from '../../api/client';
import { trouble } from '../../api/reach.svelte';
import { follow } from '../../api/follow';
import { read } from '../../flow/document';
import type { Flow } from '../../flow/model';
import { Trail, type Step } from '../../phone/trail';

type History = Of<'History'>;

export class Kept {
  history = $state.raw<History | null>(null);
  trail = $state.raw(new Trail());
  flow = $state.raw<Flow | null>(null); // of the version that ran
  drawable = $state(true);
  problem = $state('');
  missing = $state(false);
  refused = $state(''); // what was asked for and not done
  busy = $state('');
  readonly #stop = new AbortController();
  readonly #path: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #following = false;

  constructor(readonly run: string, readonly reveal: () => boolean) {
    this.#path = `/v1/runs/${encodeURIComponent(run)}`;
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
  }

  async load(): Promise<void> {
    try {
      this.#show(await get<History>(this.#path + this.#query(), { signal: this.#stop.signal }));
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.missing = error instanceof Refusal && error.status === 404;
      this.problem = trouble(error);
      return;
    }
    if (this.flow === null && this.drawable) void this.#draw();
    void this.#follow();
  }

  async act(verb: 'retry' | 'resume' | 'cancel', body?: object): Promise<void> {
    if (this.busy !== '') return;
    this.busy = verb;
    this.refused = '';
    try {
      this.#show(await post<History>(`${this.#path}/${verb}${this.#query()}`, body));
      void this.#follow();
    } catch (error) {
      this.refused = said(error);
    }
    this.busy = '';
  }

  readonly #query = (): string => (this.reveal() ? '?reveal=true' : '');

  #show(history: History): void {
    const trail = new Trail();
    trail.beganBy(history.trigger);
    for (const step of history.steps ?? []) trail.add(step as Step);
    this.history = history;
    this.trail = trail;
    this.problem = '';
  }

  async #draw(): Promise<void> {
    const { flow, version } = this.history as History;
    try {
      this.flow = read(await get<string>(`/v1/flows/${encodeURIComponent(flow)}/versions/${version}/source`, { signal: this.#stop.signal })).flow;
    } catch {
      this.flow = null;
    }
    this.drawable = this.flow !== null;
  }

  /** follow asks anew a moment after a step has come, until the run is over. */
  async #follow(): Promise<void> {
    if (this.#following || this.trail.over) return;
    this.#following = true;
    try {
      await follow(`${this.#path}/steps`, {
        signal: this.#stop.signal,
        last: String(this.trail.last),
        over: () => true,
        on: () => {
          clearTimeout(this.#timer);
          this.#timer = setTimeout(() => void this.load(), 150);
        },
      });
    } catch {
      // It is shown as it was; the list says what is wrong with the host.
    }
    this.#following = false;
  }
}
