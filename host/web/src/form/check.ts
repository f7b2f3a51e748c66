// Findings from the schema, in the browser and at once. The host checks again and its word holds.

import type { OutputUnit } from '@cfworker/json-schema';
import { at, below, isObject, join } from './pointer';
import { asSchema, type Reading, type Schema } from './schema';
import { sentence } from './sentence';
import { expressions } from './template';
import type { FormFinding } from './types';

const most = 100;

/** check is what the schema says about a value. Nothing is said about a place that an expression fills in. */
export function check(reading: Reading, value: unknown): FormFinding[] {
  const errors = reading.errors(reading.root, value) ?? [];
  const computed = expressions(value);
  const findings = [...explain(reading, errors, value), ...duplicates(reading, value)];
  const known = new Set<string>();
  return findings.filter((finding) => {
    const told = `${finding.pointer}\n${finding.message}`;
    const open = computed.some((place) => below(finding.pointer, place) || (finding.whole && below(place, finding.pointer)));
    return !open && !known.has(told) && known.add(told);
  }).slice(0, most).map(({ pointer, severity, message, suggestion }) => ({ pointer, severity, message, ...(suggestion === undefined ? {} : { suggestion }) }));
}

/** whole: it is about everything inside of the place, also about what an expression will fill in. */
interface Found extends FormFinding {
  whole?: boolean;
}

function explain(reading: Reading, errors: readonly OutputUnit[], value: unknown): Found[] {
  const alternatives = errors.filter((error) => error.keyword === 'oneOf' || error.keyword === 'anyOf');
  const inside = (error: OutputUnit) => alternatives.filter((one) => error !== one && error.keywordLocation.startsWith(`${one.keywordLocation}/`));
  const outer = errors.filter((error) => inside(error).length === 0);
  const found: Found[] = [];
  for (const error of outer) {
    if (error.keyword === 'oneOf' || error.keyword === 'anyOf') found.push(...ofBranches(reading, errors, error, value));
    else found.push(...ofError(reading, error, value));
  }
  // That a text is too short says more than the pattern it does not match, and that a member is not known
  // more than the false schema it failed.
  const more = (pointer: string, words: RegExp) => found.some((one) => one.pointer === pointer && words.test(one.message));
  return found.filter((one) => !(one.message.startsWith('must match') && more(one.pointer, /^must have at least/)) && !(one.message === 'is not allowed here' && more(one.pointer, /is not known here$/)));
}

/** ofBranches lets that branch speak whose constants and types fit best: it is the one that was meant. */
function ofBranches(reading: Reading, errors: readonly OutputUnit[], error: OutputUnit, value: unknown): Found[] {
  const pointer = place(error);
  const groups = new Map<string, OutputUnit[]>();
  for (const one of errors) {
    if (one === error || !one.keywordLocation.startsWith(`${error.keywordLocation}/`)) continue;
    const branch = one.keywordLocation.slice(error.keywordLocation.length + 1).split('/')[0] ?? '';
    groups.set(branch, [...(groups.get(branch) ?? []), one]);
  }
  const ranked = [...groups.values()].map((group) => ({ group, misses: group.filter((one) => ['const', 'enum', 'type', 'false'].includes(one.keyword)).length })).sort((a, b) => a.misses - b.misses);
  const [best, second] = ranked;
  if (best === undefined) return [{ pointer, severity: 'error', message: 'fits more than one of the allowed shapes', whole: true }];
  if (second !== undefined && second.misses === best.misses) return [{ pointer, severity: 'error', message: 'fits none of the allowed shapes', whole: true }];
  return explain(reading, best.group, value);
}

function ofError(reading: Reading, error: OutputUnit, value: unknown): Found[] {
  const pointer = place(error);
  const name = /"(.*)"/s.exec(error.error)?.[1] ?? '';
  if (error.keyword === 'required') return [{ pointer: join(pointer, name), severity: 'error', message: `${name} is missing` }];
  if (error.keyword === 'dependentRequired') {
    const [, because = '', needed = ''] = /has "(.*)" but does not have "(.*)"/s.exec(error.error) ?? [];
    return [{ pointer: join(pointer, needed), severity: 'error', message: `${needed} is missing, which ${because} needs` }];
  }
  if (error.keyword === 'additionalProperties' || error.keyword === 'unevaluatedProperties') return name === '' ? [] : [{ pointer: join(pointer, name), severity: 'error', message: `${JSON.stringify(name)} is not known here`, suggestion: 'check the spelling, or remove it' }];
  const schema = ruleOf(reading, error.keywordLocation);
  const message = sentence(error.keyword, schema.rule, at(value, pointer));
  if (message === null) return [];
  const example = Array.isArray(schema.of['examples']) && schema.of['examples'].length > 0 ? { suggestion: `for example ${JSON.stringify(schema.of['examples'][0])}` } : {};
  return [{ pointer, severity: 'error', message, whole: error.keyword === 'not' || error.keyword === 'uniqueItems', ...example }];
}

/** place is where in the value an error is. cfworker's pointers are fragments, escaped as URIs on top. */
const place = (error: OutputUnit): string => {
  try {
    return decodeURIComponent(error.instanceLocation.slice(1));
  } catch {
    return error.instanceLocation.slice(1);
  }
};

/** ruleOf follows the path an error took through the schema to the keyword's value and its schema. */
function ruleOf(reading: Reading, location: string): { rule: unknown; of: Schema } {
  let here: unknown = reading.root;
  let of: Schema = reading.root;
  for (const token of location.slice(2).split('/')) {
    if (isObject(here)) of = here;
    const next = at(here, `/${token}`);
    here = token === '$ref' && typeof next === 'string' ? reading.target(next) : next;
  }
  return { rule: here, of };
}

/** duplicates is x-uniqueBy of this project's schemas: pointers whose texts must differ between the elements of a list. */
function duplicates(reading: Reading, value: unknown): Found[] {
  const found: Found[] = [];
  for (const [name, part] of Object.entries(asSchema(reading.root['properties']))) {
    const list = at(value, join('', name));
    const keys = asSchema(part)['x-uniqueBy'];
    if (!Array.isArray(list) || !Array.isArray(keys)) continue;
    for (const key of keys.filter((one): one is string => typeof one === 'string')) {
      const first = new Map<string, string>();
      list.forEach((item, i) => {
        const text = at(item, key);
        if (typeof text !== 'string') return;
        const pointer = `${join(join('', name), i)}${key}`;
        const other = first.get(text);
        if (other === undefined) first.set(text, pointer);
        else found.push({ pointer, severity: 'error', message: `is the same as ${other}`, suggestion: 'give each its own' });
      });
    }
  }
  return found;
}
