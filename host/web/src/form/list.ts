// What a list does with its items, apart from drawing: what a new one is, and how one is called.

import { titleOf } from './fields';
import { at, isObject } from './pointer';
import { asSchema, hints, types, type Reading, type Schema } from './schema';

/** moved is a list with one item in another place. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const out = [...list];
  out.splice(to, 0, ...out.splice(from, 1));
  return out;
}

/** keyOf is the member by which items differ, such as /id, if the schema names one. */
export const keyOf = (schema: Schema): string | undefined => (Array.isArray(schema['x-uniqueBy']) ? schema['x-uniqueBy'].find((key): key is string => typeof key === 'string') : undefined);

/** nameOf is an item in the words of its list: by itemTitle's template, or "Button 2". */
export function nameOf(schema: Schema, items: Schema, item: unknown, i: number, fallback: string): string {
  const template = hints(schema).itemTitle;
  const told = template === undefined ? (isObject(item) ? '' : String(item ?? '')) : template.replaceAll(/\{([^}]+)\}/g, (_, name: string) => String(at(item, `/${name}`) ?? ''));
  return told.trim() === '' ? `${titleOf(items, fallback)} ${i + 1}` : told;
}

/** created is a new item: its key is proposed, so that it has an exit of its own from the start. */
export function created(reading: Reading, schema: Schema, list: readonly unknown[]): unknown {
  const items = reading.resolve(schema['items'], undefined);
  if (types(items)[0] !== 'object') return types(items)[0] === 'array' ? [] : types(items)[0] === 'boolean' ? false : '';
  const key = keyOf(schema);
  const name = key?.slice(1);
  if (key === undefined || name === undefined || types(reading.resolve(asSchema(items['properties'])[name], undefined))[0] !== 'string') return {};
  const stem = titleOf(items, 'item').toLowerCase().replaceAll(/[^a-z0-9]+/g, '_');
  let n = list.length + 1;
  while (list.some((item) => at(item, key) === `${stem}_${n}`)) n++;
  return { [name]: `${stem}_${n}` };
}

/** iconOf is the icon that the schema gives to an item, by the value of a member that has icons. */
export function iconOf(reading: Reading, items: Schema, item: unknown): string | undefined {
  for (const [name, part] of Object.entries(asSchema(items['properties']))) {
    const schema = reading.resolve(part, at(item, `/${name}`));
    const icon = hints(schema).icons?.[String(at(item, `/${name}`) ?? schema['default'])];
    if (icon !== undefined) return icon;
  }
  return undefined;
}
