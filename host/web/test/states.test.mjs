// What a page says besides its content, on every page: while it loads, when it has nothing, when it is refused, when
// the host does not answer, and to who may not see or change it.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

let host, empty, nowhere, reader, sender, run;

/** asked is who signs in with a token of these scopes. */
const asked = async (scopes) => Object.create(host, { token: { value: (await host.api('POST', '/v1/tokens', { name: scopes.join('-'), scopes })).token } });

before(async () => {
  nowhere = await mkdtemp(path.join(tmpdir(), 'tapnode-nowhere-'));
  [host, empty] = [await Host.start({ flows: ['examples/flows/menu.yaml'] }), await Host.start({ cwd: nowhere })];
  await empty.api('DELETE', '/v1/instances/demo');
  run = (await host.api('POST', '/v1/flows/menu/runs', { vars: { phone: '5511999990001', name: 'Ana' } })).run;
  [reader, sender] = [await asked(['read']), await asked(['send'])];
});
after(async () => {
  await Promise.all([host.stop(), empty.stop()]);
  await rm(nowhere, { recursive: true, force: true });
});

// Each page: where it is; what it asks for first; what it shows; what it says when there is nothing, and what
// somebody who may only read does not get.
const pages = [
  { name: 'flows', at: '/ui/', reads: '/v1/flows', shows: (page) => page.getByRole('row', { name: /Support menu/ }), none: 'Take a flow and tap it', changes: 'New flow' },
  { name: 'a flow', at: '/ui/flows/menu', reads: '/v1/flows/menu/versions', shows: (page) => page.locator('.node').first(), noneAt: '/ui/flows/no-such', none: 'There is no such flow', changes: null },
  { name: 'versions', at: '/ui/flows/menu/versions', reads: '/v1/flows/menu/versions', shows: (page) => page.getByRole('navigation', { name: 'Versions' }), noneAt: '/ui/flows/no-such/versions', none: /no flow/i, changes: 'Retire' },
  { name: 'runs', at: '/ui/runs', reads: '/v1/runs', shows: (page) => page.locator('.run-row').first(), none: 'No flow has run yet.', changes: null },
  { name: 'a run', at: () => `/ui/runs/${run}`, reads: () => `/v1/runs/${run}`, shows: (page) => page.getByRole('region', { name: 'Way' }), noneAt: `/ui/runs/r${'a'.repeat(26)}`, none: 'There is no such run, or it is no longer kept.', changes: 'Stop' },
  { name: 'clicks', at: '/ui/runs?view=clicks', reads: '/v1/clicks', shows: (page) => page.getByRole('heading', { name: 'Nobody tapped in the last three days.' }), none: 'Nobody tapped in the last three days.', changes: null },
  { name: 'what was not delivered', at: '/ui/runs?view=letters', reads: '/v1/deadletters', shows: (page) => page.getByRole('heading', { name: 'Everything was delivered.' }), none: 'Everything was delivered.', changes: null },
  { name: 'webhooks', at: '/ui/runs?view=webhooks', reads: '/v1/webhooks', shows: (page) => page.getByText('No service is called yet.'), none: 'No service is called yet.', changes: 'New webhook' },
  { name: 'insights', at: '/ui/insights', reads: '/v1/insights', shows: (page) => page.getByRole('figure', { name: 'Click rate by menu' }), none: 'Nothing was sent in this time.', changes: null },
  { name: 'instances', at: '/ui/instances', reads: '/v1/instances', shows: (page) => page.getByRole('article', { name: 'demo' }), none: 'No account is linked yet', changes: 'New instance' },
  { name: 'an instance', at: '/ui/instances/demo', reads: '/v1/instances', shows: (page) => page.getByText('Connected', { exact: true }), noneAt: '/ui/instances/no-such', none: 'There is no instance no-such.', changes: 'Delete' },
  { name: 'sessions', at: '/ui/sessions', reads: '/v1/sessions', shows: (page) => page.getByText('This browser'), none: null, changes: null },
];
const plain = (value) => (typeof value === 'function' ? value() : value);
const asks = (one) => (url) => url.pathname === plain(one.reads);
const shot = async (page, name) => process.env.SHOTS && page.screenshot({ path: path.join(process.env.SHOTS, `${name.replaceAll(' ', '-')}.png`) });

