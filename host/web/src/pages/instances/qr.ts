import { encode } from 'uqr';

/** Drawing is a QR code as one path on a square of size units, its quiet zone included. */
export interface Drawing {
  size: number;
  path: string;
}

export function draw(text: string): Drawing {
  const { size, data } = encode(text, { ecc: 'L', border: 0 });
  let path = '';
  data.forEach((row, y) => {
    for (let x = 0; x < row.length; ) {
      const from = x;
      while (x < row.length && row[x]) x++;
      if (x > from) path += `M${from} ${y}h${x - from}v1h${from - x}z`;
      else x++;
    }
  });
  return { size, path };
}
