import { get, post } from '../api/client';
import { source, type Flow } from '../flow/model';
import type { Entry, Scope } from '../form/types';
import { resolve } from '../flow/ports';
import { nodeOf, type Catalogue } from './catalogue.svelte';


export interface Sample {
  label: string;
  data: { vars: Record<string, unknown>; run: { id: string }; event: unknown; nodes: Record<string, unknown> };
}

interface Line {
  step: string;
  node?: string;
  data?: unknown;
}

/** sampleOf takes the values of a run as they were when it came to a step last; of the whole run without one. */
function sampleOf(run: string, lines: readonly Line[], node: string | null, label: string): Sample {
  const data: Sample['data'] = { vars: {}, run: { id: run }, event: null, nodes: {} };
  let last = lines.length;
  if (node !== null) lines.forEach((line, index) => line.step === 'node.started' && line.node === node && (last = index));
  for (const line of lines.slice(0, last)) {
    const record = typeof line.data === 'object' && line.data !== null ? (line.data as Record<string, unknown>) : {};
    if (line.step === 'run.started') data.vars = { ...record };
    if (line.step === 'node.succeeded' && line.node) data.nodes[line.node] = line.data;
    if (line.step === 'wait.answered' || line.step === 'wait.restarted') data.event = line.data ?? data.event;
  }
  return { label, data };
}

/** loadSample asks for a run's values; in clear if the session may see them. */
export async function loadSample(run: string, node: string | null, reveal: boolean, label: string, signal: AbortSignal): Promise<Sample> {
  const history = await get<{ steps: Line[] | null }>(`/v1/runs/${encodeURIComponent(run)}${reveal ? '?reveal=true' : ''}`, { signal });
  return sampleOf(run, history.steps ?? [], node, label);
}

/** scopeOf lists what can be named at a step: the flow's variables, the run, the event that led here, and outputs of steps before it. */
export function scopeOf(flow: Flow, catalogue: Catalogue, node: string | null, sample: Sample | null, choose: () => void): Scope {
  const entries: Entry[] = [];
  const add = (path: string, name: string, type: string | undefined): void => {
    const value = sample === null ? undefined : resolve(sample.data, '/' + path.split('.').join('/'));
    entries.push({ path, name, ...(type !== undefined && { type }), ...(value !== undefined && { sample: value }) });
  };
  for (const [name, schema] of Object.entries(flow.vars?.properties ?? {})) add(`vars.${name}`, schema.title ?? name, schema.type);
  add('run.id', 'run.id', 'string');
  for (const [path, type] of eventMembers(flow, catalogue, node)) add(`event.${path}`, path, type);
  for (const step of flow.nodes) {
    if (step.id === node) continue;
    const schema = catalogue.of(step.type)?.operation.outputSchema;
    for (const [path, type] of members(schema, 2)) add(/^[A-Za-z_][A-Za-z0-9_]*$/.test(step.id) ? `nodes.${step.id}.${path}` : `nodes["${step.id}"].${path}`, `${step.name || catalogue.title(step.type)}: ${path}`, type);
  }
  return {
    entries,
    ...(sample !== null && { run: { label: sample.label, choose } }),
    evaluate: async (template, signal) => {
      try {
        const { value, finding } = await post<{ value: unknown; finding?: { message: string } }>('/v1/expressions/evaluate', { template, data: sample?.data ?? {} }, { signal });
        return finding ? { error: finding.message } : { value };
      } catch (error) {
        if (signal.aborted) throw error;
        return { error: error instanceof Error ? error.message : String(error) };
      }
    },
  };
}

/** eventMembers are those of the events that can lead to a step: of triggers that begin there, and of answers to steps before it. */
function eventMembers(flow: Flow, catalogue: Catalogue, node: string | null): Map<string, string | undefined> {
  const found = new Map<string, string | undefined>();
  const types = new Set(flow.triggers.map((trigger) => trigger.type));
  const before = new Set(flow.edges.filter((edge) => node === null || edge.to === node).map((edge) => source(edge.from)[0]));
  const answered = flow.nodes.some((step) => before.has(step.id) && (catalogue.of(step.type)?.base.some((port) => port.id === 'timeout') ?? false));
  for (const operation of catalogue.triggers) {
    // An answer comes as the event of a trigger of the same node.
    const own = answered && flow.nodes.some((step) => before.has(step.id) && nodeOf(step.type) === nodeOf(operation.id));
    if (!types.has(operation.id) && !own) continue;
    for (const event of catalogue.of(operation.id)?.operation.events ?? []) for (const [path, type] of members(event.schema, 2)) found.set(path, type);
  }
  return found;
}

function members(schema: unknown, depth: number): [string, string | undefined][] {
  const found: [string, string | undefined][] = [];
  const walk = (at: unknown, path: string, left: number): void => {
    const ref = resolve(at, '/$ref');
    const here = typeof ref === 'string' && ref.startsWith('#') ? resolve(schema, ref.slice(1)) : at;
    for (const [name, property] of Object.entries((resolve(here, '/properties') ?? {}) as Record<string, { type?: unknown; properties?: unknown; $ref?: unknown }>)) {
      const where = path === '' ? name : `${path}.${name}`;
      const inner = property.properties !== undefined || property.$ref !== undefined;
      const type = Array.isArray(property.type) ? String(property.type.find((t) => t !== 'null')) : property.type;
      if (!inner || left <= 1) found.push([where, typeof type === 'string' ? type : undefined]);
      if (inner && left > 1) walk(property, where, left - 1);
    }
  };
  walk(schema, '', depth);
  return found.slice(0, 60);
}
