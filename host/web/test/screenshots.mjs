// Takes the pictures of the documentation from the real program: make screenshots.
import { fileURLToPath } from 'node:url';
import path from 'node:path';
import { test } from 'node:test';
import { Host, Visitor } from './harness.mjs';

const images = fileURLToPath(new URL('../../../docs/images', import.meta.url));

test('pictures', async () => {
  const host = await Host.start({ flows: ['examples/flows/menu.yaml'] });
  // By the host's own link, so that the values of the run are shown in clear.
  const visitor = await Visitor.open(host, { path: await host.until(async () => host.link), width: 1440, height: 900, signedIn: false });
  const { page } = visitor;
  await page.getByRole('navigation', { name: 'Areas' }).waitFor();
  await page.goto('/ui/flows/menu');
  await page.locator('.node').filter({ hasText: 'Ask what it is about' }).click();
  await page.getByRole('button', { name: /Start .*this draft/ }).click();
  await page.locator('.chat').getByRole('button', { name: 'Support', exact: true }).nth(1).click(); // that of the run before is above it
  await page.locator('.node .visit').nth(1).waitFor();
  await page.getByText('Is your device switched on?').last().waitFor();
  for (const [colorScheme, name] of [['light', 'builder.png'], ['dark', 'builder-dark.png']]) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.waitForTimeout(1500); // what travels has come to rest
    await page.screenshot({ path: path.join(images, name) });
  }
  await visitor.close();
  await host.stop();
});
