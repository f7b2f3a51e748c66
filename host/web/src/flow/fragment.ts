import { isMap, isSeq, parseDocument, stringify } from 'yaml';
import { addStep, connect, newId, putNote, together, type Edit } from './edits';
import { flowOf, source, type Flow, type Point } from './model';

/** copy gives steps and notes as YAML, with the edges between them: text that any flow, here or elsewhere, can take in. */
export function copy(flow: Flow, ids: readonly string[]): string {
  const chosen = new Set(ids);
  const nodes = flow.nodes.filter((node) => chosen.has(node.id));
  const edges = flow.edges.filter((edge) => chosen.has(source(edge.from)[0]) && chosen.has(edge.to));
  const notes = flow.ui.notes.filter((note) => chosen.has(note.id));
  const places = Object.fromEntries(nodes.flatMap((node) => (flow.ui.nodes[node.id] ? [[node.id, flow.ui.nodes[node.id]]] : [])));
  return stringify({ nodes, edges, ui: { nodes: places, ...(notes.length > 0 && { notes }) } }, { lineWidth: 0 });
}

/** Pasted is an edit that takes in a copied piece, and the ids its steps got. */
export interface Pasted {
  edit: Edit;
  ids: string[];
}

const maxPaste = 256 * 1024; // characters; a flow of 500 steps is less

/** paste reads a piece, or a whole flow file; null if the text is neither. Its steps get ids of their own here, and lie at a place. */
export function paste(text: string, flow: Flow, at: Point): Pasted | null {
  if (text.length > maxPaste) return null;
  const document = parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents) || !isSeq(document.get('nodes'))) return null;
  const piece = flowOf(document.toJS({ maxAliasCount: 100 }));
  if (piece.nodes.length === 0 || piece.nodes.some((node) => node.id === '' || node.type === '')) return null;
  const taken = new Set(flow.nodes.map((node) => node.id));
  const names = new Map<string, string>();
  for (const node of piece.nodes) {
    const id = newId(node.id, taken);
    taken.add(id);
    names.set(node.id, id);
  }
  const places = piece.nodes.map((node, index) => piece.ui.nodes[node.id] ?? { x: (index % 3) * 260, y: Math.floor(index / 3) * 160 });
  const corner = { x: Math.min(...places.map((p) => p.x)), y: Math.min(...places.map((p) => p.y)) };
  const edits: Edit[] = piece.nodes.map((node, index) => {
    const place = places[index] ?? corner;
    return addStep({ ...node, id: names.get(node.id) ?? node.id }, { x: at.x + place.x - corner.x, y: at.y + place.y - corner.y });
  });
  for (const edge of piece.edges) {
    const [node, port] = source(edge.from);
    const [from, to] = [names.get(node), names.get(edge.to)];
    if (from !== undefined && to !== undefined) edits.push(connect(`${from}.${port}`, to));
  }
  for (const note of piece.ui.notes) {
    const id = newId('note', flow.ui.notes.map((n) => n.id).concat([...taken]));
    taken.add(id);
    edits.push(putNote({ ...note, id, x: at.x + note.x - corner.x, y: at.y + note.y - corner.y }));
  }
  return { edit: together(...edits), ids: [...names.values()] };
}
