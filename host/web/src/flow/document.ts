import { isMap, isSeq, LineCounter, parseDocument, YAMLMap, YAMLSeq, type Document } from 'yaml';
import { flowOf, type Finding, type Flow } from './model';

/** limit of a flow file in characters; the host's is in bytes and refuses what is more. */
export const maxText = 1 << 20;

/** Read is a flow file that was read. flow is null where it is no YAML; problems then say why and where. */
export interface Read {
  document: Document;
  flow: Flow | null;
  problems: Finding[];
}

export function read(text: string): Read {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, keepSourceTokens: false });
  const problems = document.errors.map((error): Finding => ({
    pointer: '', severity: 'error', code: 'syntax', message: error.message.split('\n')[0] ?? error.message, line: lines.linePos(error.pos[0]).line,
  }));
  let flow: Flow | null = null;
  if (problems.length === 0) {
    try {
      flow = flowOf(document.toJS({ maxAliasCount: 100 }));
    } catch (error) {
      problems.push({ pointer: '', severity: 'error', code: 'syntax', message: String(error) });
    }
  }
  return { document, flow, problems };
}

/** write gives the text back: comments and the order of members stay, long lines are not folded. */
export const write = (document: Document): string => document.toString({ lineWidth: 0, flowCollectionPadding: false });

/** member finds a map's member that is a list, and makes it where it is missing. */
export function listIn(document: Document, ...path: string[]): YAMLSeq {
  const found = document.getIn(path);
  if (isSeq(found)) {
    found.flow = false; // a list that is edited reads better line by line
    return found;
  }
  const made = new YAMLSeq();
  document.setIn(path, made);
  return made;
}

export function mapIn(document: Document, ...path: string[]): YAMLMap {
  const found = document.getIn(path);
  if (isMap(found)) return found;
  const made = new YAMLMap();
  document.setIn(path, made);
  return made;
}

/** byId finds the map with an id in a list, such as a node in nodes. */
export function byId(list: YAMLSeq, id: string): YAMLMap | undefined {
  return list.items.find((item): item is YAMLMap => isMap(item) && item.get('id') === id);
}

/**
 * settle makes a YAML node say what value says and touches nothing that says it already, so that
 * comments, quotes and order stay where they are.
 */
export function settle(document: Document, parent: YAMLMap | YAMLSeq, key: string | number, value: unknown): void {
  const now = parent.get(key, true) as unknown;
  if (isMap(now) && isPlain(value)) {
    for (const pair of [...now.items]) {
      const name = String(pair.key);
      if (!(name in value) || value[name] === undefined) now.delete(pair.key);
    }
    for (const [name, member] of Object.entries(value)) if (member !== undefined) settle(document, now, name, member);
  } else if (isSeq(now) && Array.isArray(value)) {
    arrange(now, value);
    now.items.length = Math.min(now.items.length, value.length);
    value.forEach((item, index) => settle(document, now, index, item));
  } else if (!same(parent.get(key), value) || now === undefined) {
    const made = document.createNode(value);
    const old = now as { comment?: string | null; commentBefore?: string | null } | undefined;
    if (old?.comment) made.comment = old.comment;
    if (old?.commentBefore) made.commentBefore = old.commentBefore;
    parent.set(key, made);
  }
}

/** arrange brings items that have an id into the order of value, so that each keeps its comments. */
function arrange(list: YAMLSeq, value: unknown[]): void {
  const ids = value.map((item) => (isPlain(item) ? item['id'] : undefined));
  if (ids.some((id) => typeof id !== 'string') || new Set(ids).size !== ids.length) return;
  const before = [...list.items];
  const known = ids.map((id) => before.find((item) => isMap(item) && item.get('id') === id));
  const left = before.filter((item) => !known.includes(item));
  // An item whose id is new takes the place of one whose id has gone: it is the same, renamed.
  list.items = known.map((item) => item ?? left.shift() ?? new YAMLMap());
}

const isPlain = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

const same = (a: unknown, b: unknown): boolean => a === b || (a == null && b == null);
