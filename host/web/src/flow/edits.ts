import { isMap, type Document, type YAMLMap } from 'yaml';
import { byId, listIn, mapIn, settle } from './document';
import type { Group, Note, Point, Step, Trigger } from './model';
import { source } from './model';

/** Edit changes a document in place. Edits that find nothing to change leave it as it is. */
export type Edit = (document: Document) => void;

/** newId gives a name of a flow's own alphabet that is not taken: "send", "send-2". */
export function newId(wanted: string, taken: Iterable<string>): string {
  const base = wanted.toLowerCase().replace(/[^a-z0-9_-]+/g, '-').replace(/^[^a-z]+/, '').replace(/-+$/, '').slice(0, 48) || 'step';
  const used = new Set(taken);
  let id = base;
  for (let n = 2; used.has(id); n++) id = `${base}-${n}`;
  return id;
}

export const addStep = (step: Step, at: Point): Edit => (document) => {
  const { with: input, ...rest } = step;
  listIn(document, 'nodes').add(document.createNode({ ...rest, with: input }));
  place(document, 'nodes', step.id, at);
};

export const moveTo = (kind: 'nodes' | 'triggers', places: Record<string, Point>): Edit => (document) => {
  for (const [id, at] of Object.entries(places)) place(document, kind, id, at);
};

function place(document: Document, kind: string, id: string, at: Point): void {
  const rounded = { x: Math.round(at.x), y: Math.round(at.y) };
  const map = mapIn(document, 'ui', kind);
  if (isMap(map.get(id))) settle(document, map, id, rounded);
  else {
    const made = document.createNode(rounded) as YAMLMap;
    made.flow = true;
    map.set(id, made);
  }
}

/** removeSteps takes steps away, with their edges; a trigger that led to one keeps its place and is a finding until it leads elsewhere. */
export const removeSteps = (ids: readonly string[]): Edit => (document) => {
  drop(document, 'nodes', (item) => ids.includes(String(item.get('id'))));
  drop(document, 'edges', (item) => ids.includes(String(item.get('to'))) || ids.includes(source(String(item.get('from')))[0]));
  for (const id of ids) document.deleteIn(['ui', 'nodes', id]);
};

function drop(document: Document, list: string, gone: (item: YAMLMap) => boolean): void {
  const found = listIn(document, list);
  found.items = found.items.filter((item) => !isMap(item) || !gone(item));
}

/** setStep gives members of a step new values; undefined takes one away. */
export const setStep = (id: string, members: Partial<Step>): Edit => (document) => setMembers(document, 'nodes', id, members);

export const setTrigger = (id: string, members: Partial<Trigger>): Edit => (document) => setMembers(document, 'triggers', id, members);

function setMembers(document: Document, list: string, id: string, members: object): void {
  const found = byId(listIn(document, list), id);
  if (found === undefined) return;
  for (const [name, value] of Object.entries(members)) {
    if (value === undefined) found.delete(name);
    else settle(document, found, name, value);
  }
}

export const addTrigger = (trigger: Trigger, at?: Point): Edit => (document) => {
  listIn(document, 'triggers').add(document.createNode(trigger));
  if (at !== undefined) place(document, 'triggers', trigger.id, at);
};

export const removeTriggers = (ids: readonly string[]): Edit => (document) => {
  drop(document, 'triggers', (item) => ids.includes(String(item.get('id'))));
  for (const id of ids) document.deleteIn(['ui', 'triggers', id]);
};

export const connect = (from: string, to: string): Edit => (document) => {
  const edges = listIn(document, 'edges');
  if (edges.items.some((item) => isMap(item) && item.get('from') === from && item.get('to') === to)) return;
  const made = document.createNode({ from, to }) as YAMLMap;
  made.flow = true;
  edges.add(made);
};

export const disconnect = (edges: readonly { from: string; to: string }[]): Edit => (document) =>
  drop(document, 'edges', (item) => edges.some((edge) => item.get('from') === edge.from && item.get('to') === edge.to));

/** renamePort lets the edges of a port follow it to its new name. */
export const renamePort = (node: string, before: string, after: string): Edit => (document) => {
  for (const item of listIn(document, 'edges').items) if (isMap(item) && item.get('from') === `${node}.${before}`) item.set('from', `${node}.${after}`);
};

export const setMetadata = (members: { name?: string; description?: string }): Edit => (document) => {
  const metadata = mapIn(document, 'metadata');
  for (const [name, value] of Object.entries(members)) settle(document, metadata, name, value);
};

export const setVars = (properties: Record<string, unknown>): Edit => (document) => {
  const vars = mapIn(document, 'vars');
  if (!vars.has('type')) vars.set('type', 'object');
  settle(document, vars, 'properties', properties);
};

export const putNote = (note: Note): Edit => (document) => putIn(document, 'notes', note);
export const putGroup = (group: Group): Edit => (document) => putIn(document, 'groups', group);

function putIn(document: Document, list: string, item: Note | Group): void {
  const all = listIn(document, 'ui', list);
  const found = byId(all, item.id);
  if (found === undefined) all.add(document.createNode(item));
  else for (const [name, value] of Object.entries(item)) settle(document, found, name, value);
}

export const removeDecor = (ids: readonly string[]): Edit => (document) => {
  for (const list of ['notes', 'groups']) {
    if (!document.hasIn(['ui', list])) continue;
    const all = listIn(document, 'ui', list);
    all.items = all.items.filter((item) => !isMap(item) || !ids.includes(String(item.get('id'))));
  }
};

export const together = (...edits: Edit[]): Edit => (document) => {
  for (const edit of edits) edit(document);
};
