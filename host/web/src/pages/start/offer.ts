// What the first message of a flow says, read from its step and the manifest of its node: text, and
// the buttons that its rules make of a list. It is a taste; the preview of the form is the real thing.

import { parts, saysOf } from '../../editor/canvas/says';
import type { Flow, Step } from '../../flow/model';
import { resolve, type Operation } from '../../flow/ports';

export interface Offer {
  says: string;
  buttons: { label: string; answers: boolean }[];
}

const most = 4; // buttons

/** firstStep is where a flow begins. */
export function firstStep(flow: Flow): Step | undefined {
  return flow.nodes.find((node) => flow.triggers.some((trigger) => trigger.to === node.id)) ?? flow.nodes[0];
}

export function offerOf(flow: Flow, step: Step, operation: Operation | undefined): Offer {
  const buttons: Offer['buttons'] = [];
  for (const rule of operation?.portRules ?? []) {
    const list = resolve(step.with, rule.each);
    for (const item of Array.isArray(list) ? (list as unknown[]) : []) {
      if (typeof item !== 'object' || item === null) continue;
      const members = item as Record<string, unknown>;
      const label = (rule.label ?? '').replace(/\{([^}]+)\}/g, (_, name: string) => String(members[name] ?? ''));
      const answers = Object.entries(rule.where ?? {}).every(([name, wanted]) => (members[name] ?? wanted) === wanted);
      if (label !== '' && buttons.length < most) buttons.push({ label: filled(flow, label), answers });
    }
  }
  return { says: filled(flow, saysOf(operation?.inputSchema, step.with)), buttons };
}

/** filled puts the defaults of variables where a text names them; what only a run knows is left as its name. */
function filled(flow: Flow, text: string): string {
  return parts(text)
    .map((part) => (part.expression ? String(flow.vars?.properties?.[part.text]?.default ?? part.text) : part.text))
    .join('');
}
