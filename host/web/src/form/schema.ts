// Package schema reads a JSON Schema 2020-12 as a form needs it: what holds for one value, with its
// references, conditions and alternatives decided by the value.
//
// It guarantees that no keyword, known or not, keeps a form from being drawn: what cannot be read is
// left out here, and the host still checks it.

import { Validator, type OutputUnit } from '@cfworker/json-schema';
import { at, isObject } from './pointer';
import { hasExpression } from './template';

export type Schema = Record<string, unknown>;

/** Hints are x-ui of the schema: how to draw it, nothing about what is valid. */
export interface Hints {
  order?: number;
  widget?: string;
  group?: string;
  advanced?: boolean;
  expression?: boolean;
  placeholder?: string;
  help?: string;
  labels?: Record<string, string>;
  icons?: Record<string, string>;
  unit?: string;
  rows?: number;
  softMaxLength?: number;
  itemTitle?: string;
  addLabel?: string;
  preview?: string;
}

export const hints = (schema: Schema): Hints => (isObject(schema['x-ui']) ? (schema['x-ui'] as Hints) : {});

/** asSchema takes also the two schemas that are no objects. */
export const asSchema = (value: unknown): Schema => (isObject(value) ? value : value === false ? { not: {} } : {});

const deep = 32;

export class Reading {
  readonly root: Schema;
  private readonly validators = new WeakMap<Schema, Validator | null>();

  constructor(root: unknown) {
    this.root = asSchema(readable(root, 0));
    delete this.root['$id']; // references are local; one base for all parts
  }

  /** resolve is what holds for a value: references followed, allOf joined, if and dependentSchemas decided. */
  resolve(schema: unknown, value: unknown, depth = 0): Schema {
    const given = asSchema(schema);
    if (depth > deep) return given;
    const { $ref, allOf, if: condition, then, else: otherwise, dependentSchemas, dependentRequired, ...own } = given;
    let out: Schema = own;
    if (typeof $ref === 'string') out = merge(this.resolve(this.target($ref), value, depth + 1), out);
    if (Array.isArray(allOf)) for (const part of allOf) out = merge(out, this.resolve(part, value, depth + 1));
    if (condition !== undefined) {
      const branch = this.fits(asSchema(condition), value) ? then : otherwise;
      if (branch !== undefined) out = merge(out, this.resolve(branch, value, depth + 1));
    }
    if (isObject(value)) {
      for (const [name, part] of Object.entries(asSchema(dependentSchemas))) if (Object.hasOwn(value, name)) out = merge(out, this.resolve(part, value, depth + 1));
      for (const [name, needed] of Object.entries(asSchema(dependentRequired))) if (Object.hasOwn(value, name)) out = merge(out, { required: needed });
    }
    return out;
  }

  target(ref: string): unknown {
    if (!ref.startsWith('#')) return {};
    try {
      return at(this.root, decodeURIComponent(ref.slice(1))) ?? {};
    } catch {
      return {};
    }
  }

  fits(schema: Schema, value: unknown): boolean {
    return this.errors(schema, value)?.length === 0;
  }

  /** errors is what cfworker finds, in its order; null if the schema is beyond it. */
  errors(schema: Schema, value: unknown): OutputUnit[] | null {
    let validator = this.validators.get(schema);
    if (validator === undefined) {
      try {
        validator = new Validator(schema === this.root ? schema : { ...schema, $defs: { ...asSchema(this.root['$defs']), ...asSchema(schema['$defs']) } }, '2020-12', false);
      } catch {
        validator = null;
      }
      this.validators.set(schema, validator);
    }
    try {
      return validator?.validate(value).errors ?? null;
    } catch {
      return null;
    }
  }
}

/** merge joins two schemas that both hold; where they differ, the second says more precisely how to draw. */
export function merge(a: Schema, b: Schema): Schema {
  const out: Schema = { ...a };
  for (const [keyword, value] of Object.entries(b)) {
    const before = out[keyword];
    if (before === undefined) out[keyword] = value;
    else if (keyword === 'properties' && isObject(before) && isObject(value)) {
      const members: Schema = { ...before };
      for (const [name, part] of Object.entries(value)) members[name] = name in before ? merge(asSchema(before[name]), asSchema(part)) : part;
      out[keyword] = members;
    } else if (keyword === 'required' && Array.isArray(before) && Array.isArray(value)) out[keyword] = [...new Set([...before, ...value])];
    else if (keyword === 'x-ui' && isObject(before) && isObject(value)) out[keyword] = { ...before, ...value };
    else if (/^max/.test(keyword) && typeof before === 'number' && typeof value === 'number') out[keyword] = Math.min(before, value);
    else if (/^min/.test(keyword) && typeof before === 'number' && typeof value === 'number') out[keyword] = Math.max(before, value);
    else out[keyword] = value;
  }
  return out;
}

