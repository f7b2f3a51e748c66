// What a line of a trace says. Who tapped what is known by the messages on the phones, or by the run
// itself where its texts are shown.

import { took } from '../words/time';
import type { TraceLine } from './trail';
import { phone as words } from './words';
import { world } from './world.svelte';

/** who did what the line tells of. */
export function who(line: TraceLine): string {
  const answer = world.find(line.answerId);
  return line.who ?? (answer === undefined ? words().somebody : world.name(answer.from));
}

/** Named is what an exit of a step says, where that is known. */
export type Named = (node: string, port: string) => string | undefined;

/** label is what a button said, on a phone or in the flow, or its id. */
function label(line: TraceLine, button: string, named?: Named): string {
  return world.find(line.messageId)?.buttons?.find((one) => one.id === button)?.displayText ?? named?.(line.node ?? '', `reply:${button}`) ?? button;
}

/** whose the run is: the person whose phone shows its first message. */
export function whose(lines: readonly TraceLine[]): string {
  for (const line of lines) {
    if (line.who !== undefined) return line.who;
    const shown = world.find(line.messageId);
    if (shown !== undefined) return world.groups.find((one) => one.jid === shown.chat)?.subject ?? world.name(shown.phone);
  }
  return '';
}

function offered(line: TraceLine, named?: Named): string {
  const what = (line.offered ?? []).filter((port) => port.startsWith('reply:') && port !== 'reply:*').map((port) => label(line, port.slice('reply:'.length), named));
  if (what.length === 0) return words().anAnswer;
  return what.length === 1 ? (what[0] ?? '') : `${what.slice(0, -1).join(', ')} ${words().or} ${what.at(-1) ?? ''}`;
}

/** says is the line in words, without the name of its step. */
export function says(line: TraceLine, named?: Named): string {
  const w = words();
  switch (line.kind) {
    case 'start': return w.start;
    case 'now': return w.sending;
    case 'done': {
      const done = (line.messageId === undefined ? w.doneIn : w.sentIn)(took(line.ms ?? 0));
      return line.offered === undefined ? done : `${done}, ${w.waitsFor(offered(line, named))}`;
    }
    case 'tapped': return w.tappedIt(who(line), line.label ?? label(line, line.buttonId ?? '', named));
    case 'late': return w.tappedOld(who(line), line.label ?? label(line, line.buttonId ?? '', named));
    case 'wrote': return w.wroteIt(who(line));
    case 'timeout': return w.noAnswer;
    case 'refused': return w.refused(line.why ?? '');
    case 'retry': return w.retried(line.why ?? '');
    case 'failed': return w.failedWith(line.why ?? '');
    case 'joined': return w.joined;
    case 'queued': return w.queuedLine;
    case 'reopened': return w.reopened;
    case 'succeeded': return w.finished;
    case 'failedRun': return line.why === undefined ? w.finishedBadly : `${w.finishedBadly}: ${line.why}`;
    case 'cancelled': return w.stopped;
  }
}

/** speak says the newest lines as a sentence: "Ana tapped Yes, it is. Open a ticket is at work." */
export function speak(lines: readonly TraceLine[], names: (node: string) => string): string {
  return lines
    .map((line) => {
      if (line.node === null || ['tapped', 'late', 'wrote'].includes(line.kind)) return `${says(line)}.`;
      return line.kind === 'now' ? words().isAtWork(names(line.node)) : words().is(names(line.node), says(line));
    })
    .join(' ');
}
