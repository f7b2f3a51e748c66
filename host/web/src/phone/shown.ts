// What the simulator tells of phones and chats (docs/wasim.md, "Watch").

export interface Button {
  type: string;
  id?: string;
  displayText: string;
  url?: string;
  phone?: string;
  code?: string;
}

/** Shown is one message as a phone shows it. */
export interface Shown {
  phone: string; // whose
  id: string;
  time: string;
  chat: string; // the other side's number, or the address of a group
  from: string;
  fromMe?: boolean;
  header?: string;
  text: string;
  footer?: string;
  buttons?: Button[];
  media?: { type: string; mimeType: string; fileName?: string };
  quoted?: string;
  biz: number;
  copies: number;
  status?: 'waiting' | 'failed' | 'sent' | 'delivered' | 'read';
  read?: boolean;
  expires?: string;
  past?: boolean; // of a simulator before this one, which does not know it
}

export interface Person {
  number: string;
  name: string;
  online: boolean;
  readReceipts: boolean;
  disappearing?: Record<string, number>;
  typing?: string[];
}

export interface Group {
  jid: string;
  subject: string;
  members: string[];
  disappearing?: number;
}

export interface Account {
  number: string;
  name: string;
}

/** answers says whether a tap on the button is told to the sender. */
export const answers = (button: Button): boolean => button.type === 'REPLY' || button.type === 'ROW';

/** keep puts a message in its place among those of its phone, the newest of it in the place of the older. */
export function keep(list: readonly Shown[], one: Shown, most: number): Shown[] {
  const at = list.findLastIndex((other) => other.id === one.id && other.fromMe === one.fromMe && other.chat === one.chat);
  if (at >= 0) return list.with(at, one);
  return [...list, one].slice(-most);
}

/** unread are those that somebody has sent and the person has not seen. */
export const unread = (list: readonly Shown[], chat?: string): number =>
  list.filter((one) => !one.fromMe && !one.read && !one.past && (chat === undefined || one.chat === chat)).length;

/** inGroup says whether a chat is a group's. */
export const inGroup = (chat: string): boolean => chat.endsWith('@g.us');

const names = ['Ana', 'Bruno', 'Carla', 'Davi', 'Elisa', 'Fábio', 'Gabi', 'Hugo'];

/** nextName is one that nobody has. */
export function nextName(people: readonly { name: string }[]): string {
  for (let round = 1; ; round++)
    for (const name of names) {
      const next = round === 1 ? name : `${name} ${round}`;
      if (!people.some((one) => one.name === next)) return next;
    }
}
