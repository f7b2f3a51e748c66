import dagre from '@dagrejs/dagre';
import { source, type Edge, type Flow, type Point } from './model';

export interface Box {
  width: number;
  height: number;
}

/** most steps whose edges are all weighed: with hundreds that lead far and back dagre takes minutes. */
const most = 80;

/** firstWays are the edges by which each step is reached first: a tree, which is laid out at once. */
function firstWays(flow: Flow): Edge[] {
  const out = new Map<string, Edge[]>();
  for (const edge of flow.edges) out.set(source(edge.from)[0], [...(out.get(source(edge.from)[0]) ?? []), edge]);
  const reached = new Set<string>();
  const ways: Edge[] = [];
  for (const begin of [...flow.triggers.map((trigger) => trigger.to), ...flow.nodes.map((node) => node.id)]) {
    if (reached.has(begin)) continue;
    reached.add(begin);
    for (const queue = [begin]; queue.length > 0; ) {
      for (const edge of out.get(queue.shift() ?? '') ?? []) {
        if (reached.has(edge.to)) continue;
        reached.add(edge.to);
        ways.push(edge);
        queue.push(edge.to);
      }
    }
  }
  return ways;
}

/** tidy lays the whole flow out from left to right: exits in the order of the form, steps in columns, triggers above the step they lead to. */
export function tidy(flow: Flow, sizes: ReadonlyMap<string, Box>, exits: (step: string) => readonly string[] = () => []): { nodes: Record<string, Point>; triggers: Record<string, Point> } {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 28, ranksep: 72, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(flow.nodes.map((node) => node.id));
  for (const node of flow.nodes) graph.setNode(node.id, sizes.get(node.id) ?? { width: 196, height: 120 });
  const edges = flow.nodes.length > most ? firstWays(flow) : flow.edges;
  edges.forEach((edge, index) => {
    const [node] = source(edge.from);
    if (known.has(node) && known.has(edge.to) && node !== edge.to) graph.setEdge(node, edge.to, {}, String(index));
  });
  dagre.layout(graph);
  const places = inOrder(flow, (id) => graph.node(id), exits);
  const at = (name: string): Point => places.get(name) ?? { x: 0, y: 0 };
  return {
    nodes: Object.fromEntries(flow.nodes.map((node) => [node.id, at(node.id)])),
    triggers: Object.fromEntries(
      flow.triggers.map((trigger, index) => {
        const target = known.has(trigger.to) ? at(trigger.to) : { x: 0, y: 0 };
        const before = flow.triggers.slice(0, index).filter((other) => other.to === trigger.to).length;
        return [trigger.id, { x: target.x + 18, y: target.y - 72 - before * 40 }];
      }),
    ),
  };
}

/**
 * inOrder keeps dagre's columns and puts the steps of each into the order of the exits that lead to them:
 * what the first button leads to lies above what the second does.
 */
function inOrder(flow: Flow, box: (id: string) => Box & Point, exits: (step: string) => readonly string[]): Map<string, Point> {
  const columns = new Map<number, string[]>();
  for (const { id } of flow.nodes) {
    const x = Math.round(box(id).x - box(id).width / 2);
    columns.set(x, [...(columns.get(x) ?? []), id]);
  }
  const places = new Map<string, Point>();
  for (const [x, ids] of [...columns].sort(([a], [b]) => a - b)) {
    const pulls = new Map(ids.map((id) => [id, pull(flow, id, places, exits)]));
    const ordered = [...ids].sort((a, b) => (pulls.get(a)?.key ?? 0) - (pulls.get(b)?.key ?? 0));
    const height = ordered.reduce((sum, id) => sum + box(id).height + 28, -28);
    const middles = ordered.map((id) => pulls.get(id)?.middle).filter((y): y is number => y !== undefined);
    let y = middles.length === 0 ? 0 : Math.round(middles.reduce((sum, middle) => sum + middle, 0) / middles.length - height / 2);
    for (const id of ordered) {
      places.set(id, { x, y });
      y += Math.round(box(id).height) + 28;
    }
  }
  const top = Math.min(0, ...[...places.values()].map((place) => place.y));
  for (const [id, place] of places) places.set(id, { x: place.x, y: place.y - top });
  return places;
}

/** pull is where the exits that lead to a step want it: after what lies above them, around their step's middle. */
function pull(flow: Flow, id: string, places: ReadonlyMap<string, Point>, exits: (step: string) => readonly string[]): { key: number; middle?: number } {
  const from = flow.edges.flatMap((edge) => {
    const [node, port] = source(edge.from);
    const place = places.get(node);
    return edge.to === id && place ? [{ key: place.y * 1000 + Math.max(0, exits(node).indexOf(port)), middle: place.y + 80 }] : [];
  });
  if (from.length === 0) return { key: flow.nodes.findIndex((node) => node.id === id) };
  return { key: Math.min(...from.map((one) => one.key)), middle: Math.min(...from.map((one) => one.middle)) };
}
