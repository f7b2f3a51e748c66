import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host, Visitor } from './harness.mjs';

let host;
before(async () => (host = await Host.start()));
after(() => host.stop());

test('a token signs in, a wrong one is refused in the server\'s words, sign-out ends it', async () => {
  const visitor = await Visitor.open(host, { signedIn: false });
  const { page } = visitor;
  await page.getByLabel('Or paste a token').fill('tap_wrong');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('nobody can sign in with this').waitFor();
  await page.getByLabel('Or paste a token').fill(host.token);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Areas' }).waitFor();
  await page.reload();
  await page.getByRole('navigation', { name: 'Areas' }).waitFor();
  assert.equal(await page.evaluate(() => document.cookie), '', 'a script can read the cookie');
  await visitor.close();
});
