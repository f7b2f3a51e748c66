// What a form shows of an object: its members in order, under their groups, and which widget each gets.

import { asSchema, branches, hints, memberOf, types, type Hints, type Reading, type Schema } from './schema';
import { isObject, join } from './pointer';

export type Widget =
  | 'text' | 'textarea' | 'url' | 'tel' | 'secret' | 'duration' | 'number' | 'select' | 'switch'
  | 'instance' | 'recipient' | 'instances' | 'tags' | 'list' | 'section' | 'map' | 'json' | 'code' | 'value' | 'choice';

export interface Field {
  name: string;
  pointer: string;
  title: string;
  schema: Schema; // as it holds for the value
  hints: Hints;
  required: boolean;
  unknown: boolean; // the schema does not have it
}

export interface Group {
  title: string; // empty: those that stand under no heading
  fields: Field[];
}

/** groupsOf lists the members of an object. schema is resolved. A member that only the value has comes last. */
export function groupsOf(reading: Reading, schema: Schema, value: unknown, pointer: string): Group[] {
  const object = isObject(value) ? value : {};
  const required = Array.isArray(schema['required']) ? schema['required'] : [];
  const properties = asSchema(schema['properties']);
  const fields = Object.entries(properties).map(([name, part]): Field => fieldOf(reading, name, part, object[name], pointer, required.includes(name)));
  const at = fields.map((field, i) => [field.hints.order ?? 1e9 + i, i] as const);
  const sorted = fields.map((_, i) => i).sort((a, b) => at[a]![0] - at[b]![0] || a - b).map((i) => fields[i]!);
  const others = Object.keys(object).filter((name) => !Object.hasOwn(properties, name));
  for (const name of others) {
    const part = memberOf(schema, name);
    sorted.push({ ...fieldOf(reading, name, part === false ? {} : part, object[name], pointer, false), title: name, unknown: part === false });
  }
  const groups: Group[] = [];
  for (const field of sorted) {
    const title = field.hints.group ?? '';
    const group = groups.find((known) => known.title === title);
    if (group === undefined) groups.push({ title, fields: [field] });
    else group.fields.push(field);
  }
  return groups.sort((a, b) => Number(a.title !== '') - Number(b.title !== ''));
}

export function fieldOf(reading: Reading, name: string, part: unknown, value: unknown, pointer: string, required: boolean): Field {
  const schema = reading.resolve(part, value);
  return { name, pointer: join(pointer, name), title: titleOf(schema, name), schema, hints: hints(schema), required, unknown: false };
}

export const titleOf = (schema: Schema, name: string): string => (typeof schema['title'] === 'string' ? schema['title'] : inWords(name));

/** inWords makes "allowedSenders" and "allowed_senders" the words of a label. */
function inWords(name: string): string {
  const words = name.replaceAll(/[_-]+/g, ' ').replaceAll(/([a-z0-9])([A-Z])/g, (_, a: string, b: string) => `${a} ${b.toLowerCase()}`).trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const ofText: readonly string[] = ['text', 'textarea', 'url', 'tel', 'secret', 'duration', 'instance', 'recipient', 'code'];
// What a hint may ask for, by the type that the value has to have: a hint that does not fit is none.
const takes: Record<string, readonly string[]> = {
  string: ofText, number: ['number'], integer: ['number'], boolean: ['switch'], array: ['tags', 'instances', 'list', 'json'], object: ['section', 'map', 'json'],
};

/** widgetOf is the hinted widget if it can hold what the schema wants, and else the one for its type. */
export function widgetOf(reading: Reading, schema: Schema): Widget {
  const hinted = hints(schema).widget ?? '';
  if (optionsOf(reading, schema).length > 0) return 'select';
  if (branches(reading, schema).length > 1) return 'choice';
  const kinds = types(schema);
  if (hinted === 'json') return 'json';
  if (kinds.length === 0) return hinted === 'textarea' || hinted === 'text' ? hinted : 'json';
  if (kinds.length > 1) return 'value';
  const type = kinds[0]!;
  if (takes[type]?.includes(hinted)) return hinted as Widget;
  if (type === 'object') return 'properties' in schema ? 'section' : 'map';
  if (type === 'array') return ofArray(reading, schema);
  if (type === 'boolean') return 'switch';
  if (type === 'number' || type === 'integer') return 'number';
  if (type !== 'string') return 'json';
  if (schema['writeOnly'] === true || schema['format'] === 'password') return 'secret';
  return schema['format'] === 'uri' ? 'url' : 'text';
}

function ofArray(reading: Reading, schema: Schema): Widget {
  if ('prefixItems' in schema) return 'json';
  const items = reading.resolve(schema['items'], undefined);
  return types(items).length === 1 && types(items)[0] === 'string' && optionsOf(reading, items).length === 0 ? 'tags' : types(items).length === 0 && branches(reading, items).length === 0 ? 'json' : 'list';
}

export interface Option {
  value: unknown;
  label: string;
}

/** optionsOf are the values of enum, or of a oneOf of constants, with their labels. */
export function optionsOf(reading: Reading, schema: Schema): Option[] {
  const labels = hints(schema).labels ?? {};
  const named = (value: unknown, title?: unknown): Option => ({ value, label: labels[String(value)] ?? (typeof title === 'string' ? title : typeof value === 'string' ? value : JSON.stringify(value)) });
  if ('const' in schema) return [named(schema['const'])];
  if (Array.isArray(schema['enum'])) return schema['enum'].filter((value) => value !== null).map((value) => named(value));
  const all = branches(reading, schema);
  return all.length > 0 && all.every((branch) => 'const' in branch) ? all.map((branch) => named(branch['const'], branch['title'])) : [];
}

/** rounded is a value of seconds and the like as a person says it: 86400 s is "1 d". */
export function rounded(value: unknown, unit: string | undefined): string {
  const steps: Record<string, [number, string][]> = { s: [[86400, 'd'], [3600, 'h'], [60, 'min']], min: [[1440, 'd'], [60, 'h']], h: [[24, 'd']], bytes: [[1 << 30, 'GiB'], [1 << 20, 'MiB'], [1 << 10, 'KiB']] };
  const found = typeof value === 'number' && value > 0 ? (steps[unit ?? ''] ?? []).find(([size]) => value % size === 0) : undefined;
  return found === undefined ? '' : `${(value as number) / found[0]} ${found[1]}`;
}
