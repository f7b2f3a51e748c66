// Package choice: whose phone is looked at, and which of its chats.

import { inGroup, unread, type Shown } from './shown';
import { world } from './world.svelte';

const stored = 'tapnode.phone';

/** Choice is a person or a group; in a group also whose phone it is seen on. It is remembered while the tab is open. */
export class Choice {
  #picked = $state(kept());
  #member = $state('');
  #chat = $state('');

  constructor(private readonly instances: () => readonly string[]) {}

  /** tab is the number of a person or the address of a group; '' as long as there is nobody. */
  get tab(): string {
    if (world.person(this.#picked) !== undefined || world.groups.some((one) => one.jid === this.#picked)) return this.#picked;
    return world.people[0]?.number ?? '';
  }

  /** phone is the number of the phone that is seen. */
  get phone(): string {
    if (!inGroup(this.tab)) return this.tab;
    const members = this.members;
    return members.includes(this.#member) ? this.#member : (members[0] ?? '');
  }

  /** members are those of the picked group that have phones. */
  get members(): string[] {
    const group = world.groups.find((one) => one.jid === this.tab);
    return (group?.members ?? []).filter((number) => world.person(number) !== undefined);
  }

  /** chat is the other side: a number or a group. */
  get chat(): string {
    if (inGroup(this.tab)) return this.tab;
    const known = this.others;
    return known.includes(this.#chat) ? this.#chat : (this.#newest ?? known[0] ?? '');
  }

  /** others are those whom the person can write to: who has written, and the instances. */
  get others(): string[] {
    const written = world.messages(this.phone).map((one) => one.chat).filter((chat) => !inGroup(chat));
    const there = this.instances().length > 0 ? this.instances() : world.accounts.map((one) => one.number);
    return [...new Set([...written, ...there])];
  }

  get #newest(): string | undefined {
    return world.messages(this.phone).findLast((one) => !inGroup(one.chat) && !one.fromMe)?.chat;
  }

  get messages(): readonly Shown[] {
    const chat = this.chat;
    return world.messages(this.phone).filter((one) => one.chat === chat);
  }

  /** recipient is whom a flow is to write to. */
  get recipient(): string {
    return this.tab;
  }

  get title(): string {
    return inGroup(this.tab) ? (world.groups.find((one) => one.jid === this.tab)?.subject ?? this.tab) : world.name(this.tab);
  }

  pick(tab: string): void {
    this.#picked = tab;
    this.#chat = '';
    try {
      sessionStorage.setItem(stored, tab);
    } catch {
      // It holds until the page is left.
    }
  }

  pickMember(number: string): void {
    this.#member = number;
  }

  pickChat(chat: string): void {
    this.#chat = chat;
  }

  /** unread counts what the tab has not looked at: of a person, all chats but those of groups. */
  unread(tab: string): number {
    if (!inGroup(tab)) return unread(world.messages(tab).filter((one) => !inGroup(one.chat)));
    const of = this.tab === tab ? this.phone : (world.groups.find((one) => one.jid === tab)?.members.find((number) => world.person(number)) ?? '');
    return unread(world.messages(of), tab);
  }
}

function kept(): string {
  try {
    return sessionStorage.getItem(stored) ?? '';
  } catch {
    return '';
  }
}
