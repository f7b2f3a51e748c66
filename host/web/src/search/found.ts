// What a text finds among all there is, the best groups first, each of them short.

import type { IconName } from '../ui/icons';
import { finder } from '../ui/fold';
import { manifestIcon } from '../ui/manifest-icons';
import type { Choice } from '../ui/Pick.svelte';
import type { Everything } from './everything';

/** Entry is a choice that knows what picking it does. */
export interface Entry extends Choice {
  words: string; // all it is found by
  act(): void;
}

export interface Does {
  go(path: string): void;
  use(operation: string): void;
}

const each = 6; // of a group

/** found are the entries that have all words of a text; without a text the first of the groups that need none. */
export function found(wanted: string, groups: readonly { name: string; entries: readonly Entry[]; always: boolean }[]): Entry[] {
  const asked = wanted.trim() !== '';
  const has = finder(wanted);
  return groups.flatMap(({ name, entries, always }) => {
    if (!asked && !always) return [];
    const all = entries.filter((entry) => has(`${entry.words} ${name}`));
    const named = (entry: Entry): number => (has(entry.title) ? 0 : 1); // what is called so comes before what only mentions it
    return all.toSorted((a, b) => named(a) - named(b)).slice(0, asked ? each : 12).map((entry) => ({ ...entry, group: name }));
  });
}

const entry = (id: string, icon: IconName, title: string, note: string, act: () => void, more = ''): Entry => ({ id, icon, title, note, act, words: `${title} ${note} ${more}` });

export function flowsOf(all: Everything, { go }: Does): Entry[] {
  return all.flows.map((flow) => entry(`flow ${flow.flow}`, 'canvas', flow.name || flow.flow, flow.name ? flow.flow : '', () => go(`/flows/${encodeURIComponent(flow.flow)}`)));
}

export function stepsOf(all: Everything, { go }: Does): Entry[] {
  const known = new Map(all.operations.map((operation) => [operation.id, operation]));
  return all.flows.flatMap((flow) =>
    flow.steps.filter((step) => !step.trigger).map((step) => {
      const operation = known.get(step.type);
      const path = `/flows/${encodeURIComponent(flow.flow)}?step=${encodeURIComponent(step.id)}`;
      const said = [step.name, step.id, step.type, operation?.title].join(' '); // and not its flow, or all steps of a flow would come with it
      return { ...entry(`step ${flow.flow} ${step.id}`, manifestIcon(operation?.icon, operation?.kind ?? 'ACTION', 0), step.name || step.id, flow.name || flow.flow, () => go(path)), words: said };
    }),
  );
}

export function instancesOf(all: Everything, { go }: Does): Entry[] {
  return all.instances.map(({ name, phone, pushName }) => entry(`instance ${name}`, 'device', name, phone === null ? '' : `+${phone}`, () => go(`/instances/${encodeURIComponent(name)}`), `${phone ?? ''} ${pushName ?? ''}`));
}

export function operationsOf(all: Everything, { use }: Does): Entry[] {
  return all.operations
    .filter(({ kind }) => kind !== 'OPERATION')
    .map(({ id, icon, kind, title, summary }) => entry(`operation ${id}`, manifestIcon(icon, kind, 0), title, summary ?? '', () => use(id), id));
}
