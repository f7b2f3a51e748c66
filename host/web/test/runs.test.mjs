import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

const flow = `apiVersion: flow/v1
kind: Flow
metadata: {id: desk, name: Desk}
vars: {properties: {to: {type: string, default: "5511988880001"}}}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - id: ask
    name: Ask first
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "\${vars.to}", contentText: "How can we help?", buttons: [{id: sales, displayText: Sales}, {id: help, displayText: Help}]}
    wait: {timeout: 2h}
  - {id: sales, name: Sales answers, type: whatsapp.sendText@1, with: {instance: demo, number: "\${vars.to}", contentText: A colleague will write.}}
  - {id: silent, name: Nobody answered, type: log@1, with: {message: nobody}}
edges:
  - {from: ask.reply:sales, to: sales}
  - {from: ask.timeout, to: silent}
`;

let host;
const sim = async (path, body) => {
  const response = await fetch(new URL(`/sim/v1/${path}`, host.url), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) });
  assert.ok(response.ok, `${path}: ${await response.text()}`);
};
const state = async (run) => (await host.api('GET', `/v1/runs/${run}`)).status;

/** start starts a run for a customer, and waits until it waits for her. */
async function start(number) {
  const { run } = await host.api('POST', '/v1/flows/desk/runs', { vars: { to: number } });
  await host.until(async () => (await host.api('GET', `/v1/runs/${run}`)).pending?.some(({ kind, due }) => kind === 'timeout' && due !== undefined));
  return run;
}

before(async () => {
  host = await Host.start();
  await sim('phones', { number: '5511988880001', name: 'Rosa' });
  await sim('phones', { number: '5511988880002', name: 'Davi' });
  await host.api('POST', '/v1/flows', flow);
});
after(() => host.stop());

test('a run is found by the number of its customer, and its way, its step and its canvas are shown', () =>
  visit(host, { path: '/ui/runs' }, async (page) => {
    const run = await start('5511988880001');
    await page.getByRole('searchbox', { name: 'Find runs' }).fill('+55 11 98888-0001');
    await page.keyboard.press('Enter');
    const rows = page.getByRole('navigation', { name: 'Found runs' }).getByRole('link');
    await page.waitForFunction(() => document.querySelectorAll('.run-row').length === 1);
    await rows.first().getByText(/v1: Ask first$/).waitFor(); // by its name, not its id
    await rows.first().click();
    await page.waitForURL(`**/ui/runs/${run}?q=*`);
    await page.getByRole('region', { name: 'Waiting' }).getByText('Waits for Sales or Help').waitFor();
    await page.getByRole('region', { name: 'Waiting' }).getByText(/1 h 59 min left|2 h left/).waitFor();
    await page.getByRole('region', { name: 'Waiting' }).getByText(/then Nobody answered/).waitFor();
    await page.getByRole('figure', { name: 'The run on the canvas' }).getByText('Ask first').waitFor();
    await page.getByText('Version 1, the one that ran.').waitFor();
    const way = page.getByRole('region', { name: 'Way' });
    await way.getByRole('button', { name: /Ask first/ }).click();
    const data = page.getByRole('region', { name: 'Data of the step' });
    await data.getByText('"instance": "demo"').first().waitFor();
    await data.getByText('messageId').first().waitFor();
    await data.getByText(/run:/).waitFor();
    assert.ok(!(await data.innerText()).includes('How can we help?'), 'a text is shown without the right to see it');

    // What happens is seen without a reload.
    await sim('phones/5511988880001/click', { buttonId: 'sales' });
    await way.getByText('Somebody tapped Sales').or(way.getByText('Rosa tapped Sales')).waitFor(); // by its label, not its id
    await way.getByRole('button', { name: /Sales answers/ }).waitFor();
    await page.locator('.chip').getByText('Done').waitFor();
  }));

