import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

const flow = `apiVersion: flow/v1
kind: Flow
metadata: {id: desk, name: Desk}
vars: {properties: {to: {type: string, default: "5511988880001"}}}
triggers: [{id: start, type: manual, to: ask}]
nodes:
  - id: ask
    name: Ask for what
    type: whatsapp.sendButtons@1
    with: {instance: demo, number: "\${vars.to}", contentText: "How can we help?", buttons: [{id: sales, displayText: Sales}, {id: help, displayText: Help}]}
    wait: {timeout: 2h}
  - {id: sales, type: whatsapp.sendText@1, with: {instance: demo, number: "\${vars.to}", contentText: A colleague will write.}}
  - {id: words, type: log@1, with: {message: wrote}}
  - {id: silent, type: log@1, with: {message: nobody}}
edges:
  - {from: ask.reply:sales, to: sales}
  - {from: ask.text, to: words}
  - {from: ask.timeout, to: silent}
`;

let host;
const at = { path: '/ui/insights?flow=desk' }; // the example that a simulated host starts by itself is not counted
const sim = async (path, body) => {
  const response = await fetch(new URL(`/sim/v1/${path}`, host.url), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) });
  assert.ok(response.ok, `${path}: ${await response.text()}`);
};
const start = async (to) => (await host.api('POST', '/v1/flows/desk/runs', { vars: { to } })).run;
const until = (run, holds) => host.until(async () => holds(await host.api('GET', `/v1/runs/${run}`)));

// Three menus go out: one is tapped, to one somebody writes, one is left alone. A fourth has no phone.
before(async () => {
  host = await Host.start();
  const people = ['5511988880001', '5511988880002', '5511988880003'];
  for (const number of people) await sim('phones', { number });
  await host.api('POST', '/v1/flows', flow);
  const runs = [];
  for (const number of people) runs.push(await start(number));
  for (const run of runs) await until(run, ({ pending }) => pending?.some(({ kind, due }) => kind === 'timeout' && due !== undefined));
  const { instance } = await host.api('GET', '/v1/instances/demo');
  await sim(`phones/${people[0]}/click?wait=20s`, { buttonId: 'sales' });
  await sim(`phones/${people[1]}/text`, { to: instance.phone, text: 'call me' });
  await host.api('POST', `/v1/runs/${runs[2]}/resume`, {});
  for (const run of runs) await until(run, ({ status }) => status === 'succeeded');
  await until(await start('5511977770000'), ({ status }) => status === 'failed');
});
after(() => host.stop());

const figure = (page, name) => page.locator('.figures > div').filter({ has: page.getByText(name, { exact: true }) });
const chart = (page, name) => page.getByRole('figure', { name });

test('the figures are what was done on the phones', () =>
  visit(host, at, async (page) => {
    await figure(page, 'Sends').getByText('4', { exact: true }).waitFor(); // three menus and an answer
    await figure(page, 'Sends').getByText('1 failed').waitFor();
    await figure(page, 'Clicks').getByText('1', { exact: true }).waitFor();
    await figure(page, 'Click rate').getByText('33.3%').waitFor();
    await figure(page, 'Click rate').getByText('of 3 menus').waitFor();
    const buttons = chart(page, 'Click rate by button');
    for (const [name, share] of [['Sales sales', '33.3%'], ['wrote instead', '33.3%'], ['no answer', '33.3%']]) await buttons.getByRole('row', { name: new RegExp(`^${name} ${share.replace('.', '\\.')} 1$`) }).waitFor();
    await chart(page, 'Click rate by menu').getByRole('row', { name: /^Ask for what / }).waitFor(); // the step by its name
    await chart(page, 'Failures by code').getByRole('row', { name: /invalid_number 1/ }).waitFor();
    await chart(page, 'Time to click').getByRole('img', { name: /Most taps, 1,/ }).waitFor();
    await chart(page, 'Sends and clicks a day').getByRole('img', { name: /4 at most/ }).waitFor();
  }));

test('each chart is a table and a file, too, with the keyboard', () =>
  visit(host, at, async (page) => {
    const days = chart(page, 'Sends and clicks a day');
    await days.getByRole('button', { name: 'As table' }).press('Enter');
    assert.equal(await days.getByRole('row').count(), 15);
    await days.getByRole('row').last().getByRole('cell', { name: '4' }).waitFor();
    const buttons = chart(page, 'Click rate by button');
    const [taps] = await Promise.all([page.waitForEvent('download'), buttons.getByRole('button', { name: /^CSV/ }).press('Enter')]);
    assert.match(await readFile(await taps.path(), 'utf8'), /^"Button","Id","Taps","Share"\r\n"Sales","sales",1,0\.333/);
    await buttons.getByRole('button', { name: 'As table' }).press('Enter');
    await buttons.getByRole('row', { name: 'Sales sales 1 33.3%' }).waitFor();
    const [file] = await Promise.all([page.waitForEvent('download'), chart(page, 'Failures by code').getByRole('button', { name: /^CSV/ }).press('Enter')]);
    assert.equal(await readFile(await file.path(), 'utf8'), '"Code","Operation","Count"\r\n"invalid_number","whatsapp.sendButtons@1",1\r\n');
  }));

test('another flow, another time: what is asked for is in the address; nothing is said to be nothing', () =>
  visit(host, at, async (page) => {
    await page.getByRole('combobox', { name: 'Instance' }).selectOption('demo');
    await page.waitForURL('**/insights?flow=desk&instance=demo');
    await figure(page, 'Clicks').getByText('1', { exact: true }).waitFor();
    await page.getByRole('button', { name: '90 days' }).click();
    await page.waitForURL('**/insights?days=90&*');
    await figure(page, 'Sends').getByText('4', { exact: true }).waitFor();
    await page.goto('/ui/insights?flow=another');
    await page.getByRole('heading', { name: 'Nothing was sent in this time.' }).waitFor();
    await page.getByRole('button', { name: 'Look in 90 days' }).click();
    await page.waitForURL('**/insights?days=90&flow=another');
    await page.getByRole('button', { name: 'Look at all flows' }).click();
    await figure(page, 'Sends').waitFor();
  }));

for (const theme of ['light', 'dark'])
  for (const width of [1280, 390])
    test(`axe finds nothing: ${theme}, ${width}`, () =>
      visit(host, { ...at, theme, width }, async (page, visitor) => {
        await chart(page, 'Failures by code').waitFor();
        await visitor.axe();
      }));

for (const [locale, title] of [['pt-BR', 'Resultados'], ['es-ES', 'Resultados']])
  test(`the longest words have room at 390: ${locale}`, () =>
    visit(host, { ...at, locale, width: 390 }, async (page) => {
      await page.getByRole('heading', { name: title }).waitFor();
      await page.locator('.figures').waitFor();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${over} px wider than the screen`);
    }));
