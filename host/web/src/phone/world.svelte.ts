// Package world: the people of the simulator, their phones and what these show, as one stream tells it.
//
// It guarantees that what is shown is what the simulator says, also after a lost connection. When the
// simulator was started anew, its people get their phones back, and the messages that they had stay
// to be read and tapped. Nothing here is kept beyond the page; lists are bounded.

import { SvelteMap } from 'svelte/reactivity';
import { post, Refusal } from '../api/client';
import { follow } from '../api/follow';
import { keep, type Account, type Button, type Group, type Person, type Shown } from './shown';

const most = 500; // messages of one phone
const control = '/sim/v1/';

class World {
  state = $state<'opening' | 'ready' | 'lost' | 'off'>('opening');
  people = $state.raw<readonly Person[]>([]);
  groups = $state.raw<readonly Group[]>([]);
  accounts = $state.raw<readonly Account[]>([]);
  readonly chats = new SvelteMap<string, readonly Shown[]>(); // by whose phone
  readonly #byId = new SvelteMap<string, Shown>();
  readonly #hearing = new Set<() => void>();
  #simulator = '';
  #watchers = 0;
  #stop = new AbortController();

  /** watch keeps the world up to date until what it returns is called. */
  watch(): () => void {
    if (this.#watchers++ === 0) void this.#follow();
    return () => {
      if (--this.#watchers === 0) this.#stop.abort();
    };
  }

  /** acted hears of whatever is done on a phone from here. */
  acted(listener: () => void): () => void {
    this.#hearing.add(listener);
    return () => this.#hearing.delete(listener);
  }

  /** find is the message of an id, if a phone shows it. */
  find = (id: string | undefined): Shown | undefined => (id === undefined ? undefined : this.#byId.get(id));

  person = (number: string): Person | undefined => this.people.find((one) => one.number === number);

  /** name is how people call a number. */
  name = (number: string): string => this.person(number)?.name ?? this.accounts.find((one) => one.number === number)?.name ?? number;

  messages = (number: string): readonly Shown[] => this.chats.get(number) ?? [];

  async tap(message: Shown, button: Button): Promise<void> {
    const past = message.past ? { chat: message.chat, displayText: button.displayText } : {};
    await this.#do(`phones/${message.phone}/click`, { buttonId: button.id, messageId: message.id, ...past });
  }

  say = (person: string, to: string, text: string): Promise<void> => this.#do(`phones/${person}/text`, { to, text });
  read = (person: string, chat: string): Promise<void> => this.#do(`phones/${person}/read`, { chat });
  online = (person: string, on: boolean): Promise<void> => this.#do(`phones/${person}/${on ? 'connect' : 'disconnect'}`);
  receipts = (person: string, readReceipts: boolean): Promise<void> => this.#do(`phones/${person}/settings`, { readReceipts });
  disappearing = (person: string, chat: string, seconds: number): Promise<void> => this.#do(`phones/${person}/settings`, { disappearing: { chat, seconds } });
  addPerson = (number: string, name: string): Promise<void> => this.#do('phones', { number, ...(name !== '' && { name }) });
  addGroup = (subject: string, members: readonly string[]): Promise<void> => this.#do('groups', { subject, members });

  picture = (message: Shown): string => `${control}phones/${message.phone}/media/${encodeURIComponent(message.id)}`;

  async #do(path: string, json?: unknown): Promise<void> {
    await post(control + path, json, { within: 35_000 }); // the simulator gives up after 30 s
    for (const listener of this.#hearing) listener();
  }

  async #follow(): Promise<void> {
    this.#stop = new AbortController();
    let fresh: Fresh | null = null;
    try {
      await follow(`${control}watch?limit=200`, {
        signal: this.#stop.signal,
        on: ({ event, data }) => {
          if (event === 'opened') fresh = new Fresh((data as { simulator: string }).simulator);
          else if (fresh !== null && event !== 'ready') fresh.take(event, data);
          else if (fresh !== null) {
            this.#become(fresh);
            fresh = null;
          } else this.#take(event, data);
        },
        onlost: () => (this.state = 'lost'),
      });
    } catch {
      this.state = 'off'; // it answers to the machine it runs on only
    }
  }

  #take(event: string, data: unknown): void {
    if (event === 'phone') this.people = put(this.people, data as Person, (one) => one.number);
    else if (event === 'account') this.accounts = put(this.accounts, data as Account, (one) => one.number);
    else if (event === 'group') this.groups = put(this.groups, data as Group, (one) => one.jid);
    else if (event === 'message') this.#show(data as Shown);
  }

  #show(one: Shown): void {
    const before = this.messages(one.phone);
    const after = keep(before, one, most);
    this.chats.set(one.phone, after);
    this.#byId.set(one.id, one);
    if (before.length === most && after.length === most && before[0] !== after[0] && before[0]) this.#byId.delete(before[0].id);
  }

  /** become takes what a connection begins with: how everything is. */
  #become(fresh: Fresh): void {
    const renewed = this.#simulator !== '' && this.#simulator !== fresh.simulator;
    const before = renewed ? { people: this.people, chats: new Map(this.chats) } : null;
    this.#simulator = fresh.simulator;
    this.people = [...fresh.people.values()];
    this.groups = [...fresh.groups.values()];
    this.accounts = [...fresh.accounts.values()];
    this.chats.clear();
    this.#byId.clear();
    for (const list of before?.chats.values() ?? []) for (const one of list) this.#show({ ...one, past: true });
    for (const one of fresh.messages) this.#show(one);
    this.state = 'ready';
    for (const one of before?.people ?? []) if (this.person(one.number) === undefined) void this.#bringBack(one);
  }

  async #bringBack(one: Person): Promise<void> {
    try {
      await this.addPerson(one.number, one.name);
    } catch (error) {
      if (!(error instanceof Refusal && error.status === 409)) throw error; // 409: the host was quicker
    }
  }
}

/** Fresh is what a connection begins with, until it is whole. */
class Fresh {
  readonly people = new Map<string, Person>();
  readonly groups = new Map<string, Group>();
  readonly accounts = new Map<string, Account>();
  readonly messages: Shown[] = [];

  constructor(readonly simulator: string) {}

  take(event: string, data: unknown): void {
    if (event === 'phone') this.people.set((data as Person).number, data as Person);
    else if (event === 'account') this.accounts.set((data as Account).number, data as Account);
    else if (event === 'group') this.groups.set((data as Group).jid, data as Group);
    else if (event === 'message') this.messages.push(data as Shown);
  }
}

function put<T>(list: readonly T[], one: T, key: (one: T) => string): readonly T[] {
  const at = list.findIndex((other) => key(other) === key(one));
  return at < 0 ? [...list, one] : list.with(at, one);
}

export const world = new World();
