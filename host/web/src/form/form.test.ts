import { describe, expect, it } from 'vitest';
import { check } from './check';
import { complete, offers, wordAt } from './complete';
import { groupsOf, optionsOf, rounded, widgetOf } from './fields';
import { joined } from './findings';
import { fixOf } from './fixes';
import { at, put } from './pointer';
import sendButtons from '../../../../schemas/whatsapp.sendButtons.input.json';
import { Reading } from './schema';
import { expressions, plainly, split } from './template';
import type { FormFinding } from './types';

const buttons = new Reading(sendButtons);
const told = (reading: Reading, value: unknown) => check(reading, value).map((finding) => `${finding.pointer}: ${finding.message}`);
const menu = { instance: 'shop', number: '5511999990001', contentText: 'Hi', buttons: [{ id: 'a', displayText: 'A' }] };

describe('a pointer', () => {
  it('changes one place and leaves the rest', () => {
    const before = { a: [{ b: 1 }, 2], 'x/~y': 3 };
    expect(put(before, '/a/0/b', 5)).toEqual({ a: [{ b: 5 }, 2], 'x/~y': 3 });
    expect(put(before, '/x~1~0y', undefined)).toEqual({ a: [{ b: 1 }, 2] });
    expect(put(before, '/a/0', undefined)).toEqual({ a: [2], 'x/~y': 3 });
    expect(put(undefined, '/m/n', 1)).toEqual({ m: { n: 1 } });
    expect(before).toEqual({ a: [{ b: 1 }, 2], 'x/~y': 3 });
  });
  it('keeps the order of members, and takes __proto__ for data', () => {
    expect(Object.keys(put({ a: 1, b: 2 }, '/a', 3) as object)).toEqual(['a', 'b']);
    const odd = put({}, '/__proto__', 1) as object;
    expect(Object.keys(odd)).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(odd)).toBe(Object.prototype);
    expect(at({}, '/constructor')).toBeUndefined();
  });
});

describe('a template', () => {
  // The same cuts as host/internal/flow/template.go makes.
  it.each([
    ['plain', ['plain']],
    ['', []],
    ['${vars.f}', ['${vars.f}']],
    [' ${ vars.n }!', [' ', '${ vars.n }', '!']],
    ['$${ vars.n }', ['$${ vars.n }']],
    ['$5 $$ ${ n }$', ['$5 $$ ', '${ n }', '$']],
    ['${ "}" + \'{\' + `}` }x', ['${ "}" + \'{\' + `}` }', 'x']],
    ['${ {"a": {"b": 1}} }', ['${ {"a": {"b": 1}} }']],
    ['a ${ b', ['a ', '${ b']],
    ['${ "\\"}" }', ['${ "\\"}" }']],
  ])('%s', (text, parts) => expect(split(text).map((segment) => segment.text)).toEqual(parts));
  it('knows where expressions are', () => {
    expect(expressions({ a: '${ x }', b: ['$${ x }', { 'c/d': 'y ${ z }' }] })).toEqual(['/a', '/b/1/c~1d']);
  });
});

describe('completion', () => {
  const entries = [{ path: 'vars.name' }, { path: 'vars.phone' }, { path: 'run.id' }];
  it.each([
    ['Hello ${', 8, ''],
    ['Hello ${ va', 11, 'va'],
    ['${ vars.n }', 9, 'vars.n'],
    ['${ upper(vars.', 14, 'vars.'],
  ])('%s at %i', (text, caret, word) => expect(wordAt(text, caret)?.text).toBe(word));
  it.each([['Hello', 5], ['${ x } y', 8], ['${ "va', 6], ['${ vars.name ', 13], ['$${ va', 6]])('not in %s at %i', (text, caret) => expect(wordAt(text, caret)).toBeNull());
  it('puts the path in and closes', () => {
    expect(complete('Hello ${', wordAt('Hello ${', 8)!, 'vars.name')).toEqual({ text: 'Hello ${ vars.name }', caret: 20 });
    expect(complete('${ va } x', wordAt('${ va } x', 5)!, 'vars.name')).toEqual({ text: '${ vars.name } x', caret: 12 });
    expect(complete('${}', wordAt('${}', 2)!, 'run.id')).toEqual({ text: '${ run.id }', caret: 9 });
  });
  it('offers what begins with the word first, and nothing when it is there', () => {
    expect(offers(entries, 'n').map((entry) => entry.path)).toEqual(['vars.name', 'vars.phone', 'run.id']);
    expect(offers(entries, 'run').map((entry) => entry.path)).toEqual(['run.id']);
    expect(offers(entries, 'run.id')).toEqual([]);
  });
});

