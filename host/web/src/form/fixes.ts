// Fixes that are certain enough to be one tap: what was meant can be told from the value and the schema.

import { hints, types, type Schema } from './schema';
import type { Option } from './fields';
import type { FormFinding } from './types';

export interface Fix {
  kind: 'use' | 'remove';
  value: unknown; // undefined removes the member
}

/** fixOf is the fix of a finding at a field with this schema, or null. unknown: the schema has no such member. */
export function fixOf(finding: FormFinding, schema: Schema, options: readonly Option[], value: unknown, unknown = false): Fix | null {
  if (unknown) return { kind: 'remove', value: undefined };
  if (typeof value === 'number') return seconds(schema, value);
  if (typeof value !== 'string') return null;
  const meant = options.find((option) => typeof option.value === 'string' && option.value.toLowerCase() === value.trim().toLowerCase());
  if (meant !== undefined && meant.value !== value) return { kind: 'use', value: meant.value };
  if (/^http:\/\//i.test(value) && (hints(schema).widget === 'url' || schema['format'] === 'uri') && /https:\/\//.test(`${finding.message} ${finding.suggestion ?? ''}`)) return { kind: 'use', value: `https${value.slice(4)}` };
  const number = Number(value);
  if (value.trim() !== '' && Number.isFinite(number) && types(schema).some((type) => type === 'number' || (type === 'integer' && Number.isInteger(number)))) return { kind: 'use', value: number };
  return null;
}

/** seconds takes thousands of seconds for what they most likely are: milliseconds. */
function seconds(schema: Schema, value: number): Fix | null {
  const most = schema['maximum'];
  const least = schema['minimum'];
  const meant = value / 1000;
  if (hints(schema).unit !== 's' || typeof most !== 'number' || value <= most || !Number.isInteger(meant) || meant > most || (typeof least === 'number' && meant < least)) return null;
  return { kind: 'use', value: meant };
}
