// Package flows: the flows there are and the examples, kept up to date while the page is seen. What was shown stays
// when the host cannot be reached.

import { get, remove, post, Refusal, ask, type Of } from '../../api/client';
import { trouble } from '../../api/reach.svelte';
import type { Begin } from '../../phone/tryout';
import { poll } from '../../ui/poll';
import { keep } from './bring';

export type Listed = Of<'Listed'>;

export interface Example {
  id: string;
  name: string;
  summary?: string;
  source: string;
  people?: string[]; // whom it writes to
  start?: Begin; // what a run of it begins with
}

// Those that show most at a glance come first.
const first = ['menu', 'receipt', 'contact'];
const rank = (one: Example): number => (first.indexOf(one.id) + first.length + 1) % (first.length + 1);

/** Done is what happened elsewhere on the page and can be taken back. */
export interface Done {
  words: string;
  undo: () => Promise<void>;
}

const often = 10_000;

export class Flows {
  all = $state.raw<readonly Listed[] | null>(null);
  examples = $state.raw<readonly Example[] | null>(null);
  problem = $state(''); // in the server's words
  done = $state.raw<Done | null>(null);
  readonly #stop: () => void;

  constructor() {
    this.#stop = poll((signal) => this.look(signal), often);
  }

  close(): void {
    this.#stop();
  }

  get taken(): ReadonlySet<string> {
    return new Set((this.all ?? []).map((one) => one.flow));
  }

  async look(signal?: AbortSignal): Promise<void> {
    const asked = signal ? { signal } : {};
    try {
      const [{ flows }, examples] = await Promise.all([
        get<Of<'FlowList'>>('/v1/flows?state=all', asked),
        this.examples ?? this.#examples(asked),
      ]);
      this.all = flows.toSorted((a, b) => b.changed.localeCompare(a.changed));
      this.examples = examples;
      this.problem = '';
    } catch (error) {
      if (signal?.aborted) return;
      this.problem = trouble(error);
    }
  }

  async #examples(asked: { signal?: AbortSignal }): Promise<readonly Example[]> {
    try {
      return (await get<{ examples: Example[] }>('/v1/examples', asked)).examples.toSorted((a, b) => rank(a) - rank(b));
    } catch (error) {
      if (error instanceof Refusal && error.status === 404) return []; // an older host has none
      throw error;
    }
  }

  /** source is the newest text of a flow: its draft, else what is live, else what was. */
  async source(flow: Listed): Promise<string> {
    const path = `/v1/flows/${encodeURIComponent(flow.flow)}`;
    return (await ask<string>('GET', flow.draft ? `${path}/draft` : `${path}/versions/${(flow.published ?? flow).version}/source`)).body;
  }

  async retire(flow: Listed, words: string): Promise<void> {
    const path = `/v1/flows/${encodeURIComponent(flow.flow)}`;
    await post(`${path}/retire`);
    const version = flow.published?.version;
    this.#did(words, async () => {
      if (version !== undefined) await post(`${path}/versions/${version}/publish`);
    });
    await this.look();
  }

  async publish(flow: Listed): Promise<void> {
    await post(`/v1/flows/${encodeURIComponent(flow.flow)}/versions/${flow.version}/publish`);
    await this.look();
  }

  async dropDraft(flow: Listed, words: string): Promise<void> {
    const text = await this.source(flow);
    await remove(`/v1/flows/${encodeURIComponent(flow.flow)}/draft`);
    this.#did(words, () => keep(flow.flow, text));
    await this.look();
  }

  #did(words: string, undo: () => Promise<void>): void {
    this.done = {
      words,
      undo: async () => {
        this.done = null;
        await undo();
        await this.look();
      },
    };
  }
}
