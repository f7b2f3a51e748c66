import type { Field, Widget } from './fields';
import { hasExpression } from './template';

export interface Count {
  n: number;
  of: number;
  over: boolean;
}

/** count is what the counter of a field says: characters as people count them in JSON Schema, or items. */
export function count(widget: Widget, field: Field, value: unknown): Count | null {
  if (Array.isArray(value) || widget === 'list' || widget === 'tags') {
    const most = field.schema['maxItems'];
    const n = Array.isArray(value) ? value.length : 0;
    return typeof most === 'number' && most <= 100 && (widget === 'list' || n > 0) ? { n, of: most, over: n > most } : null;
  }
  if (hasExpression(value)) return null; // nobody knows how long it gets
  const soft = field.hints.softMaxLength;
  const hard = field.schema['maxLength'];
  const of = soft ?? (typeof hard === 'number' ? hard : undefined);
  const n = typeof value === 'string' ? [...value].length : 0;
  if (of === undefined || (soft === undefined && widget !== 'textarea' && n < 0.8 * of)) return null;
  return { n, of, over: n > of };
}
