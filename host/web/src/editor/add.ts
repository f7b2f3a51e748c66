import { addStep, addTrigger, connect, newId, setTrigger, together, type Edit } from '../flow/edits';
import type { Flow, Point, Step, Trigger } from '../flow/model';
import { resolve, type Operation } from '../flow/ports';
import { triggerKey } from '../flow/names';

interface Property {
  default?: unknown;
  examples?: unknown[];
  ['x-ui']?: { widget?: string };
}

/**
 * start is what a new step's form begins with: whom and by what the last step sends, or else an example for each field
 * that must be filled, or the flow's variable of that name. It shows what belongs there, and the step can be tried at once.
 */
export function start(operation: Operation, flow: Flow): Record<string, unknown> {
  const properties = (resolve(operation.inputSchema, '/properties') ?? {}) as Record<string, Property>;
  const required = (resolve(operation.inputSchema, '/required') ?? []) as string[];
  const whole = (resolve(operation.inputSchema, '/examples/0') ?? {}) as Record<string, unknown>;
  const vars = Object.keys(flow.vars?.properties ?? {});
  const alike = [...flow.nodes].reverse();
  const input: Record<string, unknown> = {};
  for (const name of required) {
    const property = properties[name] ?? {};
    const widget = property['x-ui']?.widget;
    const used = widget === 'instance' || widget === 'recipient' ? alike.map((step) => step.with[name]).find((value) => typeof value === 'string' && value !== '') : undefined;
    const value = used ?? (vars.includes(name) ? `\${ vars.${name} }` : undefined) ?? whole[name] ?? property.default ?? property.examples?.[0];
    if (value !== undefined) input[name] = structuredClone(value);
  }
  return input;
}

export interface Added {
  edit: Edit;
  id: string; // on the canvas
}

/** newStep adds a step at a place, led to by an exit or a trigger if one is given. */
export function newStep(operation: Operation, flow: Flow, at: Point, from: string | null): Added {
  const words = operation.id.split('@')[0]?.split('.').at(-1) ?? 'step';
  const id = newId(words.replace(/([a-z])([A-Z])/g, '$1-$2'), flow.nodes.map((node) => node.id));
  const step: Step = { id, type: operation.id, with: start(operation, flow) };
  const edits: Edit[] = [addStep(step, at)];
  if (from?.startsWith(triggerKey(''))) edits.push(setTrigger(from.slice(triggerKey('').length), { to: id }));
  else if (from) edits.push(connect(from, id));
  // A trigger that leads nowhere yet takes the first step that comes.
  const loose = flow.triggers.find((trigger) => !flow.nodes.some((node) => node.id === trigger.to));
  if (!from && loose) edits.push(setTrigger(loose.id, { to: id }));
  return { edit: together(...edits), id };
}

export function newTrigger(operation: Operation, flow: Flow, at: Point): Added {
  const id = newId(operation.id.split('@')[0]?.split('.').at(-1)?.replace(/([a-z])([A-Z])/g, '$1-$2') ?? 'start', flow.triggers.map((trigger) => trigger.id));
  const trigger: Trigger = { id, type: operation.id, to: flow.nodes[0]?.id ?? '' };
  return { edit: addTrigger(trigger, at), id: triggerKey(id) };
}