describe('fields', () => {
  const of = (value: Record<string, unknown>) => groupsOf(buttons, buttons.resolve(buttons.root, value), value, '');
  it('stand in order under their groups', () => {
    const groups = of({});
    expect(groups.map((group) => group.title)).toEqual(['', 'Header and footer', 'Delivery']);
    expect(groups[0]?.fields.map((field) => field.name)).toEqual(['instance', 'number', 'contentText', 'buttons']);
    expect(groups[1]?.fields.map((field) => widgetOf(buttons, field.schema))).toEqual(['text', 'text', 'url', 'select']);
  });
  it('follow conditions: the limit of a text with media', () => {
    const limit = (value: Record<string, unknown>) => of(value)[0]?.fields.find((field) => field.name === 'contentText')?.schema['maxLength'];
    expect(limit({})).toBe(4096);
    expect(limit({ mediaUrl: 'https://example.com/a.jpg' })).toBe(1024);
  });
  it('follow conditions in allOf: the id of a button by its type', () => {
    const item = at(buttons.root, '/properties/buttons/items');
    const id = (value: Record<string, unknown>) => groupsOf(buttons, buttons.resolve(item, value), value, '/buttons/0')[0]?.fields.find((field) => field.name === 'id');
    expect(id({})?.title).toBe('Id');
    expect(id({ type: 'URL' })?.title).toBe('Link');
    expect(widgetOf(buttons, id({ type: 'URL' })!.schema)).toBe('url');
    expect(id({ type: 'CALL' })?.hints.placeholder).toBe('+5511999999999');
    expect(id({ type: '${ vars.kind }' })?.title).toBe('Id');
  });
  it('keep what the schema does not know', () => {
    expect(of({ colour: 'red' })[0]?.fields.find((field) => field.unknown)?.name).toBe('colour');
  });
  it('show oneOf of constants as options and others as a choice', () => {
    const reading = new Reading({});
    const constants = { oneOf: [{ const: 'a', title: 'First' }, { const: 'b' }] };
    expect(widgetOf(reading, constants)).toBe('select');
    expect(optionsOf(reading, constants).map((option) => option.label)).toEqual(['First', 'b']);
    expect(widgetOf(reading, { oneOf: [{ type: 'string' }, { type: 'object', properties: { a: {} } }] })).toBe('choice');
    expect(widgetOf(reading, { anyOf: [{ required: ['a'] }], type: 'object', properties: { a: {} } })).toBe('section');
    expect(widgetOf(reading, { anyOf: [{ type: 'string' }, { type: 'null' }], type: 'string' })).toBe('text');
    expect(widgetOf(reading, { type: ['integer', 'null'] })).toBe('number');
    expect(widgetOf(reading, { frobnicate: 1 })).toBe('json');
  });
  it('say seconds as a person does', () => {
    expect([rounded(86400, 's'), rounded(5400, 's'), rounded(61, 's'), rounded('x', 's')]).toEqual(['1 d', '90 min', '', '']);
  });
});

