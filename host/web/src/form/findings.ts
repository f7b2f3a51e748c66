// One list of findings out of three sources: the schema in the browser, which is at once; the node, by
// POST …/validate; and the check of the whole flow. Of one place only one source speaks, the node before
// the flow before the browser, so that no mistake is told in two wordings.

import { at, below, same } from './pointer';
import { expressions } from './template';
import type { FormFinding } from './types';

/** Told is what a host has said, and about which input. */
export interface Told {
  value: unknown;
  findings: readonly FormFinding[];
}

/** still are those of a host's findings that hold on: their place has the value that they were about. */
export const still = (told: Told | null, value: unknown): FormFinding[] =>
  told === null ? [] : told.findings.filter((finding) => same(at(told.value, finding.pointer), at(value, finding.pointer)));

/** joined is the one list, by place in the order of the sources, errors before warnings. */
export function joined(value: unknown, browser: readonly FormFinding[], flow: readonly FormFinding[], node: Told | null): FormFinding[] {
  const computed = expressions(value);
  const said = still(node, value).filter((finding) => !computed.some((place) => below(finding.pointer, place)));
  // What the node has seen and let pass, the browser does not know better: the schema may be stricter.
  const own = node === null ? browser : browser.filter((finding) => !same(at(node.value, finding.pointer), at(value, finding.pointer)) || said.some((other) => other.pointer === finding.pointer));
  const out: FormFinding[] = [];
  for (const source of [said, flow, own]) {
    const spoken = new Set(out.filter((finding) => finding.severity === 'error').map((finding) => finding.pointer));
    for (const finding of source) {
      const twice = out.some((other) => other.pointer === finding.pointer && other.message === finding.message);
      if (!twice && !(finding.severity === 'error' && spoken.has(finding.pointer))) out.push(finding);
    }
  }
  return out;
}
