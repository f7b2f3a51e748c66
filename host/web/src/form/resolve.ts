// An input with its expressions computed, as far as they can be: with the values of a real run, or else
// with the schema's own example in their place. It is what the node is asked to check and to preview.

import { at, isObject, put, tokens } from './pointer';
import { hints, memberOf, types, type Reading, type Schema } from './schema';
import { expressions } from './template';
import type { Scope } from './types';

export interface Resolved {
  value: unknown;
  guessed: string[]; // places that have an example in place of a value
}

const most = 50; // more expressions than a form has; the rest get examples

export async function resolve(reading: Reading, value: unknown, scope: Scope | undefined, signal: AbortSignal): Promise<Resolved> {
  const guessed: string[] = [];
  let out = value;
  for (const [i, pointer] of expressions(value).entries()) {
    const source = at(value, pointer) as string;
    const answer = scope === undefined || i >= most ? null : await scope.evaluate(source, signal);
    if (answer !== null && 'value' in answer && answer.value !== null) out = put(out, pointer, answer.value);
    else {
      guessed.push(pointer);
      out = put(out, pointer, example(reading, schemaAt(reading, value, pointer), source));
    }
  }
  return { value: out, guessed };
}

/** schemaAt is what holds for one place of a value. */
export function schemaAt(reading: Reading, value: unknown, pointer: string): Schema {
  let schema = reading.resolve(reading.root, value);
  let here = value;
  for (const token of tokens(pointer)) {
    const part = Array.isArray(here) ? schema['items'] : memberOf(schema, token);
    here = Array.isArray(here) ? here[Number(token)] : isObject(here) ? here[token] : undefined;
    schema = reading.resolve(part, here);
  }
  return schema;
}

function example(reading: Reading, schema: Schema, source: string): unknown {
  const given = schema['examples'];
  // A text that is only shown may show the expression as it is written; anything else has to be understood.
  const free = types(schema)[0] === 'string' && ['text', 'textarea'].includes(hints(schema).widget ?? 'text') && reading.fits(schema, source);
  if (!free) {
    if (Array.isArray(given) && given.length > 0) return given[0];
    if (schema['default'] !== undefined) return schema['default'];
    if (Array.isArray(schema['enum'])) return schema['enum'][0];
  }
  switch (types(schema)[0]) {
    case 'integer': case 'number': return typeof schema['minimum'] === 'number' ? schema['minimum'] : 1;
    case 'boolean': return true;
    case 'array': return [];
    case 'object': return {};
    default: return source; // a text in which an expression shows as it is written
  }
}
