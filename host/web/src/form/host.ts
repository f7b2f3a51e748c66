// What a form asks of the host. The page asks its own; an embedded form, one elsewhere with a token.

import { post } from '../api/client';
import type { Of } from '../api/client';
import type { FormFinding } from './types';

export interface Host {
  validate(operation: string, input: unknown, signal: AbortSignal): Promise<Of<'Validity'>>;
  preview(operation: string, input: unknown, signal: AbortSignal): Promise<Of<'Result'>>;
}

const path = (operation: string, what: string): string => `/v1/operations/${encodeURIComponent(operation)}/${what}`;
const within = 15_000;

export const ownHost: Host = {
  validate: (operation, input, signal) => post(path(operation, 'validate'), { input }, { signal, within }),
  preview: (operation, input, signal) => post(path(operation, 'preview'), { input }, { signal, within }),
};

/** ofValidity are a node's violations and warnings as findings. */
export const ofValidity = (validity: Of<'Validity'>): FormFinding[] => [
  ...validity.violations.map((one): FormFinding => ({ pointer: one.pointer, severity: 'error', message: one.message, ...(one.suggestion ? { suggestion: one.suggestion } : {}) })),
  ...validity.warnings.map((one): FormFinding => ({ pointer: one.pointer ?? '', severity: 'warning', message: one.message })),
];
