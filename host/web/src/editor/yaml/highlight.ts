/** Piece of a line of YAML, for its colour only: what it means is for the parser to say. */
export interface Piece {
  kind: '' | 'key' | 'str' | 'com';
  text: string;
}

const most = 2000; // characters of a line that are coloured

export function pieces(line: string): Piece[] {
  if (line.length > most) return [{ kind: '', text: line }];
  const comment = /(^|\s)#.*$/.exec(line);
  const body = comment ? line.slice(0, comment.index) : line;
  const found: Piece[] = [];
  const key = /^(\s*(?:- )*)([A-Za-z_$][\w$.@-]*)(:)(?=\s|$)/.exec(body);
  let rest = body;
  if (key) {
    found.push({ kind: '', text: key[1] ?? '' }, { kind: 'key', text: key[2] ?? '' }, { kind: '', text: ':' });
    rest = body.slice(key[0].length);
  }
  for (const part of rest.split(/(\$\{[^}]*\})/)) if (part !== '') found.push({ kind: part.startsWith('${') ? 'str' : '', text: part });
  if (comment) found.push({ kind: 'com', text: comment[0] });
  return found;
}
