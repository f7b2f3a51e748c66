// How flows come in: new, pasted, from a file, from an example. Each becomes a draft, and none takes
// the place of another.

import { isMap } from 'yaml';
import { ask, Refusal } from '../../api/client';
import { maxText, read, write } from '../../flow/document';

const shape = /[^a-z0-9_-]+/g;

/** free is an id like the wanted one that no flow has. */
export function free(wanted: string, taken: ReadonlySet<string>): string {
  const base = wanted.toLowerCase().replace(shape, '-').replace(/^[^a-z]+|-+$/g, '').slice(0, 56) || 'flow';
  for (let n = 1; ; n++) {
    const id = n === 1 ? base : `${base}-${n}`;
    if (!taken.has(id)) return id;
  }
}

/** empty is a flow that starts by hand and has one step that harms nobody. */
export const empty = (id: string, name: string): string => `apiVersion: flow/v1
kind: Flow
metadata:
  id: ${id}
  name: ${JSON.stringify(name)}
triggers:
  - {id: start, type: manual, to: first}
nodes:
  - id: first
    type: log@1
    with: {message: started}
edges: []
`;

/** named is the text of a flow under an id that is free; a text that is no flow is refused: why says it in words. */
export function named(text: string, taken: ReadonlySet<string>): { id: string; text: string } {
  if (text.length > maxText) throw new Refusal(0, 'too_large', `more than ${maxText}`);
  const { document, flow, problems } = read(text);
  const wrong = problems[0];
  if (wrong) throw new Refusal(0, wrong.code, `${wrong.line === undefined ? '' : `${wrong.line}: `}${wrong.message}`);
  if (flow === null || !isMap(document.contents) || !document.has('nodes')) throw new Refusal(0, 'no_flow', 'no nodes');
  const id = free(flow.metadata.id || flow.metadata.name || 'flow', taken);
  if (id === flow.metadata.id) return { id, text };
  document.setIn(['metadata', 'id'], id);
  return { id, text: write(document) };
}

/** keep keeps a text as the draft of a flow. */
export async function keep(id: string, text: string): Promise<void> {
  await ask('PUT', `/v1/flows/${encodeURIComponent(id)}/draft`, { text });
}
