// What all parts of one form share, without handing it down through every one of them.

import { getContext, setContext } from 'svelte';
import type { SvelteSet } from 'svelte/reactivity';
import type { Reading } from './schema';
import { below } from './pointer';
import type { FormFinding, Input, Instance, Person, Scope } from './types';

export interface FormContext {
  readonly reading: Reading;
  readonly value: Input;
  readonly findings: readonly FormFinding[];
  readonly scope: Scope | undefined;
  readonly instances: readonly Instance[];
  readonly people: readonly Person[];
  /** shown are places that a jump has opened, or that have been shown once: they stay. */
  readonly shown: SvelteSet<string>;
  idOf(pointer: string): string;
  change(pointer: string, value: unknown, what: string): void;
  say(words: string): void; // politely, to whoever does not see it
}

const key = Symbol('form');

export const share = (context: FormContext): FormContext => setContext(key, context);
export const shared = (): FormContext => getContext<FormContext>(key);

export const findingsAt = (context: FormContext, pointer: string): FormFinding[] => context.findings.filter((finding) => finding.pointer === pointer);
export const findingsBelow = (context: FormContext, pointer: string): FormFinding[] => context.findings.filter((finding) => below(finding.pointer, pointer));
