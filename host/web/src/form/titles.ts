import { titleOf } from './fields';
import { isObject, tokens } from './pointer';
import { memberOf, type Reading } from './schema';

/** titleAt is a place in the words of the form: "Label, button 1". */
export function titleAt(reading: Reading, value: unknown, pointer: string): string {
  let schema = reading.resolve(reading.root, value);
  let here = value;
  let name = titleOf(schema, '');
  let item = '';
  for (const token of tokens(pointer)) {
    if (Array.isArray(here)) {
      const part = reading.resolve(schema['items'], here[Number(token)]);
      item = `${titleOf(part, name)} ${Number(token) + 1}`;
      name = '';
      schema = part;
      here = here[Number(token)];
      continue;
    }
    schema = reading.resolve(memberOf(schema, token), isObject(here) ? here[token] : undefined);
    here = isObject(here) ? here[token] : undefined;
    name = titleOf(schema, token);
  }
  return [name, item].filter((part) => part !== '').join(', ');
}