test('a run is found by a message id, by flow and step, by state, and by its own id', () =>
  visit(host, { path: '/ui/runs' }, async (page) => {
    const run = await start('5511988880002');
    const message = (await host.api('GET', `/v1/runs/${run}`)).about.find((about) => about.startsWith('3EB0'));
    const find = page.getByRole('searchbox', { name: 'Find runs' });
    const only = () => page.waitForFunction((href) => [...document.querySelectorAll('.run-row')].every((row) => row.getAttribute('href').includes(href)) && document.querySelectorAll('.run-row').length === 1, run);
    await find.fill(message);
    await find.press('Enter');
    await only();
    await page.goto('/ui/runs');
    await page.getByRole('combobox', { name: 'Flow' }).selectOption('desk');
    await page.getByRole('combobox', { name: 'Waits at' }).selectOption('ask');
    await only();
    await page.getByRole('button', { name: 'Failed' }).click();
    await page.getByRole('heading', { name: 'No run fits.' }).waitFor();
    await page.getByRole('button', { name: 'Look at all runs' }).click();
    await page.locator('.run-row').nth(1).waitFor();
    await find.fill('5500000000');
    await find.press('Enter');
    await page.getByRole('heading', { name: 'No runs with 5500000000' }).waitFor();
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await page.locator('.run-row').nth(1).waitFor();
    await page.goto('/ui/runs');
    await find.fill(run);
    await find.press('Enter');
    await page.waitForURL(`**/ui/runs/${run}`);
    await page.goBack();
    await find.waitFor();
  }));

test('a run is stopped with a reason, with the keyboard, after a question', () =>
  visit(host, { path: '/ui/runs' }, async (page) => {
    const run = await start('5511988880002');
    await page.goto(`/ui/runs/${run}`);
    await page.getByRole('button', { name: 'Stop', exact: true }).press('Enter');
    await page.getByText('It ends for good, also for late answers.').waitFor();
    assert.equal(await state(run), 'running');
    await page.getByLabel('Reason').fill('customer called');
    await page.keyboard.press('Enter');
    await page.locator('.chip').getByText('Stopped').waitFor();
    await page.getByText('customer called').first().waitFor();
    assert.equal(await state(run), 'cancelled');
  }));

test('what a run waits for comes now', () =>
  visit(host, { path: '/ui/runs' }, async (page) => {
    const run = await start('5511988880002');
    await page.goto(`/ui/runs/${run}`);
    await page.getByRole('button', { name: 'Let it come now' }).click();
    await page.getByRole('region', { name: 'Way' }).getByText('no answer in time').waitFor();
    await page.getByRole('region', { name: 'Way' }).getByRole('button', { name: /Nobody answered/ }).waitFor();
    await host.until(async () => (await state(run)) === 'succeeded');
  }));

test('a run that failed is retried from where it failed', () =>
  visit(host, { path: '/ui/runs' }, async (page) => {
    await sim('faults', { match: { stage: 'message', recipient: '5511988880002' }, action: { ackError: { code: 473 } }, times: 1 });
    const { run } = await host.api('POST', '/v1/flows/desk/runs', { vars: { to: '5511988880002' } });
    await host.until(async () => (await state(run)) === 'failed');
    await page.goto(`/ui/runs/${run}`);
    await page.locator('.chip').getByText('Failed').waitFor();
    await page.getByRole('button', { name: 'Retry from here' }).click();
    await page.locator('.chip').getByText('Waiting').waitFor();
    assert.equal(await state(run), 'running');
  }));

test('clicks are listed with their menus; what is not delivered and webhooks have their places', () =>
  visit(host, { path: '/ui/runs?view=clicks' }, async (page) => {
    const row = page.getByRole('row', { name: /sales first tap/ });
    await row.getByText('first tap').waitFor();
    await row.getByRole('link').click();
    await page.waitForFunction(() => document.querySelectorAll('.run-row').length === 1);
    await page.getByRole('link', { name: 'Not delivered' }).click();
    await page.getByText('Everything was delivered.').waitFor();
    await page.getByRole('link', { name: 'Webhooks' }).click();
    await page.getByText('No service is called yet.').waitFor();
  }));

