// What the form is given, and what it tells. The editor and the embeddable form both speak this.

import type { Of } from '../api/client';

export type Operation = Of<'Operation'> & { id: string; title?: string; summary?: string; icon?: string; kind?: string };

export type Input = Record<string, unknown>;

/** FormFinding is one thing that is wrong, or doubtful, in an input: where, by JSON Pointer, in words of whoever found it. */
export interface FormFinding {
  pointer: string;
  severity: 'error' | 'warning';
  message: string;
  suggestion?: string;
}

/** Entry is something an expression may name, with the value it had in a real run. */
export interface Entry {
  path: string;
  name?: string; // what it is to a person: a variable's title, a step's name and the member
  type?: string;
  sample?: unknown;
}

export type Evaluated = { value: unknown } | { error: string };

/** Scope is what expressions may name. run is the run whose values are shown, and choose opens the choice of another. */
export interface Scope {
  entries: Entry[];
  run?: { label: string; choose(): void };
  evaluate(source: string, signal: AbortSignal): Promise<Evaluated>;
}

export interface Instance {
  name: string;
  state: string;
}

export interface Person {
  number: string;
  name: string;
}
