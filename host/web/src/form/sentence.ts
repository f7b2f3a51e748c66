// What is wrong with a value, in the words that the host uses for the same keyword (sdk/schema/sentence.go):
// a finding of the browser and the host's that takes its place a moment later must not read differently.

import { isObject } from './pointer';

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
const literals = (values: unknown[]): string => values.map((value) => JSON.stringify(value)).join(', ');
const characters = (value: unknown): number => [...String(value)].length;

export function typeOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return typeof value;
}

/** sentence says that value does not keep to a keyword, whose own value is rule; null if that says nothing to a person. */
export function sentence(keyword: string, rule: unknown, value: unknown): string | null {
  const n = Number(rule);
  const size = Array.isArray(value) ? value.length : isObject(value) ? Object.keys(value).length : characters(value);
  switch (keyword) {
    case 'type': return `must be ${(Array.isArray(rule) ? rule : [rule]).join(' or ')}, not ${typeOf(value)}`;
    case 'enum': return `must be one of ${literals(rule as unknown[])}`;
    case 'const': return `must be ${literals([rule])}`;
    case 'minLength': return `must have at least ${count(n, 'character')}, has ${size}`;
    case 'maxLength': return `must have at most ${count(n, 'character')}, has ${size}`;
    case 'pattern': return `must match ${String(rule)}`;
    case 'format': return `is not a valid ${String(rule)}`;
    case 'minItems': return `must have at least ${count(n, 'element')}, has ${size}`;
    case 'maxItems': return `must have at most ${count(n, 'element')}, has ${size}`;
    case 'uniqueItems': return 'two elements are equal';
    case 'minProperties': return `must have at least ${count(n, 'member')}, has ${size}`;
    case 'maxProperties': return `must have at most ${count(n, 'member')}, has ${size}`;
    case 'minimum': return `must be at least ${n}`;
    case 'maximum': return `must be at most ${n}`;
    case 'exclusiveMinimum': return `must be greater than ${n}`;
    case 'exclusiveMaximum': return `must be less than ${n}`;
    case 'multipleOf': return `must be a multiple of ${n}`;
    case 'not': return 'has a shape that is not allowed';
    case 'contains': case 'minContains': return 'misses an element of the required shape';
    case 'maxContains': return 'has too many elements of one shape';
    case 'propertyNames': return 'a member must not have this name';
    case 'false': return 'is not allowed here';
    default: return null;
  }
}