test('numbers and texts are shown by hand, to who may', async () => {
  const { execFileSync } = await import('node:child_process');
  const binary = process.env.TAPNODE_BIN ?? new URL('../../../bin/tapnode', import.meta.url).pathname;
  const token = /tap_[\w-]+/.exec(execFileSync(binary, ['tokens', 'create', '--name', 'seer', '--scopes', 'send,read,manage,reveal', '--data', host.data], { encoding: 'utf8' }))[0];
  const seer = Object.create(host, { token: { value: token } });
  await visit(seer, { path: '/ui/runs?q=5511988880001' }, async (page) => {
    await page.locator('.run-row').first().getByText('…01').waitFor();
    await page.getByRole('switch', { name: 'Show numbers and texts' }).click();
    await page.locator('.run-row').first().getByText('+5511988880001').waitFor();
    await page.locator('.run-row').first().click();
    await page.getByRole('region', { name: 'Way' }).getByRole('button', { name: /Ask first/ }).first().click();
    await page.getByRole('region', { name: 'Data of the step' }).getByText('How can we help?').first().waitFor();
  });
});

for (const theme of ['light', 'dark'])
  for (const width of [1280, 390])
    test(`axe finds nothing: ${theme}, ${width}`, () =>
      visit(host, { path: '/ui/runs', theme, width }, async (page, visitor) => {
        await page.locator('.run-row').first().waitFor();
        await visitor.axe();
        await page.locator('.run-row').first().click();
        await page.getByRole('region', { name: 'Way' }).waitFor();
        await page.getByRole('figure').getByText('Ask first').waitFor();
        await visitor.axe();
        await page.goto('/ui/runs?view=clicks');
        await page.getByRole('table').waitFor();
        await visitor.axe();
      }));

for (const [locale, way] of [['pt-BR', 'Caminho'], ['es-ES', 'Camino']])
  test(`the longest words have room at 390: ${locale}`, () =>
    visit(host, { path: '/ui/runs', locale, width: 390 }, async (page) => {
      await page.locator('.run-row').first().click();
      await page.getByRole('region', { name: way }).waitFor();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${over} px wider than the screen`);
    }));

test('a dead letter that cannot be delivered stays and says why, one that somebody else took is gone, and without the host there is a way on', async () => {
  await host.api('POST', '/v1/flows', `apiVersion: flow/v1
kind: Flow
metadata: {id: paid}
vars: {type: object, properties: {amount: {type: integer}}}
triggers: [{id: paid, type: webhook, with: {path: paid, auth: {type: none}}, vars: {amount: "\${ event.body.amount }"}, to: log}]
nodes: [{id: log, type: log@1, with: {message: paid}}]
`);
  for (let i = 0; i < 2; i++) await fetch(new URL('/hooks/paid', host.url), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ amount: 'a lot', i }) });
  const letters = async () => (await host.api('GET', '/v1/deadletters')).deadLetters;
  await host.until(async () => (await letters()).length >= 2);
  const before = (await letters()).length;
  await visit(host, { path: '/ui/runs?view=letters' }, async (page, visitor) => {
    const rows = page.locator('.letters > li');
    await host.until(async () => (await rows.count()) === before);
    await page.getByRole('button', { name: /^Deliver again/ }).first().click();
    await page.getByRole('alert').getByText('Not delivered; it stays.').waitFor();
    assert.equal(await rows.count(), before);
    await visitor.axe();

    const [first] = await letters();
    visitor.expect(/404|ERR_|Failed to fetch/);
    await host.api('DELETE', `/v1/deadletters/${first.id}`);
    await page.getByRole('button', { name: `Forget: ${first.event.id}` }).click();
    await page.getByRole('alert').waitFor();
    await host.until(async () => (await rows.count()) === before - 1);

    await host.kill();
    await page.getByRole('button', { name: /^Forget/ }).first().click();
    await page.getByRole('alert').getByText('No connection to the server.').waitFor();
    assert.equal(await rows.count(), before - 1, 'what was shown is gone with the connection');
    await host.serve();
    await page.getByRole('alert').getByRole('button', { name: 'Try again' }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: /^Forget/ }).first().click();
    await page.getByText('Forgotten.').waitFor();
    await host.until(async () => (await rows.count()) === before - 2);
  });
});
