import { read } from '../flow/document';
import type { Flow } from '../flow/model';
import type { Mark } from './canvas/scene';

export interface Compared {
  flow: Flow; // of both: what was removed is drawn, too
  nodes: Map<string, Mark>;
  edges: Map<string, Mark>;
}

/** compare marks what another text has added, removed and changed, step by step and edge by edge. */
export function compare(before: string, after: string): Compared | null {
  const [old, now] = [read(before).flow, read(after).flow];
  if (old === null || now === null) return null;
  const nodes = new Map<string, Mark>();
  const edges = new Map<string, Mark>();
  const was = new Map(old.nodes.map((node) => [node.id, JSON.stringify(node)]));
  for (const node of now.nodes) {
    const text = was.get(node.id);
    if (text === undefined) nodes.set(node.id, 'added');
    else if (text !== JSON.stringify(node)) nodes.set(node.id, 'changed');
  }
  const removed = old.nodes.filter((node) => !now.nodes.some((other) => other.id === node.id));
  for (const node of removed) nodes.set(node.id, 'removed');
  const key = (edge: { from: string; to: string }): string => `${edge.from}→${edge.to}`;
  const [oldEdges, nowEdges] = [new Set(old.edges.map(key)), new Set(now.edges.map(key))];
  for (const edge of now.edges) if (!oldEdges.has(key(edge))) edges.set(key(edge), 'added');
  const gone = old.edges.filter((edge) => !nowEdges.has(key(edge)));
  for (const edge of gone) edges.set(key(edge), 'removed');
  return {
    nodes,
    edges,
    flow: { ...now, nodes: [...now.nodes, ...removed], edges: [...now.edges, ...gone], ui: { ...now.ui, nodes: { ...old.ui.nodes, ...now.ui.nodes } } },
  };
}
