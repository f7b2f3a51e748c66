// Words that somebody else wrote are words, on every page that shows them: names of flows and steps, labels of
// buttons, what a customer wrote, why a run failed, the label of a webhook.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

const markup = '<img src=x onerror=alert(1)>';
const turned = '\u202Egnp.exe';
const long = 'w'.repeat(4096);
const label = `${markup.slice(0, 14)}${turned}`; // as long as a label may be shown
const number = '5511988880001';

let host, run, failed;
before(async () => {
  host = await Host.start();
  await host.api('POST', '/sim/v1/phones', { number, name: `${markup}${turned}` });
  const flow = {
    apiVersion: 'flow/v1', kind: 'Flow',
    metadata: { id: 'hostile', name: `${markup} ${turned}`, description: `${markup} ${long}`.slice(0, 2000) },
    vars: { properties: { to: { type: 'string', title: markup, default: number } } },
    triggers: [{ id: 'start', type: 'manual', to: 'ask' }],
    nodes: [
      { id: 'ask', name: `${markup} ${turned}`, type: 'whatsapp.sendButtons@1', with: { instance: 'demo', number: '${vars.to}', contentText: `${markup} ${turned} ${long}`.slice(0, 4000), footerText: markup, buttons: [{ id: markup, displayText: label }, { id: turned, displayText: 'w'.repeat(24) }] }, wait: { timeout: '2h' } },
      { id: 'stop', name: long.slice(0, 120), type: 'fail@1', with: { message: `${markup} ${turned} ${long}`.slice(0, 500) } },
    ],
    edges: [{ from: `ask.reply:${markup}`, to: 'stop' }],
  };
  const put = await fetch(new URL('/v1/flows', host.url), { method: 'POST', headers: { token: host.token, 'Content-Type': 'application/yaml' }, body: JSON.stringify(flow) });
  assert.ok(put.ok, await put.text());
  await host.api('PUT', '/v1/flows/hostile/draft', JSON.stringify({ ...flow, metadata: { ...flow.metadata, description: turned } }));
  const start = async () => {
    const { run } = await host.api('POST', '/v1/flows/hostile/runs', {});
    await host.until(async () => (await host.api('GET', `/v1/runs/${run}`)).pending?.some(({ kind, due }) => kind === 'timeout' && due !== undefined));
    return run;
  };
  failed = await start();
  await host.api('POST', `/sim/v1/phones/${number}/click?wait=20s`, { buttonId: markup });
  await host.until(async () => (await host.api('GET', `/v1/runs/${failed}`)).status === 'failed');
  run = await start();
  await host.api('POST', '/v1/webhooks', { url: 'https://crm.example/in?<img src=x>', label: `${markup}${turned}` });
});
after(() => host.stop());

const pages = {
  flows: () => '/ui/', canvas: () => '/ui/flows/hostile?step=ask', outline: () => '/ui/flows/hostile/outline', yaml: () => '/ui/flows/hostile/yaml', versions: () => '/ui/flows/hostile/versions',
  runs: () => `/ui/runs/${run}`, 'a run that failed': () => `/ui/runs/${failed}`, clicks: () => '/ui/runs?view=clicks', webhooks: () => '/ui/runs?view=webhooks', insights: () => '/ui/insights', instance: () => '/ui/instances/demo',
};

/** loose are texts that turn what stands behind them: in a line with others, and not kept apart. */
const loose = () => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (!node.data.includes('\u202E')) continue;
    const { display, unicodeBidi } = getComputedStyle(node.parentElement);
    if (display === 'inline' && !unicodeBidi.startsWith('isolate')) found.push(node.parentElement.outerHTML.slice(0, 120));
  }
  return found;
};

/** wide are exits that are wider than their step. */
const wide = () => [...document.querySelectorAll('.node .port')].filter((port) => port.getBoundingClientRect().right > port.closest('.node').getBoundingClientRect().right).map((port) => port.textContent);

for (const width of [1280, 390])
  test(`words stay words, at ${width}`, async (t) => {
    await visit(host, { width, path: '/ui/sessions' }, async (page) => {
      page.on('dialog', (dialog) => (dialog.dismiss(), assert.fail('something of it ran')));
      for (const [name, at] of Object.entries(pages))
        await t.test(name, async () => {
          await page.goto(at());
          await page.getByText(/gnp\.exe|crm\.example|<img/).first().waitFor({ state: 'attached' });
          assert.equal(await page.locator('img[src="x"]').count(), 0, 'markup became markup');
          assert.deepEqual(await page.evaluate(loose), []);
          assert.deepEqual(await page.evaluate(wide), []);
          assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls sideways');
          if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/hostile-${name}-${width}.png` });
        });
      await page.keyboard.press('Control+k');
      await page.getByRole('combobox', { name: 'Search everything' }).fill('img');
      await page.getByRole('option', { name: /<img/ }).first().waitFor();
      assert.equal(await page.locator('img[src="x"]').count(), 0);
      assert.deepEqual(await page.evaluate(loose), []);
    });
  });