test('while it loads, rows stand where rows will be, after a moment; then what was asked for', async (t) => {
  await visit(host, { path: '/ui/sessions' }, async (page) => {
    for (const one of pages) {
      await t.test(one.name, async () => {
        let go;
        const held = new Promise((resolve) => (go = resolve));
        await page.route(asks(one), async (route) => (await held, await route.continue()));
        await page.goto(plain(one.at));
        await page.getByRole('main').getByRole('status', { name: 'Loading' }).first().waitFor();
        await shot(page, `loading ${one.name}`);
        go();
        await one.shows(page).waitFor();
        await page.getByRole('main').getByRole('status', { name: 'Loading' }).waitFor({ state: 'detached' });
        await page.unrouteAll({ behavior: 'wait' });
      });
    }
  });
});

for (const [theme, width] of [['light', 1280], ['dark', 390]])
  test(`nothing there: it says so, and what next: ${theme}, ${width}`, async (t) => {
    await visit(empty, { theme, width }, async (page, visitor) => {
      visitor.expect(/404/);
      for (const one of pages.filter(({ none }) => none !== null))
        await t.test(one.name, async () => {
          await page.goto(one.noneAt ?? plain(one.at));
          await page.getByRole('heading', { name: one.none }).waitFor();
          await shot(page, `none ${one.name} ${theme} ${width}`);
          assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls sideways');
          await visitor.axe();
        });
    });
  });

test('what a proxy on the way answers in the place of the host is said, and a second look helps', async (t) => {
  await visit(host, { path: '/ui/sessions' }, async (page, visitor) => {
    visitor.expect(/502/);
    for (const one of pages)
      await t.test(one.name, async () => {
        await page.route(asks(one), (route) => route.fulfill({ status: 502, contentType: 'text/html', body: '<h1>Bad Gateway</h1>' }));
        await page.goto(plain(one.at));
        await page.getByRole('main').getByRole('alert').getByText('Bad Gateway').first().waitFor();
        await shot(page, `failed ${one.name}`);
        if (one === pages[0]) await visitor.axe(); // it is the same on every page
        await page.unrouteAll({ behavior: 'wait' });
        const again = page.getByRole('main').getByRole('alert').getByRole('button', { name: 'Try again' });
        if (await again.count()) await again.first().click();
        await one.shows(page).waitFor();
        await page.getByText('Bad Gateway').waitFor({ state: 'detached' });
      });
  });
});

test('without the host what was shown stays with its time, above it stands so, and it is read anew when it is back', async (t) => {
  await visit(host, { path: '/ui/sessions' }, async (page, visitor) => {
    visitor.expect(/ERR_|Failed to load resource|Failed to fetch|preload/); // a part of the page may be on its way
    const strip = page.getByText(/No connection to the server\. You see how it was at \d\d:\d\d\./);
    for (const one of pages)
      await t.test(one.name, async () => {
        await page.goto(plain(one.at));
        await one.shows(page).waitFor();
        await visitor.context.setOffline(true);
        await strip.waitFor();
        await page.getByText(/Next attempt in \d+ s/).waitFor();
        await one.shows(page).waitFor();
        assert.equal(await page.getByRole('main').getByRole('alert').filter({ hasText: 'No connection' }).count(), 0, 'it is said twice');
        await shot(page, `offline ${one.name}`);
        if (one === pages[0]) await visitor.axe(); // it is the same above every page
        const anew = page.waitForResponse((response) => asks(one)(new URL(response.url())));
        await visitor.context.setOffline(false);
        await strip.waitFor({ state: 'detached' });
        if (one.name !== 'a flow') await anew; // what is edited is kept, not read anew
        else anew.catch(() => {});
        await one.shows(page).waitFor();
      });
  });
});

test('a page that was never opened comes when the host is back', async () => {
  await visit(host, { path: '/ui/runs' }, async (page, visitor) => {
    visitor.expect(/ERR_|Failed to load resource|Failed to fetch|preload/);
    await page.locator('.run-row').first().waitFor();
    await visitor.context.setOffline(true);
    await page.getByRole('link', { name: 'Insights' }).click();
    await page.getByText('No connection to the server.').waitFor();
    await page.getByRole('main').getByRole('status', { name: 'Loading' }).waitFor();
    await visitor.context.setOffline(false);
    await page.getByRole('figure', { name: 'Click rate by menu' }).waitFor();
  });
});

