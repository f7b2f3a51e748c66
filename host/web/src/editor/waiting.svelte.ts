import { get, type Of } from '../api/client';
import { rest } from '../ui/time';
import { editor as words } from './words';

const every = 5000;

/** Waiting says who waits where in the published flow, for the feet of the steps. It asks while the page is looked at. */
export class Waiting {
  #all: Of<'Wait'>[] = $state.raw([]);
  #now = $state(new Date());
  #timer: ReturnType<typeof setInterval> | undefined;
  #busy = false;

  constructor(readonly flow: string) {}

  start(): void {
    void this.#look();
    this.#timer = setInterval(() => !document.hidden && void this.#look(), every);
  }
  stop(): void {
    clearInterval(this.#timer);
  }

  /** at is how many runs wait at a step of what is published. */
  at(node: string): number {
    return this.#all.filter((wait) => wait.node === node).length;
  }

  foot(node: string): string {
    const here = this.#all.filter((wait) => wait.node === node);
    const first = here.map((wait) => wait.deadline).filter((one) => one !== undefined).sort()[0];
    if (here.length === 0 || first === undefined) return '';
    const left = rest(new Date(first), this.#now);
    return here.length === 1 ? words().waits(left) : words().waitMany(here.length, left);
  }

  async #look(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    try {
      this.#all = (await get<Of<'WaitList'>>(`/v1/waits?flow=${encodeURIComponent(this.flow)}&limit=100`)).waits;
    } catch {
      // The feet stay as they were.
    }
    this.#now = new Date();
    this.#busy = false;
  }
}
