// A flow as a small drawing: where it begins, where it branches, and one way through it that is lit.

import { source, type Flow } from '../../flow/model';

export interface Box {
  id: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Mini {
  boxes: Box[];
  ways: { path: string; lit: boolean }[];
  start: { x: number; y: number } | null; // where the lit way leaves the first step
}

export const size = { width: 300, height: 66 };
const columns = 3;
const rows = 3;
const box = { width: 64, height: 16 };

/** mini draws the first steps of a flow, at most three columns of three. */
export function mini(flow: Flow): Mini {
  const first = flow.triggers.find((trigger) => flow.nodes.some((node) => node.id === trigger.to))?.to ?? flow.nodes[0]?.id;
  if (first === undefined) return { boxes: [], ways: [], start: null };
  const next = (id: string): string[] => [...new Set(flow.edges.filter((edge) => source(edge.from)[0] === id).map((edge) => edge.to))];
  const placed = new Map<string, Box>();
  const edges: [string, string][] = [];
  let column = [first];
  const x = [0.5, (size.width - box.width) / 2, size.width - box.width - 0.5];
  for (let at = 0; at < columns && column.length > 0; at++) {
    const shown = column.slice(0, rows);
    shown.forEach((id, row) => {
      const height = at === 0 ? 22 : box.height;
      const middle = size.height / 2 + (row - (shown.length - 1) / 2) * 24;
      placed.set(id, { id, x: x[at] ?? 0, y: middle - height / 2, width: box.width, height });
    });
    const following: string[] = [];
    for (const id of shown)
      for (const to of next(id)) {
        if (placed.has(to) || following.length >= rows && !following.includes(to)) continue; // a way back is not drawn
        edges.push([id, to]);
        if (!following.includes(to)) following.push(to);
      }
    column = at + 1 < columns ? following : [];
  }
  const drawn = edges.filter(([from, to]) => placed.has(from) && placed.has(to));
  const lit = new Set<string>();
  // The way that goes on furthest is the one that shows most.
  const far = (id: string): number => 1 + Math.max(0, ...drawn.filter(([from]) => from === id).map(([, to]) => far(to)));
  for (let id: string | undefined = first; id !== undefined; ) {
    const onward: [string, string] | undefined = drawn.filter(([from]) => from === id).toSorted(([, a], [, b]) => far(b) - far(a))[0];
    if (onward) lit.add(onward.join('>'));
    id = onward?.[1];
  }
  const begin = placed.get(first);
  return {
    boxes: [...placed.values()],
    ways: drawn.map(([from, to]) => ({ path: curve(placed.get(from), placed.get(to)), lit: lit.has(`${from}>${to}`) })).toSorted((a, b) => Number(a.lit) - Number(b.lit)),
    start: begin && drawn.length > 0 ? { x: begin.x + begin.width, y: begin.y + begin.height / 2 } : null,
  };
}

function curve(from: Box | undefined, to: Box | undefined): string {
  if (!from || !to) return '';
  const [ax, ay, bx, by] = [from.x + from.width, from.y + from.height / 2, to.x, to.y + to.height / 2];
  const middle = (ax + bx) / 2;
  return `M${ax} ${ay}C${middle} ${ay} ${middle} ${by} ${bx} ${by}`;
}
