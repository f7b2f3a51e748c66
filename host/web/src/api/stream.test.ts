import { expect, test } from 'vitest';
import { events } from './stream';

test('events come whole, however the stream is cut', () => {
  const text = ': alive\n\nevent: progress\nid: 7\ndata: {"stage":\ndata: "qr"}\n\nevent: result\r\ndata: {}\r\n\r\n';
  for (let size = 1; size <= text.length; size++) {
    const read = events();
    const told = [];
    for (let at = 0; at < text.length; at += size) told.push(...read(text.slice(at, at + size)));
    expect(told).toEqual([
      { event: 'progress', id: '7', data: { stage: 'qr' } },
      { event: 'result', id: '', data: {} },
    ]);
  }
});
