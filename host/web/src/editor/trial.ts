import { post } from '../api/client';
import { resolve } from '../flow/ports';
import { remembered } from '../phone/tryout';
import type { Catalogue } from './catalogue.svelte';
import type { Draft } from './draft.svelte';
import type { Editor } from './editor.svelte';

/**
 * trial starts a run of the draft as it stands, for a person on the simulated phone: by hand if the flow
 * can be started so. The draft is on the host before; it need not be published.
 */
export async function trial(editor: Editor, draft: Draft, catalogue: Catalogue, person: string, instance: string | null): Promise<string> {
  await draft.flush();
  await draft.look();
  const version = draft.draft?.version ?? draft.live?.version;
  const begin = remembered(editor.flow);
  const vars: Record<string, unknown> = { ...begin.vars };
  // The variables that say whom and by what are told by the fields that use them.
  for (const step of editor.flow.nodes) {
    const properties = (resolve(catalogue.of(step.type)?.operation.inputSchema, '/properties') ?? {}) as Record<string, { 'x-ui'?: { widget?: string } }>;
    for (const [field, value] of Object.entries(step.with)) {
      const name = typeof value === 'string' ? /^\$\{\s*vars\.([A-Za-z_]\w*)\s*\}$/.exec(value)?.[1] : undefined;
      const widget = properties[field]?.['x-ui']?.widget;
      if (name !== undefined && widget === 'recipient') vars[name] = person;
      if (name !== undefined && widget === 'instance' && instance !== null) vars[name] = instance;
    }
  }
  const manual = editor.flow.triggers.find((trigger) => trigger.type === 'manual');
  const { run } = await post<{ run: string }>(`/v1/flows/${encodeURIComponent(draft.flow)}/runs`, { version, ...(manual && { trigger: manual.id }), ...begin, vars });
  return run;
}
