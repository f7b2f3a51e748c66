// How messages are written: *bold*, _italic_, ~struck out~, `code`, ```blocks```, and addresses that
// can be tapped. The text is cut into pieces and never becomes markup.

export interface Piece {
  text: string;
  bold?: true;
  italic?: true;
  struck?: true;
  mono?: true;
}

const marks = { '*': 'bold', _: 'italic', '~': 'struck' } as const;
type Style = Omit<Piece, 'text'>;

const deepest = 3; // as many kinds as there are

/** pieces cuts a text where its look changes. */
export function pieces(text: string): Piece[] {
  const out: Piece[] = [];
  const blocks = text.split('```');
  const closed = blocks.length % 2 === 1 ? blocks.length : blocks.length - 1;
  blocks.forEach((block, index) => {
    if (index % 2 === 1 && index < closed) out.push({ text: block, mono: true });
    else styled(index < closed ? block : '```' + block, {}, out, 0);
  });
  return out.filter((piece) => piece.text !== '');
}

// A mark opens before a letter and closes behind one, and stands at the edge of a word: a_b_c is none.
const marked = /(?<![\p{L}\p{N}])([*_~`])(?=\S)((?:(?!\1|\n).)*?\S)\1(?![\p{L}\p{N}])/u;

function styled(text: string, style: Style, out: Piece[], depth: number): void {
  let rest = text;
  for (;;) {
    const found = depth < deepest ? marked.exec(rest) : null;
    if (found === null) break;
    const [whole, mark = '', inner = ''] = found;
    out.push({ text: rest.slice(0, found.index), ...style });
    if (mark === '`') out.push({ text: inner, ...style, mono: true });
    else styled(inner, { ...style, [marks[mark as keyof typeof marks]]: true }, out, depth + 1);
    rest = rest.slice(found.index + whole.length);
  }
  out.push({ text: rest, ...style });
}
