import { part } from '../../api/part';
import { untrack } from 'svelte';
import type { Flow, Layout } from '../../flow/model';
import type { Catalogue } from '../catalogue.svelte';
import { shapesOf } from './scene';

type Places = Pick<Layout, 'nodes' | 'triggers'>;

/**
 * Lay gives the steps of a flow that have no place one, for the eye only: the text stays as it is, so that
 * who only looks changes nothing. They are laid out anew when others have none, or when what they show has
 * come to be known; while somebody types nothing moves. Made while a component is.
 */
export class Lay {
  #given: Places = $state.raw({ nodes: {}, triggers: {} });
  #of: () => { flow: Flow; catalogue: Catalogue; foot?: boolean };

  constructor(of: () => { flow: Flow; catalogue: Catalogue; foot?: boolean }) {
    this.#of = of;
    let last = '';
    $effect(() => {
      const { flow, catalogue } = of();
      const bare = flow.nodes.filter((step) => !flow.ui.nodes[step.id]);
      const key = bare.length === 0 ? '' : JSON.stringify([bare.map((step) => step.id), flow.nodes.filter((step) => catalogue.of(step.type)).length]);
      if (key === last) return;
      last = key;
      if (key !== '') void untrack(() => this.#lay(() => key === last));
    });
  }

  /** flow has a place for every step that was laid out; those of its author come first. */
  get flow(): Flow {
    const { flow } = this.#of();
    return { ...flow, ui: { ...flow.ui, nodes: { ...this.#given.nodes, ...flow.ui.nodes }, triggers: { ...this.#given.triggers, ...flow.ui.triggers } } };
  }

  async #lay(wanted: () => boolean): Promise<void> {
    const { flow, catalogue, foot } = this.#of();
    const steps = shapesOf({ flow, catalogue }).filter((shape) => shape.type === 'step');
    const exits = new Map(steps.map(({ id, data }) => [id, data.ports.filter((port) => port.id !== data.main).map((port) => port.id)]));
    const boxes = new Map(steps.map(({ id, data }) => [id, { width: 196, height: 34 + (data.says === '' ? 0 : 48) + 30 * (exits.get(id)?.length ?? 0) + (foot ? 28 : 0) }]));
    const { tidy } = await part(() => import('../../flow/layout')); // with its library, when it is wanted
    if (wanted()) this.#given = tidy(flow, boxes, (id) => exits.get(id) ?? []);
  }
}
