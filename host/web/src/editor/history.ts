// What can be undone, over everything: edits on the canvas, in forms, in the outline and in the YAML are
// one line of texts. A text is at most 1 MiB, and all together are bounded, too.

export interface Moment {
  text: string;
  picked: readonly string[];
  what: string; // the change that led away from here, for "Undo: footer changed"
}

const most = 300;
const room = 24 << 20; // characters

export class History {
  #past: Moment[] = [];
  #future: Moment[] = [];
  #size = 0;
  #merge: string | null = null;
  #at = 0;

  get undo(): string | null {
    return this.#past.at(-1)?.what ?? null;
  }
  get redo(): string | null {
    return this.#future.at(-1)?.what ?? null;
  }

  /** left notes the moment before a change. Changes with the same merge key within two seconds are one: typing is undone by the word. */
  left(before: Moment, merge: string | null, now: number): void {
    this.#future = [];
    const joins = merge !== null && merge === this.#merge && now - this.#at < 2000 && this.#past.length > 0;
    this.#merge = merge;
    this.#at = now;
    if (joins) return;
    this.#past.push(before);
    this.#size += before.text.length;
    while (this.#past.length > most || (this.#size > room && this.#past.length > 1)) this.#size -= this.#past.shift()?.text.length ?? 0;
  }

  /** back and forth exchange the moment that is for the one before or after it. */
  back(now: Omit<Moment, 'what'>): Moment | null {
    const to = this.#past.pop();
    if (to === undefined) return null;
    this.#size -= to.text.length;
    this.#future.push({ ...now, what: to.what });
    this.#merge = null;
    return to;
  }

  forth(now: Omit<Moment, 'what'>): Moment | null {
    const to = this.#future.pop();
    if (to === undefined) return null;
    this.#past.push({ ...now, what: to.what });
    this.#size += now.text.length;
    this.#merge = null;
    return to;
  }
}
