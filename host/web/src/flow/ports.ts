import type { Of } from '../api/client';
import type { Step } from './model';

export type Operation = Of<'Operation'> & { id: string; kind: string; title: string; summary?: string; icon?: string; inputSchema?: unknown };

/** Port is an exit of a step. button: it is one that the input's list offers, such as a REPLY button. */
export interface Port {
  id: string;
  label: string;
  button: boolean;
}

/**
 * Ports are those of a step as it stands. base are the ports that the host gives for an empty input
 * (POST …/ports): the operation's own, the wildcards, error and timeout. What the rules derive from
 * the input is added here at once, so that a port comes and goes with its button while someone types.
 */
export function portsOf(operation: Operation, base: readonly { id: string; label?: string }[], step: Step): Port[] {
  const derived: Port[] = [];
  for (const rule of operation.portRules ?? []) {
    const list = resolve(step.with, rule.each);
    if (!Array.isArray(list)) continue;
    const defaults = defaultsAt(operation.inputSchema, rule.each);
    for (const item of list as unknown[]) {
      if (typeof item !== 'object' || item === null) continue;
      const members = item as Record<string, unknown>;
      const value = (name: string): unknown => (members[name] === undefined || members[name] === null || members[name] === '' ? defaults[name] : members[name]);
      if (Object.entries(rule.where ?? {}).some(([name, wanted]) => String(value(name) ?? '') !== wanted)) continue;
      const id = fill(rule.id, value);
      if (id === null || derived.some((port) => port.id === id)) continue;
      derived.push({ id, label: fill(rule.label ?? '', value) || id.slice(id.indexOf(':') + 1), button: true });
    }
  }
  const reminders = (step.wait?.remind ?? []).map((_, index) => ({ id: `remind:${index + 1}`, label: '', button: false }));
  if (reminders.length > 0) reminders.push({ id: 'remind:*', label: '', button: false });
  const own = base.filter((port) => !derived.some((other) => other.id === port.id)).map((port) => ({ id: port.id, label: port.label ?? '', button: false }));
  return [...derived, ...own, ...reminders];
}

/** isQuiet says which exits are drawn only where an edge leaves them: those that most flows leave alone. */
export const isQuiet = (port: Port, ports: readonly Port[]): boolean =>
  port.id === 'error' || port.id.endsWith(':*') || (port.id === 'sent' && ports.some((other) => other.button));

/** isMain is the exit at the head of a step that has just one way on. */
export const isMain = (port: Port, ports: readonly Port[]): boolean =>
  (port.id === 'out' || port.id === 'sent') && !ports.some((other) => other.button);

/** renamed tells a button that got another id from one that went: the same list, one id for another. */
export function renamed(before: readonly Port[], after: readonly Port[], wired: ReadonlySet<string>): { from: string; to: string } | null {
  const old = before.filter((port) => port.button);
  const now = after.filter((port) => port.button);
  const gone = old.filter((port) => !now.some((other) => other.id === port.id));
  const come = now.filter((port) => !old.some((other) => other.id === port.id));
  const [from, to] = [gone[0], come[0]];
  if (from && to && gone.length === 1 && come.length === 1 && old.indexOf(from) === now.indexOf(to)) return { from: from.id, to: to.id };
  // While its id is empty a button has no port; its edge waits for the next id that is typed.
  const loose = [...wired].filter((id) => id.includes(':') && !id.endsWith(':*') && !id.startsWith('remind:') && !after.some((port) => port.id === id));
  const orphan = loose[0];
  if (gone.length === 0 && come.length === 1 && to && loose.length === 1 && orphan !== undefined) return { from: orphan, to: to.id };
  return null;
}

export function resolve(value: unknown, pointer: string): unknown {
  let at = value;
  for (const part of pointer.split('/').slice(1)) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = (at as Record<string, unknown>)[part.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return at;
}

/** fill puts members in a template such as reply:{id}; null where one is missing or known only to a run. */
function fill(template: string, value: (name: string) => unknown): string | null {
  let known = true;
  const text = template.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const member = value(name);
    if (member === undefined || member === '' || typeof member === 'object') known = false;
    const said = String(member ?? '');
    if (template.startsWith('{') === false && said.includes('${')) known = false;
    return said;
  });
  return known ? text : template.startsWith('{') ? text : null;
}

function defaultsAt(schema: unknown, pointer: string): Record<string, unknown> {
  const root = schema as Record<string, unknown> | undefined;
  let at: unknown = root;
  for (const part of pointer.split('/').slice(1)) at = (follow(root, at)?.['properties'] as Record<string, unknown> | undefined)?.[part];
  const item = follow(root, (follow(root, at) ?? {})['items']);
  const properties = (item?.['properties'] ?? {}) as Record<string, Record<string, unknown>>;
  return Object.fromEntries(Object.entries(properties).flatMap(([name, of]) => ('default' in of ? [[name, of['default']]] : [])));
}

function follow(root: unknown, at: unknown): Record<string, unknown> | undefined {
  if (typeof at !== 'object' || at === null) return undefined;
  const ref = (at as Record<string, unknown>)['$ref'];
  return typeof ref === 'string' && ref.startsWith('#') ? (resolve(root, ref.slice(1)) as Record<string, unknown> | undefined) : (at as Record<string, unknown>);
}