test('a part of the page that is lost while the host is asked whether it is there waits for the host, too', async () => {
  await visit(host, { path: '/ui/runs' }, async (page, visitor) => {
    visitor.expect(/ERR_|Failed to load resource|Failed to fetch|preload/);
    await page.locator('.run-row').first().waitFor();
    let answer;
    const held = new Promise((resolve) => (answer = resolve));
    await page.route('**/v1/session', async (route) => (await held, await route.continue()), { times: 1 });
    const asked = page.waitForRequest('**/v1/session');
    await page.evaluate(() => ((globalThis.stayed = true), dispatchEvent(new Event('offline'))));
    await asked;
    await page.route('**/assets/Insights.js', (route) => route.abort());
    const failed = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/Insights.js'));
    await page.getByRole('link', { name: 'Insights' }).click();
    await failed;
    await page.route('**/v1/**', (route) => route.abort()); // what was asked before is answered, and then the host is gone
    answer();
    await page.getByText('No connection to the server.').waitFor();
    assert.equal(await page.evaluate(() => globalThis.stayed), true, 'the page was loaded anew, from a host that is not there');
    await page.unrouteAll({ behavior: 'wait' });
    await page.getByRole('figure', { name: 'Click rate by menu' }).waitFor();
  });
});

test('an answer that was on its way when the host went away does not bring it back', async () => {
  await visit(host, { path: '/ui/sessions' }, async (page, visitor) => {
    visitor.expect(/ERR_|Failed to load resource|Failed to fetch|preload/);
    const failed = (end) => page.waitForEvent('requestfailed', (request) => request.url().endsWith(end));
    const late = new Promise((resolve) => {
      void page.route(/\/v1\/flows\/validate/, async (route) => {
        const response = await route.fetch();
        resolve(() => route.fulfill({ response }));
      }, { times: 1 });
    });
    await page.goto('/ui/flows/menu');
    const arrive = await late;
    await visitor.context.setOffline(true);
    await page.getByText('No connection to the server.').waitFor();
    await page.evaluate(() => (globalThis.stayed = true));
    const [part, asked] = [failed('/Outline.js'), failed('/v1/session')];
    await page.getByRole('link', { name: 'Outline' }).click();
    await Promise.all([part, asked]); // this part comes with the host
    const again = failed('/v1/session');
    await arrive();
    await again;
    assert.equal(await page.evaluate(() => globalThis.stayed), true, 'the page was loaded anew, from a host that is not there');
    await page.getByText(/Next attempt in \d+ s/).waitFor();
    await visitor.context.setOffline(false);
    await page.getByText('No connection to the server.').waitFor({ state: 'detached' });
    await page.getByRole('region', { name: 'Outline' }).waitFor();
  });
});

test('who may only read sees, and is not offered what is refused', async (t) => {
  await visit(reader, {}, async (page, visitor) => {
    for (const one of pages)
      await t.test(one.name, async () => {
        await page.goto(plain(one.at));
        if (one.name !== 'webhooks') await one.shows(page).waitFor();
        else await page.getByText('Seeing webhooks needs the right manage.').waitFor();
        if (one.changes !== null) assert.equal(await page.getByRole('button', { name: one.changes, exact: true }).count(), 0);
        await shot(page, `reader ${one.name}`);
        if (one.changes !== null) await visitor.axe();
      });
    await page.goto('/ui/flows/menu');
    await page.getByRole('button', { name: 'Publish' }).and(page.locator('[aria-disabled="true"]')).waitFor();
  });
});

test('who may not read is told which right it needs, on every page', async () => {
  await visit(sender, {}, async (page, visitor) => {
    for (const one of pages) {
      await page.goto(plain(one.at));
      await page.getByRole('heading', { name: 'Nothing to see with these rights' }).waitFor();
    }
    await visitor.axe();
  });
});

test('a page that does not exist says so and leads on', async () => {
  await visit(host, { path: '/ui/no-such-page' }, async (page, visitor) => {
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor();
    await visitor.axe();
    await page.getByRole('link', { name: 'To the flows' }).click();
    await page.getByRole('row', { name: /Support menu/ }).waitFor();
  });
});
