import { ask, get, post, Refusal, type Of } from '../api/client';
import type { Finding } from '../flow/model';

type Version = Of<'Version'>;

/** Kept is what this browser keeps of a draft until the host has it: a crash or a reload loses nothing. */
interface Kept {
  text: string;
  base: string | null; // the ETag it was made from
  at: number;
}

const key = (flow: string): string => `tapnode.draft.${flow}`;
const pause = 600; // ms without a change before the draft is sent
const again = 3000;

export type Saving = 'saved' | 'saving' | 'waiting' | 'refused';

/**
 * Draft keeps what is edited: at once in this browser, soon on the host. Two tabs or people on one draft
 * are told by the ETag; then nothing is written until somebody has decided.
 */
export class Draft {
  state: Saving = $state('saved');
  savedAt: Date | null = $state(null);
  problem = $state('');
  conflict: { text: string; etag: string | null; changed?: string } | null = $state.raw(null);
  versions: Version[] = $state.raw([]);
  #etag: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #wanted: string | null = null;
  #running: Promise<void> | null = null;
  #closed = false;

  constructor(readonly flow: string) {}

  get live(): Version | undefined {
    return this.versions.find((version) => version.state === 'published');
  }
  get draft(): Version | undefined {
    return this.versions.find((version) => version.state === 'draft');
  }

  /** load gives the text to edit: what this browser kept and the host has not got, the draft, or what is live. */
  async load(signal: AbortSignal): Promise<string> {
    await this.look(signal);
    const where = this.draft ? `${this.#path}/draft` : `${this.#path}/versions/${(this.live ?? this.versions[0])?.version ?? 1}/source`;
    const { body, etag } = await ask<string>('GET', where, { signal });
    this.#etag = this.draft ? etag : null;
    if (this.draft) this.savedAt = new Date(this.draft.changed);
    const kept = this.#kept();
    if (kept === null || kept.text === body) {
      this.#forget();
      return body;
    }
    if (kept.base === this.#etag) {
      this.change(kept.text);
      return kept.text;
    }
    this.conflict = { text: body, etag: this.#etag };
    return kept.text;
  }

  async look(signal?: AbortSignal): Promise<void> {
    this.versions = (await get<{ versions: Version[] }>(`${this.#path}/versions`, signal ? { signal } : {})).versions;
  }

  /** change keeps a text here, and sends it when it has rested for a moment. */
  change(text: string): void {
    this.#wanted = text;
    try {
      localStorage.setItem(key(this.flow), JSON.stringify({ text, base: this.#etag, at: Date.now() } satisfies Kept));
    } catch {
      // No room in this browser: the host's draft is what there is.
    }
    if (this.conflict !== null) return;
    this.state = 'saving';
    this.#later(pause);
  }

  /** flush sends what waits, and returns when the host has it. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#running !== null) await this.#running;
    if (this.#wanted !== null && this.conflict === null) await this.#send();
    if (this.#wanted !== null) throw new Refusal(0, 'unsaved', this.problem || 'The draft could not be saved.');
  }

  /** keepMine writes over what the other has saved; takeTheirs gives its text. */
  async keepMine(text: string): Promise<void> {
    this.#etag = this.conflict?.etag ?? null;
    this.conflict = null;
    this.change(text);
    await this.flush();
  }

  takeTheirs(): string {
    const { text, etag } = this.conflict ?? { text: '', etag: null };
    this.#etag = etag;
    this.conflict = null;
    this.#wanted = null;
    this.#forget();
    this.state = 'saved';
    return text;
  }

  /** publish makes the draft live, and gives the warnings. */
  async publish(): Promise<Finding[]> {
    await this.flush();
    await this.look();
    const draft = this.draft;
    if (draft === undefined) return [];
    const { findings } = await post<{ findings?: Finding[] | null }>(`${this.#path}/versions/${draft.version}/publish`);
    this.#etag = null;
    await this.look();
    return findings ?? [];
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (this.#wanted !== null && this.conflict === null && this.#running === null) void this.#send();
  }

  get #path(): string {
    return `/v1/flows/${encodeURIComponent(this.flow)}`;
  }

  #later(ms: number): void {
    clearTimeout(this.#timer);
    if (!this.#closed) this.#timer = setTimeout(() => void this.#send(), ms);
  }

  #send(): Promise<void> {
    this.#running ??= this.#put().finally(() => (this.#running = null));
    return this.#running;
  }

  async #put(): Promise<void> {
    const text = this.#wanted;
    if (text === null || this.conflict !== null) return;
    this.state = 'saving';
    try {
      const headers: Record<string, string> = this.#etag === null ? { 'If-None-Match': '*' } : { 'If-Match': this.#etag };
      const { etag, body } = await ask<Version>('PUT', `${this.#path}/draft`, { text, headers });
      this.#etag = etag;
      if (body.state !== 'draft') this.#etag = null; // it is what is live already
      this.problem = '';
      this.savedAt = new Date();
      if (this.#wanted === text) {
        this.#wanted = null;
        this.state = 'saved';
        this.#forget();
      } else this.#later(pause);
    } catch (error) {
      await this.#failed(error);
    }
  }

  async #failed(error: unknown): Promise<void> {
    const refusal = error instanceof Refusal ? error : new Refusal(0, 'unreachable', String(error));
    if (refusal.status === 412) {
      const theirs = await ask<string>('GET', `${this.#path}/draft`).catch(() => null);
      if (theirs !== null) {
        this.conflict = { text: theirs.body, etag: theirs.etag };
        this.state = 'refused';
        return;
      }
      this.#etag = null; // the draft has gone: it was published or deleted
    }
    this.problem = refusal.message;
    const passing = refusal.status === 0 || refusal.status === 412 || refusal.status === 429 || refusal.status >= 500;
    this.state = passing ? 'waiting' : 'refused';
    if (passing) this.#later(again);
  }

  #kept(): Kept | null {
    try {
      const raw = localStorage.getItem(key(this.flow));
      return raw === null ? null : (JSON.parse(raw) as Kept);
    } catch {
      return null;
    }
  }

  #forget(): void {
    try {
      localStorage.removeItem(key(this.flow));
    } catch {
      // Nothing is kept where nothing can be.
    }
  }
}
