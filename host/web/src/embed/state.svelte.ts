import type { FormFinding, Input, Instance, Operation, Person, Scope } from '../form/types';
import type { TokenSource } from './remote';

/** Given is what the page has set on the element, by attribute or by property. */
export class Given {
  operation = $state.raw<string | Operation>();
  host = $state<string>();
  token = $state.raw<TokenSource>();
  value = $state.raw<Input>({});
  findings = $state.raw<FormFinding[]>([]);
  scope = $state.raw<Scope>();
  instances = $state.raw<Instance[]>();
  people = $state.raw<Person[]>([]);
  preview = $state(false);
  submitLabel = $state('');
}

/** Told is what the element's events bring. */
export interface Told {
  input: Input;
  valid: boolean; // no error is known
  checked: boolean; // the host has checked just this input
  findings: FormFinding[];
  ports: { id: string; label?: string }[];
}
