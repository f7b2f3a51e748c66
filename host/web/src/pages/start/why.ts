import { Refusal, said } from '../../api/client';
import { start as words } from './words';

/** why is what was wrong in words: the server's own, or ours for what never got to it. */
export function why(error: unknown): string {
  if (error instanceof Refusal && error.code === 'no_flow') return words().noFlow;
  if (error instanceof Refusal && error.code === 'too_large') return words().tooLarge;
  return said(error);
}
