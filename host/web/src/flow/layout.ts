import dagre from '@dagrejs/dagre';
import { source, type Flow, type Point } from './model';

export interface Box {
  width: number;
  height: number;
}

/** tidy lays the whole flow out from left to right: exits in the order of the form, steps in columns, triggers above the step they lead to. */
export function tidy(flow: Flow, sizes: ReadonlyMap<string, Box>): { nodes: Record<string, Point>; triggers: Record<string, Point> } {
  const graph = new dagre.graphlib.Graph({ multigraph: true });
  graph.setGraph({ rankdir: 'LR', nodesep: 28, ranksep: 72, marginx: 0, marginy: 0 });
  graph.setDefaultEdgeLabel(() => ({}));
  const known = new Set(flow.nodes.map((node) => node.id));
  for (const node of flow.nodes) graph.setNode(node.id, sizes.get(node.id) ?? { width: 196, height: 120 });
  flow.edges.forEach((edge, index) => {
    const [node] = source(edge.from);
    if (known.has(node) && known.has(edge.to) && node !== edge.to) graph.setEdge(node, edge.to, {}, String(index));
  });
  dagre.layout(graph);
  const at = (name: string): Point => {
    const { x, y, width, height } = graph.node(name);
    return { x: Math.round(x - width / 2), y: Math.round(y - height / 2) };
  };
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
