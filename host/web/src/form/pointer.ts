// JSON Pointers (RFC 6901), and a value with one place in it changed. Values are never changed in place:
// whoever holds the old one, such as an undo, still has it.

export type Token = string | number;

export const tokens = (pointer: string): string[] =>
  pointer === '' ? [] : pointer.slice(1).split('/').map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'));

export const join = (pointer: string, token: Token): string => `${pointer}/${String(token).replaceAll('~', '~0').replaceAll('/', '~1')}`;

export const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

export function at(value: unknown, pointer: string): unknown {
  for (const token of tokens(pointer)) {
    if (Array.isArray(value)) value = value[Number(token)];
    else if (isObject(value) && Object.hasOwn(value, token)) value = value[token];
    else return undefined;
  }
  return value;
}

/** put is root with the value at a pointer; undefined takes a member away. What is missing on the way is made. */
export function put(root: unknown, pointer: string, value: unknown): unknown {
  return set(root, tokens(pointer), value);
}

function set(root: unknown, [token, ...rest]: string[], value: unknown): unknown {
  if (token === undefined) return value;
  if (Array.isArray(root)) {
    const list = [...root];
    if (rest.length === 0 && value === undefined) list.splice(Number(token), 1);
    else list[Number(token)] = set(list[Number(token)], rest, value);
    return list;
  }
  const object = isObject(root) ? root : {};
  const next = set(Object.hasOwn(object, token) ? object[token] : undefined, rest, value);
  const entries = Object.entries(object);
  if (next === undefined) return Object.fromEntries(entries.filter(([name]) => name !== token));
  // fromEntries makes a member named __proto__ as any other, which an assignment would not.
  return Object.fromEntries(Object.hasOwn(object, token) ? entries.map(([name, old]) => [name, name === token ? next : old]) : [...entries, [token, next]]);
}

/** below says whether a pointer is a place, or inside of it. */
export const below = (pointer: string, place: string): boolean => pointer === place || pointer.startsWith(`${place}/`);

export const same = (a: unknown, b: unknown): boolean => {
  if (a === b) return true;
  if (Array.isArray(a)) return Array.isArray(b) && a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (!isObject(a) || !isObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && same(a[name], b[name]));
};
