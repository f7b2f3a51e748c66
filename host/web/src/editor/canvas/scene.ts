import type { Edge as Wire, Node as Shape } from '@xyflow/svelte';
import { source, type Finding, type Flow, type Point, type Step, type Trigger } from '../../flow/model';
import { isMain, isQuiet, portsOf, type Port } from '../../flow/ports';
import { triggerKey } from '../../flow/names';
import type { IconName } from '../../ui/icons';
import { manifestIcon } from '../../ui/manifest-icons';
import type { Catalogue } from '../catalogue.svelte';
import { saysOf } from './says';

/** Trail is where a run has been: what phone/live.svelte.ts says of it. */
export interface Trail {
  visited: ReadonlyMap<string, number>;
  taken: ReadonlySet<string>; // "node.port", and "trigger id" of the one that began it
  at: string | null;
  waits: readonly { node: string; until?: string | null }[];
}

export type Mark = 'added' | 'removed' | 'changed';

export interface StepData extends Record<string, unknown> {
  step: Step;
  icon: IconName;
  title: string;
  says: string;
  ports: Port[];
  main: string | null; // the exit at the head
  open: string[]; // exits that lead nowhere
  errors: number;
  warnings: number;
  visit: number | null;
  tapped: string[];
  running: boolean;
  foot: string;
  mark: Mark | null;
  above: boolean; // a trigger leads in from above
}

export interface StartData extends Record<string, unknown> {
  trigger: Trigger;
  icon: IconName;
  title: string;
  visited: boolean;
  errors: number;
}

export type StepShape = Shape<StepData, 'step'>;
export type StartShape = Shape<StartData, 'start'>;

export interface Seen {
  flow: Flow;
  catalogue: Catalogue;
  findings?: readonly Finding[];
  trail?: Trail | null;
  marks?: ReadonlyMap<string, Mark>; // by node id
  edgeMarks?: ReadonlyMap<string, Mark>; // by "from→to"
  foot?: (node: string) => string;
}

/** findingsAt are those of one step or trigger, their pointers from there on. */
export function findingsAt(findings: readonly Finding[], list: 'nodes' | 'triggers', index: number): Finding[] {
  const prefix = `/${list}/${index}`;
  return findings.filter((f) => f.pointer === prefix || f.pointer.startsWith(prefix + '/')).map((f) => ({ ...f, pointer: f.pointer.slice(prefix.length) }));
}

const count = (findings: readonly Finding[], severity: string): number => findings.filter((f) => f.severity === severity).length;

/** place is where a step lies: as its author put it, or in a grid until the flow is tidied. */
const place = (at: Point | undefined, index: number): Point => at ?? { x: (index % 4) * 270, y: Math.floor(index / 4) * 190 };

/** startAt is where a trigger lies: above the step it leads to, unless its author has put it elsewhere. */
function startAt(flow: Flow, trigger: Trigger, index: number): Point {
  const target = flow.ui.nodes[trigger.to];
  return flow.ui.triggers[trigger.id] ?? (target ? { x: target.x + 18, y: target.y - 72 - index * 40 } : { x: -200, y: index * 48 });
}

const fromAbove = (flow: Flow, trigger: Trigger, node: number): boolean =>
  startAt(flow, trigger, flow.triggers.indexOf(trigger)).y + 36 < place(flow.ui.nodes[trigger.to], node).y;

