import { renamePort, setStep, together, type Edit } from '../flow/edits';
import { source, type Flow, type Step } from '../flow/model';
import { portsOf, renamed } from '../flow/ports';
import type { Known } from './catalogue.svelte';

/** inputEdit gives a step another input. The edge of a button whose id was changed follows it. */
export function inputEdit(flow: Flow, known: Known, step: Step, next: Record<string, unknown>): Edit {
  const before = portsOf(known.operation, known.base, step);
  const after = portsOf(known.operation, known.base, { ...step, with: next });
  const wired = new Set(flow.edges.filter((edge) => source(edge.from)[0] === step.id).map((edge) => source(edge.from)[1]));
  const name = renamed(before, after, wired);
  const edit = setStep(step.id, { with: next });
  return name === null ? edit : together(edit, renamePort(step.id, name.from, name.to));
}

/** goes are the wired buttons that this input would take away: what becomes of their edges is asked first. */
export function goes(flow: Flow, known: Known, step: Step, next: Record<string, unknown>): { port: string; label: string; to: string[] }[] {
  const before = portsOf(known.operation, known.base, step);
  const after = portsOf(known.operation, known.base, { ...step, with: next });
  const buttons = (ports: typeof before): typeof before => ports.filter((port) => port.button);
  if (buttons(after).length >= buttons(before).length) return [];
  return buttons(before)
    .filter((port) => !after.some((other) => other.id === port.id))
    .map((port) => ({ port: port.id, label: port.label, to: flow.edges.filter((edge) => edge.from === `${step.id}.${port.id}`).map((edge) => edge.to) }))
    .filter((gone) => gone.to.length > 0);
}

/** some is an object that has members; without any it is left out of the file. */
export const some = (value: Record<string, unknown>): Record<string, unknown> | undefined => (Object.keys(value).length > 0 ? value : undefined);