describe('the check in the browser', () => {
  it('has the words of the host', () => {
    expect(told(buttons, { ...menu, delay: 3000, buttons: [{ id: 'a', displayText: '' }], colour: 1 })).toEqual([
      '/buttons/0/displayText: must have at least 1 character, has 0',
      '/delay: must be at most 300',
      '/colour: "colour" is not known here',
    ]);
    expect(told(buttons, { instance: 'a', number: '1', contentText: 'x' })).toEqual(['/buttons: buttons is missing']);
    expect(told(buttons, { ...menu, mediaUrl: 'https://x' })).toEqual(['/mediaType: mediaType is missing, which mediaUrl needs']);
    expect(told(buttons, { ...menu, buttons: [{ id: 'a', displayText: 'A' }, { id: 'a', displayText: 'B' }] })).toEqual(['/buttons/1/id: is the same as /buttons/0/id']);
  });
  it('says nothing about what an expression fills in', () => {
    expect(told(buttons, { ...menu, delay: '${ vars.delay }', buttons: '${ vars.buttons }', instance: '${ "?" }' })).toEqual([]);
  });
  it('lets the alternative speak that was meant', () => {
    const shapes = new Reading({ type: 'object', properties: { to: { oneOf: [
      { type: 'object', required: ['kind', 'name'], properties: { kind: { const: 'a' }, name: { type: 'string' } } },
      { type: 'object', required: ['kind', 'size'], properties: { kind: { const: 'b' }, size: { type: 'integer' } } },
    ] } } });
    expect(told(shapes, { to: { kind: 'b' } })).toEqual(['/to/size: size is missing']);
    expect(told(shapes, { to: {} })).toEqual(['/to: fits none of the allowed shapes']);
  });
  it('outlives what it cannot read', () => {
    expect(told(new Reading({ properties: { a: { type: 'string', pattern: '(?i)x', $ref: 'https://example.com/other' } } }), { a: 1 })).toEqual(['/a: must be string, not number']);
    expect(told(new Reading('nonsense'), { a: 1 })).toEqual([]);
    expect(told(new Reading({ properties: { a: { $ref: '#/nowhere' } } }), { a: 1 })).toEqual([]);
  });
});

describe('findings of three sources', () => {
  const error = (pointer: string, message: string): FormFinding => ({ pointer, severity: 'error', message });
  it('are told once, in the words of the node', () => {
    const value = { delay: 3000 };
    const node = { value, findings: [error('/delay', 'Delay must be between 0 and 300 seconds')] };
    expect(joined(value, [error('/delay', 'must be at most 300')], [error('/delay', 'is too much'), error('/x', 'y')], node).map((finding) => finding.message)).toEqual(['Delay must be between 0 and 300 seconds', 'y']);
  });
  it('of the node end when their place changes, and the browser speaks until it has looked again', () => {
    const node = { value: { delay: 3000, a: '' }, findings: [error('/delay', 'of the node'), error('/a', 'stays')] };
    expect(joined({ delay: 4000, a: '' }, [error('/delay', 'of the browser')], [], node).map((finding) => finding.message)).toEqual(['stays', 'of the browser']);
    expect(joined({ delay: 3, a: '' }, [], [], node).map((finding) => finding.message)).toEqual(['stays']);
  });
  it('of the browser are dropped where the node has let the value pass', () => {
    expect(joined({ a: 'x' }, [error('/a', 'strict')], [], { value: { a: 'x' }, findings: [] })).toEqual([]);
  });
});

describe('fixes', () => {
  const finding = (message: string): FormFinding => ({ pointer: '', severity: 'error', message });
  it('are offered where the meaning is certain', () => {
    const delay = at(buttons.root, '/properties/delay') as Record<string, unknown>;
    expect(fixOf(finding(''), delay, [], 3000)).toEqual({ kind: 'use', value: 3 });
    expect(fixOf(finding(''), delay, [], 3500)).toBeNull();
    expect(fixOf(finding(''), delay, [], '12')).toEqual({ kind: 'use', value: 12 });
    expect(fixOf(finding(''), {}, [{ value: 'IMAGE', label: 'Image' }], 'image')).toEqual({ kind: 'use', value: 'IMAGE' });
    expect(fixOf(finding('does not begin with https://.'), { 'x-ui': { widget: 'url' } }, [], 'http://a.example')).toEqual({ kind: 'use', value: 'https://a.example' });
    expect(fixOf(finding('is not known here'), {}, [], 'x', true)).toEqual({ kind: 'remove', value: undefined });
  });
});

it('a chip has the name of what it takes, and what has none is shown as it is written', () => {
  const entries = [{ path: 'nodes.ask.messageId', name: 'Ask: messageId' }, { path: 'vars.phone', name: "Customer's number" }];
  const shown = (text: string): string => split(text).map((segment) => (segment.expression ? plainly(segment, entries) : segment.text)).join('|');
  expect(shown('to ${ vars.phone }, ${nodes.ask.messageId}')).toBe("to |Customer's number|, |Ask: messageId");
  expect(shown('${ vars.name ?? "you" }${ run.')).toBe('name ?? "you"|run.');
});
