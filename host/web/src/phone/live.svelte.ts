// Package live follows one run: what it has done, line by line as it happens, and where it is.
//
// It guarantees that no step is missed or told twice, over any number of lost connections and restarts
// of the host, and that a run that was over is followed again when somebody taps an old message.

import { get, Refusal, type Of } from '../api/client';
import { follow } from '../api/follow';
import { may } from '../app/session.svelte';
import { Trail, type RunStatus, type Step, type TraceLine } from './trail';
import { world } from './world.svelte';

export interface Wait {
  node: string;
  until: string | null;
}

// A run that is over may go on with a tap that was made a moment ago, also one from before its end: the
// host has to hear of it first.
const looks = [150, 600, 2_000];

export class LiveRun {
  visited = $state.raw<ReadonlyMap<string, number>>(new Map());
  taken = $state.raw<ReadonlySet<string>>(new Set());
  waits = $state.raw<readonly Wait[]>([]);
  lines = $state.raw<readonly TraceLine[]>([]);
  at = $state<string | null>(null);
  status = $state<RunStatus>('running');
  started = $state('');
  lost = $state(false);
  problem = $state(''); // in the server's words: there is no such run
  readonly #trail = new Trail();
  readonly #stop = new AbortController();
  readonly #path: string;
  #told = false;
  #following = false;
  #looking = false;
  #look = looks.length; // the next one; a tap begins them anew

  constructor(readonly run: string) {
    this.#path = `/v1/runs/${encodeURIComponent(run)}`;
    const deaf = world.acted(() => {
      this.#look = 0;
      void this.#again();
    });
    this.#stop.signal.addEventListener('abort', deaf);
    void this.#follow();
  }

  stop(): void {
    this.#stop.abort();
  }

  async #follow(): Promise<void> {
    if (this.#following || this.#stop.signal.aborted) return;
    this.#following = true;
    try {
      await follow(`${this.#path}/steps${may('reveal') ? '?reveal=true' : ''}`, {
        signal: this.#stop.signal,
        last: this.#trail.last === 0 ? '' : String(this.#trail.last),
        over: () => this.#trail.over,
        on: ({ data }) => {
          this.#trail.add(data as Step);
          this.#tell();
        },
        onopen: () => (this.lost = false),
        onlost: () => (this.lost = true),
      });
    } catch (error) {
      if (error instanceof Refusal) this.problem = error.message;
      else throw error;
    } finally {
      this.#following = false;
    }
    void this.#again();
  }

  /** again follows a run that is over after each tap, if it goes on. */
  async #again(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    for (let wait; !this.#following && this.#trail.over && (wait = looks[this.#look]) !== undefined; ) {
      this.#look++;
      await new Promise((done) => setTimeout(done, wait));
      await this.#follow();
    }
    this.#looking = false;
  }

  /** tell shows what the steps of one moment have changed, all at once. */
  #tell(): void {
    if (this.#told) return;
    this.#told = true;
    setTimeout(() => {
      this.#told = false;
      const trail = this.#trail;
      this.visited = new Map(trail.visited);
      this.taken = new Set(trail.taken);
      this.lines = trail.lines;
      this.at = trail.at;
      this.status = trail.status;
      this.started = trail.started;
      const before = this.waits.map((one) => one.node).join();
      const nodes = [...new Set(trail.waiting.values())];
      this.waits = nodes.map((node) => ({ node, until: this.waits.find((one) => one.node === node)?.until ?? null }));
      if (nodes.join() !== before || trail.lines.length === 1) void this.#ask();
    }, 0);
  }

  /** ask asks until when the run waits, and what began it: steps do not say that. */
  async #ask(): Promise<void> {
    try {
      const history = await get<Of<'History'>>(this.#path, { signal: this.#stop.signal });
      this.#trail.beganBy(history.trigger);
      this.taken = new Set(this.#trail.taken);
      this.waits = this.waits.map(({ node }) => ({ node, until: history.pending?.find((one) => one.kind === 'timeout' && one.node === node)?.due ?? null }));
    } catch (error) {
      if (!(error instanceof Refusal) && !this.#stop.signal.aborted) throw error; // it is known without, and asked for at the next wait
    }
  }
}

export default LiveRun;
