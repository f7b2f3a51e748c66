// Package flow is a flow file as the page edits it: reading, edits that keep comments, ports, layout,
// copy and paste. It is pure: no DOM, no network.

/** Flow is a flow file of schemas/flow.json, as far as the page looks into it. Everything may be missing while someone types. */
export interface Flow {
  metadata: { id: string; name?: string; description?: string };
  vars?: { properties?: Record<string, { title?: string; type?: string; default?: unknown; description?: string }> };
  triggers: Trigger[];
  nodes: Step[];
  edges: Edge[];
  ui: Layout;
}

export interface Trigger {
  id: string;
  type: string;
  to: string;
  with?: Record<string, unknown>;
  [member: string]: unknown; // match, when, vars, concurrency
}

/** Step is a node of the flow: what people call a step. */
export interface Step {
  id: string;
  type: string;
  name?: string;
  with: Record<string, unknown>;
  wait?: Wait;
  join?: 'all' | 'any';
  retry?: Record<string, unknown>;
  deadline?: string;
}

export interface Wait {
  timeout?: string;
  remind?: string[];
  collect?: string;
  late?: 'restart' | 'reject' | 'ignore';
}

/** Edge leads from "node.port" to a node. */
export interface Edge {
  from: string;
  to: string;
}

export interface Point {
  x: number;
  y: number;
}

/** Layout is the member ui, which the engine ignores. */
export interface Layout {
  nodes: Record<string, Point>;
  triggers: Record<string, Point>;
  notes: Note[];
  groups: Group[];
}

export interface Note extends Point {
  id: string;
  text: string;
  width?: number;
}

export interface Group extends Point {
  id: string;
  name: string;
  width: number;
  height: number;
}

/** source splits "ask.reply:yes" into the node and its port. Ids have no dot, ports may. */
export function source(from: string): [node: string, port: string] {
  const dot = from.indexOf('.');
  return dot < 0 ? [from, ''] : [from.slice(0, dot), from.slice(dot + 1)];
}

/** Finding is what is wrong or doubtful, in the words of whoever found it. */
export interface Finding {
  pointer: string;
  severity: 'error' | 'warning';
  code: string;
  message: string;
  suggestion?: string;
  line?: number;
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const list = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.map(record) : []);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const number = (value: unknown, or: number): number => (typeof value === 'number' && Number.isFinite(value) ? value : or);

/** flowOf takes what is a flow from any document; the rest is not the page's to judge, the host's check says it. */
export function flowOf(document: unknown): Flow {
  const root = record(document);
  const ui = record(root['ui']);
  const points = (value: unknown): Record<string, Point> =>
    Object.fromEntries(Object.entries(record(value)).map(([id, at]) => [id, { x: number(record(at)['x'], 0), y: number(record(at)['y'], 0) }]));
  return {
    metadata: { ...record(root['metadata']), id: text(record(root['metadata'])['id']) },
    vars: record(root['vars']),
    triggers: list(root['triggers']).map((t) => ({ ...t, id: text(t['id']), type: text(t['type']), to: text(t['to']) })),
    nodes: list(root['nodes']).map((n) => ({ ...n, id: text(n['id']), type: text(n['type']), with: record(n['with']) })),
    edges: list(root['edges']).map((e) => ({ from: text(e['from']), to: text(e['to']) })),
    ui: {
      nodes: points(ui['nodes']),
      triggers: points(ui['triggers']),
      notes: list(ui['notes']).map((n, i) => ({ id: text(n['id']) || `note-${i}`, text: text(n['text']), x: number(n['x'], 0), y: number(n['y'], 0), width: number(n['width'], 172) })),
      groups: list(ui['groups']).map((g, i) => ({
        id: text(g['id']) || `group-${i}`, name: text(g['name']), x: number(g['x'], 0), y: number(g['y'], 0), width: number(g['width'], 240), height: number(g['height'], 160),
      })),
    },
  } as Flow;
}
