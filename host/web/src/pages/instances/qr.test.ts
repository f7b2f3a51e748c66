import { expect, test } from 'vitest';
import { draw } from './qr';

test('a code is drawn in runs, with its three eyes', () => {
  const { size, path } = draw('https://wa.me/settings/linked_devices#2@ref,noise,identity,adv,9');
  expect((size - 17) % 4).toBe(0);
  expect(path.startsWith('M0 0h7v1h-7z')).toBe(true); // the upper left eye
  expect(path).toContain(`M${size - 7} 0h7v1h-7z`);
  expect(path).toContain(`M0 ${size - 7}h7v1h-7z`);
});
