// The start page: an empty installation, the first minute, and the flows there are.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

let host, empty, nowhere; // what is tried on host is not on empty
before(async () => {
  nowhere = await mkdtemp(path.join(tmpdir(), 'tapnode-nowhere-')); // a directory without examples: nothing is published
  [host, empty] = await Promise.all([Host.start({ cwd: nowhere }), Host.start({ cwd: nowhere })]);
});
after(async () => {
  await Promise.all([host.stop(), empty.stop()]);
  await rm(nowhere, { recursive: true, force: true });
});

test('the first minute: the link, an example, a tap, its branch', async (t) => {
  const began = performance.now();
  await host.until(async () => host.link); // it is printed behind the address
  assert.match(host.link, /^http:\/\/127\.0\.0\.1:\d+\/ui\/sign-in#code=/);
  await visit(host, { path: host.link, width: 1440, height: 900, signedIn: false }, async (page) => {
    await page.getByRole('heading', { name: 'Take a flow and tap it' }).waitFor();
    assert.ok(!page.url().includes('code='), 'the code stays in the address');
    await page.getByRole('button', { name: 'Try it: Support menu' }).click();
    const chat = page.getByRole('region', { name: 'Simulated phone' }).getByRole('log');
    await chat.getByRole('button', { name: 'Support' }).click();
    await page.locator('.node .port.tapped', { hasText: 'Support' }).waitFor();
    await chat.getByText('Is your device switched on?').waitFor();
    t.diagnostic(`from the link to the branch: ${Math.round(performance.now() - began)} ms`);
    assert.equal(new URL(page.url()).search, '', 'a reload would try it again');
    await page.goBack();
    await page.getByRole('link', { name: 'Support menu' }).waitFor();
  });
  await visit(host, { path: host.link, signedIn: false }, async (page, visitor) => {
    await page.getByRole('alert').waitFor(); // it worked once
    await visitor.axe();
    await page.getByRole('button', { name: 'Português' }).click();
    await page.getByRole('heading', { name: 'Abra o seu link de acesso' }).waitFor();
  });
});

test('flows come in as text or file, are found, exported, retired, and all of it can be taken back', async () => {
  await visit(host, {}, async (page, visitor) => {
    await page.getByRole('button', { name: 'Other ways to begin' }).click();
    await page.getByRole('menuitem', { name: 'Paste YAML' }).click();
    const dialog = page.getByRole('dialog', { name: 'Paste YAML' });
    await dialog.getByLabel('YAML of a flow').fill('just words');
    await dialog.getByRole('button', { name: 'Import' }).click();
    await dialog.getByText('This is no flow: it has no nodes.').waitFor();
    const flow = `apiVersion: flow/v1\nkind: Flow\nmetadata: {id: night, name: "<b>Night</b> shift"} # kept\ntriggers: [{id: start, type: manual, to: say}]\nnodes: [{id: say, type: log@1, with: {message: hello}}]\n`;
    await dialog.getByLabel('YAML of a flow').fill(flow);
    await dialog.getByRole('button', { name: 'Import' }).click();
    await page.waitForURL('**/ui/flows/night');
    await page.getByRole('button', { name: 'Publish' }).waitFor(); // the draft was read before it is published elsewhere
    await host.api('POST', '/v1/flows', flow);
    await page.goto('/ui/');
    const row = page.getByRole('row', { name: /Night/ });
    await row.getByText('v1 is live').waitFor();
    await page.getByLabel('Search flows').fill('nothing like it');
    await page.getByRole('heading', { name: 'No flow with nothing like it' }).waitFor();
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await row.getByRole('button', { name: /Actions for/ }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('menuitem', { name: 'Export as a file' }).click();
    assert.equal((await download).suggestedFilename(), 'night.yaml');
    await row.getByRole('button', { name: /Actions for/ }).click();
    await page.getByRole('menuitem', { name: 'Retire' }).click();
    await row.getByText('Retired').waitFor();
    await page.getByRole('button', { name: 'Undo' }).click();
    await row.getByText('v1 is live').waitFor();
    // A file with an id that is taken becomes another flow.
    const file = path.join(nowhere, 'night.yaml');
    await writeFile(file, flow);
    await page.getByLabel('Open a file').setInputFiles(file);
    await page.waitForURL('**/ui/flows/night-2');
    await page.goto('/ui/');
    const second = page.getByRole('row', { name: /night-2/ });
    await second.getByText('Draft').waitFor();
    await second.getByRole('button', { name: /Actions for/ }).click();
    await page.getByRole('menuitem', { name: 'Delete the draft' }).click();
    await second.waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Undo' }).click();
    await second.getByText('Draft').waitFor();
    await visitor.axe();
  });
});

for (const theme of ['light', 'dark'])
  test(`an empty installation at 390 and 1280 px, ${theme}`, async () => {
    for (const width of [1280, 390])
      await visit(empty, { theme, width }, async (page, visitor) => {
        await page.getByRole('button', { name: /^Try it: / }).first().waitFor();
        await page.locator('.example-seen .msg').first().waitFor();
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls sideways');
        await visitor.axe();
      });
  });

test('an example shows what the phone gets, from its dry run: header, picture, footer and buttons, and nothing of it from outside', async () => {
  for (const theme of ['light', 'dark'])
    await visit(empty, { theme }, async (page, visitor) => {
      const card = (name) => page.getByRole('article').filter({ has: page.getByRole('heading', { name }) }).getByRole('group', { name: 'Message as it is seen' });
      await card('Support menu').getByText('Hello there, how can we help?').waitFor();
      await card('Support menu').getByText('We answer within an hour').waitFor();
      assert.equal(await card('Support menu').getByRole('listitem').count(), 3);
      const picture = card('Receipt with a picture').getByRole('img', { name: /^Image/ });
      await empty.until(() => picture.evaluate((img) => img.complete && img.naturalWidth > 0));
      const asked = await page.evaluate(() => performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin));
      assert.deepEqual([...new Set(asked)], [empty.url.replace(/\/$/, '')], 'the page asked somebody else');
      await visitor.axe();
    });
});

test('a preview shows a picture that the host has, and names one that is elsewhere', async () => {
  const { picture } = await host.api('GET', '/v1/session');
  const flow = (id, url) => `apiVersion: flow/v1\nkind: Flow\nmetadata: {id: ${id}}\ntriggers: [{id: start, type: manual, to: say}]\nnodes: [{id: say, type: whatsapp.sendButtons@1, with: {instance: demo, number: "5511999990001", mediaUrl: "${url}", mediaType: IMAGE, contentText: Look, buttons: [{id: a, displayText: A}]}}]\n`;
  await host.api('PUT', '/v1/flows/here/draft', flow('here', picture));
  await host.api('PUT', '/v1/flows/elsewhere/draft', flow('elsewhere', 'https://example.com/pictures/receipt.png?size=1'));
  for (const theme of ['light', 'dark']) {
    await visit(host, { path: '/ui/flows/here?step=say', width: 1440, theme }, async (page) => {
      const seen = page.getByRole('region', { name: 'Preview' }).getByRole('img', { name: 'Image: picture.png' });
      await host.until(() => seen.evaluate((img) => img.complete && img.naturalWidth > 0));
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/preview-${theme}.png` });
      await page.goto('/ui/flows/elsewhere?step=say');
      const preview = page.getByRole('region', { name: 'Preview' });
      await preview.getByText('Image: receipt.png').waitFor();
      assert.equal(await preview.getByRole('img').count(), 0);
    });
  }
});

test('the first load: its scripts and fonts, and the licence beside each font', async (t) => {
  await visit(host, {}, async (page) => {
    await page.getByRole('heading', { level: 1 }).waitFor();
    await page.evaluate(() => document.fonts.ready);
    const loaded = await page.evaluate(() => [...new Set(performance.getEntriesByType('resource').map((entry) => entry.name))].filter((name) => /\.(js|woff2)$/.test(name)));
    const sizes = { script: 0, fonts: 0 };
    for (const url of loaded) {
      const body = Buffer.from(await (await page.request.get(url)).body());
      if (url.endsWith('.js')) sizes.script += gzipSync(body).length;
      else {
        sizes.fonts += body.length;
        const font = /\/assets\/(atkinson-hyperlegible-[a-z]+)-/.exec(url)?.[1];
        assert.match(await (await page.request.get(`/ui/assets/${font}.OFL.txt`)).text(), /SIL OPEN FONT LICENSE Version 1\.1/i, url);
      }
    }
    t.diagnostic(`${loaded.length} files: ${(sizes.script / 1024).toFixed(1)} KB of script, compressed, and ${(sizes.fonts / 1024).toFixed(1)} KB of fonts`);
    assert.ok(sizes.fonts > 0 && sizes.script > 0, 'nothing was measured');
    assert.ok(sizes.script <= 160 * 1024, 'too much script for a first load');
    assert.ok(sizes.fonts <= 60 * 1024, 'too many fonts for a first load');
  });
});