export function shapesOf(seen: Seen): (StepShape | StartShape)[] {
  const { flow, catalogue, trail } = seen;
  const findings = seen.findings ?? [];
  const wired = new Set(flow.edges.map((edge) => edge.from));
  const steps = flow.nodes.map((step, index): StepShape => {
    const known = catalogue.of(step.type);
    // An edge from an exit that the step has not is a finding, and is drawn: nothing of a flow is out of sight.
    const named = known ? portsOf(known.operation, known.base, step) : [];
    const all = [...named, ...portsOfEdges(flow, step.id).filter((port) => !named.some((other) => other.id === port.id))];
    const ports = all.filter((port) => wired.has(`${step.id}.${port.id}`) || !isQuiet(port, all));
    const main = ports.find((port) => isMain(port, all))?.id ?? null;
    const mine = findingsAt(findings, 'nodes', index);
    const tapped = ports.filter((port) => trail?.taken.has(`${step.id}.${port.id}`)).map((port) => port.id);
    return {
      id: step.id,
      type: 'step',
      position: place(flow.ui.nodes[step.id], index),
      data: {
        step, ports, main, tapped,
        icon: manifestIcon(known?.operation.icon, known?.operation.kind ?? 'ACTION', ports.filter((port) => port.button).length),
        title: step.name ?? catalogue.title(step.type),
        says: saysOf(known?.operation.inputSchema, step.with),
        open: ports.filter((port) => !wired.has(`${step.id}.${port.id}`)).map((port) => port.id),
        errors: count(mine, 'error'),
        warnings: count(mine, 'warning'),
        visit: trail?.visited.get(step.id) ?? null,
        running: trail?.at === step.id,
        foot: seen.foot?.(step.id) ?? '',
        mark: seen.marks?.get(step.id) ?? null,
        above: flow.triggers.some((trigger) => trigger.to === step.id && fromAbove(flow, trigger, index)),
      },
    };
  });
  const starts = flow.triggers.map((trigger, index): StartShape => {
    const at = startAt(flow, trigger, index);
    return {
      id: triggerKey(trigger.id),
      type: 'start',
      position: at,
      data: {
        trigger,
        icon: trigger.type === 'manual' ? 'play' : manifestIcon(catalogue.all.find((o) => o.id === trigger.type)?.icon, 'TRIGGER', 0),
        title: catalogue.title(trigger.type),
        visited: trail?.taken.has(triggerKey(trigger.id)) ?? false,
        errors: count(findingsAt(findings, 'triggers', index), 'error'),
      },
    };
  });
  return [...starts, ...steps];
}

/** portsOfEdges are what is known of a step whose operation is not: the exits it is wired by. */
const portsOfEdges = (flow: Flow, id: string): Port[] =>
  [...new Set(flow.edges.filter((edge) => source(edge.from)[0] === id).map((edge) => source(edge.from)[1]))].map((port) => ({ id: port, label: port, button: false }));

export function wiresOf(seen: Seen): Wire[] {
  const { flow, trail } = seen;
  const known = new Set(flow.nodes.map((node) => node.id));
  const wires: Wire[] = [];
  for (const edge of flow.edges) {
    const [node, port] = source(edge.from);
    if (!known.has(node) || !known.has(edge.to)) continue; // a finding says so
    const id = `${edge.from}→${edge.to}`;
    const taken = (trail?.taken.has(edge.from) && trail.visited.has(edge.to)) ?? false;
    wires.push({ id, type: 'wire', source: node, sourceHandle: port, target: edge.to, targetHandle: 'in', data: { taken, now: taken && trail?.at === edge.to, mark: seen.edgeMarks?.get(id) ?? null } });
  }
  for (const trigger of flow.triggers) {
    if (!known.has(trigger.to)) continue;
    const taken = trail?.taken.has(triggerKey(trigger.id)) ?? false;
    wires.push({ id: `${triggerKey(trigger.id)}→${trigger.to}`, type: 'wire', source: triggerKey(trigger.id), sourceHandle: 'out', target: trigger.to, targetHandle: fromAbove(flow, trigger, flow.nodes.findIndex((node) => node.id === trigger.to)) ? 'above' : 'in', data: { taken, now: false, mark: null } });
  }
  return wires;
}

/** kept gives the old object for each new one that says the same, so that only what changed is drawn anew. */
export function kept<T extends { id: string }>(before: readonly T[], after: readonly T[], signature: (item: T) => string): T[] {
  const old = new Map(before.map((item) => [item.id, item]));
  return after.map((item) => {
    const was = old.get(item.id);
    return was !== undefined && signature(was) === signature(item) ? was : was !== undefined ? { ...was, ...item } : item;
  });
}
