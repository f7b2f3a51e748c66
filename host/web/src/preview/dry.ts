// A node's own dry run of an input, as a preview shows it.

import { ofValidity, type Host } from '../form/host';
import { resolve } from '../form/resolve';
import { Reading } from '../form/schema';
import { titleAt } from '../form/titles';
import type { FormFinding, Operation, Scope } from '../form/types';

export interface Dry {
  output: unknown;
  warnings: FormFinding[];
  guessed: string; // the fields that have an example in place of a value
}

/** dryRun is null when the input is not complete: what is wrong is said at its fields. */
export async function dryRun(host: Host, operation: Operation, input: unknown, scope: Scope | undefined, signal: AbortSignal): Promise<Dry | null> {
  const reading = new Reading(operation.inputSchema);
  const computed = await resolve(reading, input, scope, signal);
  const validity = await host.validate(operation.id, computed.value, signal);
  if (!validity.valid) return null;
  const { output } = await host.preview(operation.id, computed.value, signal);
  return { output, warnings: ofValidity(validity), guessed: computed.guessed.map((pointer) => titleAt(reading, input, pointer)).join(', ') };
}
