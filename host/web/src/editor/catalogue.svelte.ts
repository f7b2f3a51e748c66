import { SvelteMap } from 'svelte/reactivity';
import { get, post } from '../api/client';
import type { Flow } from '../flow/model';
import type { Operation } from '../flow/ports';

/** nodeOf is the part of an operation's id that those of one node share: shop of shop.sell@1. */
export const nodeOf = (operation: string): string => operation.split('.')[0] ?? operation;

type BasePort = { id: string; label?: string };
export type Known = { operation: Operation; base: BasePort[] };

/**
 * Catalogue is what nodes and flows can do, as their manifests say it. The list comes first; schemas and
 * ports of an operation come when a flow uses it.
 */
export class Catalogue {
  all: Operation[] = $state.raw([]);
  #known = new SvelteMap<string, Known>();
  #asked = new Set<string>();

  async load(signal: AbortSignal): Promise<void> {
    this.all = (await get<{ operations: Operation[] }>('/v1/operations', { signal })).operations;
  }

  get triggers(): Operation[] {
    return this.all.filter((operation) => operation.kind === 'TRIGGER');
  }
  get actions(): Operation[] {
    return this.all.filter((operation) => operation.kind === 'ACTION');
  }

  /** of gives an operation if it is known already; want asks for it. */
  of(id: string): Known | undefined {
    return this.#known.get(id);
  }

  title(id: string): string {
    return this.all.find((operation) => operation.id === id)?.title ?? id;
  }

  /** around are the operations of a flow, and the triggers of the same nodes: their events answer its steps. */
  around(flow: Flow): string[] {
    const types = [...flow.nodes.map((step) => step.type), ...flow.triggers.map((trigger) => trigger.type)];
    const nodes = new Set(types.map(nodeOf));
    return [...types, ...this.triggers.map((operation) => operation.id).filter((id) => nodes.has(nodeOf(id)))];
  }

  /** want asks for operations that are not known yet. One that is not installed is asked for once; the host's check says it is missing. */
  async want(ids: Iterable<string>): Promise<void> {
    const wanted = [...new Set(ids)].filter((id) => !this.#asked.has(id) && this.all.some((operation) => operation.id === id));
    for (const id of wanted) this.#asked.add(id);
    await Promise.all(
      wanted.map(async (id) => {
        try {
          const where = `/v1/operations/${encodeURIComponent(id)}`;
          const [operation, ports] = await Promise.all([get<Operation>(where), post<{ ports: BasePort[] }>(`${where}/ports`, { input: {} })]);
          this.#known.set(id, { operation, base: operation.kind === 'TRIGGER' ? [{ id: 'out' }] : ports.ports });
        } catch {
          this.#asked.delete(id); // asked again with the next change
        }
      }),
    );
  }
}
