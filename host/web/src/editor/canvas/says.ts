import { resolve } from '../../flow/ports';

/** Part of a text: plain, or an expression between ${ and }. */
export interface Part {
  text: string;
  expression: boolean;
}

export function parts(text: string): Part[] {
  const found: Part[] = [];
  for (const piece of text.split(/(\$\{[^}]*\})/)) {
    if (piece === '') continue;
    const expression = piece.startsWith('${') && piece.endsWith('}');
    found.push({ text: expression ? piece.slice(2, -1).trim().replace(/^(vars|event)\./, '') : piece, expression });
  }
  return found;
}

interface Property {
  type?: string;
  ['x-ui']?: { order?: number; widget?: string };
}

const silent = new Set(['instance', 'recipient', 'select', 'switch', 'secret', 'tel']);

/** saysOf is what a step says in two lines: its long text if its form has one, else its first text. */
export function saysOf(schema: unknown, input: Record<string, unknown>): string {
  const properties = (resolve(schema, '/properties') ?? {}) as Record<string, Property>;
  const ordered = Object.entries(properties).sort(([, a], [, b]) => (a['x-ui']?.order ?? 1e6) - (b['x-ui']?.order ?? 1e6));
  const texts = ordered.filter(([name, property]) => typeof input[name] === 'string' && input[name] !== '' && !silent.has(property['x-ui']?.widget ?? ''));
  const long = texts.find(([, property]) => property['x-ui']?.widget === 'textarea') ?? texts[0];
  const said = long === undefined ? Object.values(input).find((value) => typeof value === 'string') : input[long[0]];
  return typeof said === 'string' ? said.slice(0, 300) : '';
}
