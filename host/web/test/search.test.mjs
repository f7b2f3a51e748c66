// One search over everything by the keyboard alone, the keys that lead everywhere, and who is signed in.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host, Visitor, visit } from './harness.mjs';

let host;
before(async () => {
  host = await Host.start({ flows: ['examples/flows/menu.yaml'] });
  await host.api('PUT', '/v1/flows/night/draft', 'apiVersion: flow/v1\nkind: Flow\nmetadata: {id: night, name: Night shift}\ntriggers: [{id: start, type: manual, to: tell}]\nnodes: [{id: tell, name: Write it down, type: log@1, with: {message: hello}}]\nedges: []\n');
});
after(() => host.stop());

const found = (page) => page.getByRole('listbox', { name: 'What is found' });

/** search opens the search and types. */
async function search(page, text) {
  await page.getByRole('button', { name: /^Search/ }).waitFor();
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: 'Search everything' }).waitFor();
  await page.keyboard.type(text);
}

test('Ctrl K finds flows, steps, instances, runs, pages and what can be done', async () => {
  const run = await host.api('POST', '/v1/flows/menu/runs', { vars: { phone: '5511999990001', name: 'Ana' } });
  await visit(host, { theme: 'dark' }, async (page, visitor) => {
    await page.getByRole('link', { name: 'Night shift' }).waitFor();
    const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map((entry) => entry.name));
    assert.ok(!loaded.some((name) => /\/(Search|Keys)\.js/.test(name)), 'the first load has the search in it');

    await search(page, 'night');
    await found(page).getByRole('group', { name: 'Flows' }).getByRole('option', { name: 'Night shift' }).waitFor();
    await visitor.axe();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/ui/flows/night');

    await search(page, 'write it');
    await found(page).getByRole('group', { name: 'Steps' }).getByRole('option', { name: /Write it down.*Night shift/ }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('combobox').waitFor({ state: 'detached' });

    await search(page, '5511999990001');
    await found(page).getByRole('group', { name: 'Runs' }).getByRole('option', { name: run.run }).waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForURL(`**/ui/runs/${run.run}`);

    await search(page, 'failed');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/ui/runs?status=failed');

    await search(page, 'demo');
    await found(page).getByRole('group', { name: 'Instances' }).getByRole('option', { name: /demo/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/ui/instances/demo');

    await search(page, 'theme light');
    await page.keyboard.press('Enter');
    await page.locator('html[data-theme="light"]').waitFor();
    await search(page, 'nothing is called this');
    await page.getByText('Nothing found').waitFor();
  });
});

test('a step is found wherever one is, and an operation is added to the flow that is open', async () => {
  await visit(host, { path: '/ui/runs' }, async (page) => {
    await search(page, 'write it');
    await found(page).getByRole('option', { name: /Write it down/ }).waitFor();
    await page.keyboard.press('Enter');
    await page.waitForURL('**/ui/flows/night');
    await host.until(async () => (await page.locator('.inspector .step-name').inputValue()) === 'Write it down');

    await search(page, 'delay');
    await found(page).getByRole('group', { name: 'What steps can do' }).getByRole('option').first().waitFor();
    await page.keyboard.press('Enter');
    await host.until(async () => /type: delay@1/.test(await host.api('GET', '/v1/flows/night/draft')));

    await search(page, 'undo');
    await page.keyboard.press('Enter');
    await host.until(async () => !/type: delay@1/.test(await host.api('GET', '/v1/flows/night/draft')));
    await search(page, 'publish');
    await page.keyboard.press('Enter');
    await page.getByText('v1 is live now').waitFor();
  });
});

test('G and a letter lead to a page, ? shows the keys, and neither while somebody writes', async () => {
  await visit(host, {}, async (page, visitor) => {
    const field = page.getByRole('searchbox', { name: 'Search flows' });
    await field.fill('');
    await page.keyboard.type('gr?');
    assert.equal(await field.inputValue(), 'gr?');
    assert.match(page.url(), /\/ui\/$/);
    await field.blur();
    for (const [letter, where] of [['r', 'runs'], ['i', 'insights'], ['n', 'instances'], ['s', 'sessions'], ['f', 'flows']]) {
      await page.keyboard.press('g');
      await page.keyboard.press(letter);
      await page.waitForURL(`**/ui/${where}`);
    }
    await page.keyboard.press('?');
    const keys = page.getByRole('dialog', { name: 'All keys' });
    await keys.getByText('find a step and add it').waitFor();
    await visitor.axe();
    await page.keyboard.press('Escape');
    await keys.waitFor({ state: 'detached' });
  });
  for (const [locale, label] of [['pt-BR', 'Buscar em tudo'], ['es-MX', 'Buscar en todo']]) {
    await visit(host, { locale, width: 390, height: 780 }, async (page) => {
      await page.getByRole('main').waitFor();
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: label }).waitFor();
    });
  }
});

test('sessions: who is signed in, one is ended, then all others', async () => {
  const others = [await Visitor.open(host), await Visitor.open(host), await Visitor.open(host)];
  for (const other of others) other.expect(/401/);
  await visit(host, { path: '/ui/sessions' }, async (page, visitor) => {
    const rows = page.getByRole('row').filter({ hasNotText: 'Began with' });
    await host.until(async () => (await rows.count()) >= 4);
    const before = await rows.count();
    await page.getByRole('row').filter({ hasText: 'This browser' }).waitFor();
    await visitor.axe();
    await page.getByRole('button', { name: /^End:/ }).first().click();
    await host.until(async () => (await rows.count()) === before - 1);
    await page.getByRole('button', { name: 'End all others' }).click();
    await page.getByRole('dialog').getByRole('button', { name: /^End \d+ session/ }).click();
    await host.until(async () => (await rows.count()) === 1);
    for (const other of others) {
      await other.page.reload();
      await other.page.getByRole('heading', { name: 'Open your sign-in link' }).waitFor();
    }
    visitor.expect(/401/);
    await page.getByRole('button', { name: /^Sign out/ }).click();
    await page.getByRole('heading', { name: 'Open your sign-in link' }).waitFor();
  });
  for (const other of others) await other.close();
});
