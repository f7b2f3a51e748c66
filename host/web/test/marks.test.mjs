// What stands on a canvas beside the steps, and a flow with the node of a third party, run on the page that has
// never heard of it.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

const example = new URL('../../../examples/nodes/hours/flow.yaml', import.meta.url);

let host;
before(async () => (host = await Host.start({ flows: ['examples/flows/menu.yaml', 'examples/nodes/hours/flow.yaml'] })));
after(() => host.stop());

const desk = (flow) => ({ path: `/ui/flows/${flow}`, width: 1440, height: 900 });
const source = async (flow) => (await host.api('GET', `/v1/flows/${flow}/draft`)).toString();
const step = (page, name) => page.locator('.svelte-flow__node').filter({ has: page.getByRole('heading', { name, exact: true }) });

test('notes and groups: put down, written, renamed, undone, and in the YAML', async () => {
  await visit(host, desk('menu'), async (page) => {
    await step(page, 'Ask what it is about').waitFor();
    const steps = page.getByRole('complementary', { name: 'Steps to add' });
    await steps.getByRole('button', { name: 'Note', exact: true }).click();
    await page.getByRole('textbox', { name: 'Note' }).fill('Ask Maria before this is changed');
    await host.until(async () => /text: Ask Maria before this is changed/.test(await source('menu')));
    await steps.getByRole('button', { name: 'Group', exact: true }).click();
    await page.getByRole('textbox', { name: 'Group' }).fill('Office hours');
    await page.keyboard.press('Tab');
    await host.until(async () => /name: Office hours/.test(await source('menu')));
    await page.getByRole('button', { name: /^Undo/ }).click();
    await host.until(async () => !/Office hours/.test(await source('menu')));
    await page.getByRole('button', { name: /^Redo/ }).click();
    await host.until(async () => /name: Office hours/.test(await source('menu')));
    assert.match(await source('menu'), /Ask Maria/);
  });
});

for (const [at, message] of [['2026-11-25T12:00:00-03:00', /^What can we do for you\?/], ['2026-11-25T22:00:00-03:00', /^We are closed, and back at 2026-11-26T09:00/]])
  test(`a third party's node runs at ${at}: its step is lit, its output is shown, and the run goes on`, async () => {
    await host.api('PUT', '/v1/flows/hours/draft', (await readFile(example, 'utf8')).replace('default: ""', `default: "${at}"`));
    await visit(host, desk('hours'), async (page) => {
      await step(page, 'Opening hours').waitFor();
      await page.getByRole('button', { name: /^Start (again )?with this draft$/ }).click();
      const trace = page.getByRole('region', { name: 'This run' });
      await trace.getByRole('listitem').getByText('Opening hours').first().waitFor();
      await page.getByRole('region', { name: 'Simulated phone' }).getByRole('log').getByText(message).waitFor();
      const [{ run }] = (await host.api('GET', '/v1/runs?flow=hours&limit=1')).runs;
      const { steps } = await host.api('GET', `/v1/runs/${run}`);
      assert.ok(steps.some((s) => s.step === 'node.succeeded' && s.node === 'hours'), JSON.stringify(steps));
      await page.locator('.node.visited', { hasText: 'Opening hours' }).waitFor();
    });
  });
