import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

const flow = (message, more = '', edge = '') => `apiVersion: flow/v1
kind: Flow
metadata: {id: note, name: Note it}
triggers: [{id: start, type: manual, to: say}]
nodes:
  - {id: say, name: Say it, type: log@1, with: {message: ${message}}}
${more}edges: [${edge}]
`;
const second = flow('hello there', '  - {id: again, name: Say more, type: log@1, with: {message: more}}\n', '{from: say.out, to: again}');

let host;
const at = { path: '/ui/flows/note/versions' };
const versions = async () => (await host.api('GET', '/v1/flows/note/versions')).versions;
const live = async () => (await versions()).find(({ state }) => state === 'published')?.version;
const draft = (text) => fetch(new URL('/v1/flows/note/draft', host.url), { method: 'PUT', headers: { token: host.token, 'Content-Type': 'application/yaml' }, body: text });

before(async () => {
  host = await Host.start();
  await host.api('POST', '/v1/flows', flow('hello'));
  await host.api('POST', '/v1/flows', second);
});
after(() => host.stop());

test('two versions are compared in words and on the canvas', () =>
  visit(host, at, async (page) => {
    await page.getByText('v2 is live').waitFor();
    const words = page.getByRole('region', { name: 'Difference in words' });
    await words.getByText(/changes since v1/).waitFor();
    await words.getByText(/again|Say more/).first().waitFor();
    const canvas = page.getByRole('region', { name: 'Difference on the canvas' });
    await canvas.locator('.node.added').getByText('Say more').waitFor();
    await canvas.locator('.node.changed').getByText('Say it').waitFor();
    await page.getByRole('navigation', { name: 'Versions' }).getByRole('link', { name: /v1/ }).click();
    await page.waitForURL('**/versions?to=1');
    await words.getByText('Pick another version to compare with.').waitFor();
  }));

test('an older version is restored after a question, with the keyboard', () =>
  visit(host, { path: '/ui/flows/note/versions?to=1' }, async (page) => {
    await page.getByRole('button', { name: 'Restore v1' }).press('Enter');
    await page.getByText('v1 starts all runs from now on.').waitFor();
    assert.equal(await live(), 2);
    await page.getByRole('button', { name: 'Publish it' }).press('Enter');
    await page.getByText('v1 is live').first().waitFor();
    assert.equal(await live(), 1);
  }));

test('a draft that cannot run says why; a right one is published; it can be discarded', () =>
  visit(host, { path: '/ui/runs' }, async (page, visitor) => {
    visitor.expect(/422/);
    await draft(flow('x').replace('log@1', 'no.such@1'));
    await page.goto(at.path);
    await page.getByRole('button', { name: 'Publish the draft' }).click();
    await page.getByRole('button', { name: 'Publish it' }).click();
    await page.getByRole('list', { name: 'What stands against it' }).getByText(/no\.such@1/).first().waitFor();
    assert.equal(await live(), 1);
    await page.getByRole('button', { name: 'Discard draft' }).click();
    await page.getByRole('button', { name: 'Forget the draft' }).click();
    await page.getByText('Draft', { exact: true }).first().waitFor({ state: 'detached' });
    assert.ok(!(await versions()).some(({ state }) => state === 'draft'));

    await draft(flow('hello again'));
    await page.goto(at.path);
    await page.getByRole('navigation', { name: 'Versions' }).getByRole('link', { name: /Draft/ }).waitFor();
    await page.getByRole('button', { name: 'Publish the draft' }).click();
    await page.getByRole('button', { name: 'Publish it' }).click();
    await host.until(async () => (await live()) > 2);
    await page.getByText(`v${await live()} is live`).first().waitFor();
  }));

test('a version is exported, and imported as the draft', () =>
  visit(host, { path: '/ui/flows/note/versions?to=2' }, async (page) => {
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Export' }).click()]);
    assert.equal(download.suggestedFilename(), 'note-v2.yaml');
    assert.equal(await readFile(await download.path(), 'utf8'), second);
    await page.locator('input[type="file"]').setInputFiles({ name: 'note.yaml', mimeType: 'application/yaml', buffer: Buffer.from(flow('imported')) });
    await page.getByText('The draft is overwritten with note.yaml.').waitFor();
    await page.getByRole('button', { name: 'Overwrite the draft' }).click();
    await page.getByText('It is the draft now.').waitFor();
    assert.equal(await host.api('GET', '/v1/flows/note/draft'), flow('imported'));
  }));

for (const theme of ['light', 'dark'])
  for (const width of [1280, 390])
    test(`axe finds nothing: ${theme}, ${width}`, () =>
      visit(host, { ...at, theme, width }, async (page, visitor) => {
        await page.getByRole('region', { name: 'Difference on the canvas' }).locator('.node').first().waitFor();
        await page.getByText(/changes? since/).waitFor();
        await visitor.axe();
      }));

for (const [locale, heading] of [['pt-BR', 'Versões'], ['es-ES', 'Versiones']])
  test(`the longest words have room at 390: ${locale}`, () =>
    visit(host, { ...at, locale, width: 390 }, async (page) => {
      await page.getByRole('heading', { name: heading }).waitFor();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${over} px wider than the screen`);
    }));

test('a flow is retired after a question', () =>
  visit(host, { path: '/ui/runs' }, async (page) => {
    await page.goto(`${at.path}?to=${await live()}`);
    await page.getByRole('button', { name: 'Retire' }).click();
    await page.getByRole('button', { name: 'Retire the flow' }).click();
    await page.getByText('Nothing is live').waitFor();
    assert.equal(await live(), undefined);
  }));

test('a flow with one version says that there is no other to compare with', async () => {
  await host.api('POST', '/v1/flows', 'apiVersion: flow/v1\nkind: Flow\nmetadata: {id: sole}\ntriggers: [{id: start, type: manual, to: say}]\nnodes: [{id: say, type: log@1, with: {message: hello}}]\n');
  await visit(host, { path: '/ui/flows/sole/versions' }, async (page, visitor) => {
    await page.getByRole('paragraph').filter({ hasText: 'There is no other version yet.' }).waitFor();
    await visitor.axe();
  });
});