/** memberOf is the schema of a member by its name: false where there may be none, {} where nothing is said. */
export function memberOf(schema: Schema, name: string): unknown {
  const own = asSchema(schema['properties']);
  if (Object.hasOwn(own, name)) return own[name];
  const found = Object.entries(asSchema(schema['patternProperties'])).find(([pattern]) => new RegExp(pattern, 'u').test(name));
  return found?.[1] ?? schema['additionalProperties'] ?? {};
}

/** types are those a schema takes, null aside: what is left out of an input is how a form says null. */
export function types(schema: Schema): string[] {
  const type = schema['type'];
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.filter((one): one is string => typeof one === 'string' && one !== 'null');
  if (Array.isArray(schema['enum']) && schema['enum'].every((value) => typeof value === 'string')) return ['string'];
  if ('properties' in schema || 'patternProperties' in schema) return ['object'];
  if ('items' in schema || 'prefixItems' in schema) return ['array'];
  return [];
}

/** branches are the alternatives a person chooses from: those of oneOf or anyOf that say what a value looks like. */
export function branches(reading: Reading, schema: Schema): Schema[] {
  const list = [schema['oneOf'], schema['anyOf']].find(Array.isArray) as unknown[] | undefined;
  const all = (list ?? []).map((branch) => reading.resolve(branch, undefined));
  const shaped = all.filter((branch) => branch['type'] !== 'null' && ['type', 'properties', 'const', 'enum', 'items'].some((keyword) => keyword in branch));
  return shaped.length === all.filter((branch) => branch['type'] !== 'null').length ? shaped : [];
}

/** meant is the branch that a value belongs to: the first it fits, or else the one whose constants and types it shares most. */
export function meant(reading: Reading, all: readonly Schema[], value: unknown): number {
  const fitting = all.findIndex((branch) => reading.fits(branch, value));
  if (fitting >= 0 || value === undefined) return fitting;
  const scores = all.map((branch) => likeness(branch, value));
  const best = Math.max(...scores);
  return best > 0 ? scores.indexOf(best) : -1;
}

function likeness(branch: Schema, value: unknown): number {
  const kind = Array.isArray(value) ? 'array' : value === null ? 'null' : typeof value;
  let score = types(branch).some((type) => type === kind || (type === 'integer' && kind === 'number')) || hasExpression(value) ? 1 : 0;
  if (isObject(value)) {
    for (const [name, part] of Object.entries(asSchema(branch['properties']))) {
      if (!Object.hasOwn(value, name)) continue;
      const constant = asSchema(part)['const'];
      if (constant === undefined) score += 1;
      else score += constant === value[name] ? 10 : -10;
    }
  }
  return score;
}

/** readable is a copy without what cfworker would throw at: patterns of another dialect, references elsewhere. */
function readable(value: unknown, depth: number): unknown {
  if (depth > 2 * deep) return {};
  if (Array.isArray(value)) return value.map((item) => readable(item, depth + 1));
  if (!isObject(value)) return value;
  const out: Record<string, unknown> = {};
  for (const [name, part] of Object.entries(value)) {
    if (name === 'pattern' && typeof part === 'string' && !isPattern(part)) continue;
    if (name === '$ref' && typeof part === 'string' && !part.startsWith('#')) continue;
    if (name === 'patternProperties' && isObject(part)) out[name] = Object.fromEntries(Object.entries(part).filter(([pattern]) => isPattern(pattern)).map(([pattern, inner]) => [pattern, readable(inner, depth + 1)]));
    else out[name] = readable(part, depth + 1);
  }
  return out;
}

function isPattern(source: string): boolean {
  try {
    new RegExp(source, 'u');
    return true;
  } catch {
    return false;
  }
}
