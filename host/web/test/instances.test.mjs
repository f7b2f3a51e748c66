import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

let host;
before(async () => (host = await Host.start()));
after(() => host.stop());

const at = { path: '/ui/instances' };
const card = (page, name) => page.getByRole('article', { name });
const sim = async (path, body) => {
  const response = await fetch(new URL(`/sim/v1/${path}`, host.url), { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body ?? {}) });
  assert.ok(response.ok, `${path}: ${await response.text()}`);
};
const menu = async (page, name, item) => {
  await page.getByRole('button', { name: `More for ${name}` }).click();
  await page.getByRole('menuitem', { name: item, exact: true }).click();
};

/** seen waits for what the page shows when somebody comes back to it, which is sooner than when it asks by itself. */
const seen = (page, locator) =>
  host.until(async () => {
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    return locator.isVisible();
  });

async function make(page, name) {
  await page.getByRole('button', { name: 'New instance' }).click();
  await page.getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Make it' }).click();
  await page.getByText(/^tapi_/).waitFor();
}

test('a new instance is paired by QR code with the simulated phone, and said to be connected', () =>
  visit(host, at, async (page) => {
    await make(page, 'sales-br');
    await page.getByRole('dialog').getByRole('button', { name: 'Show the code' }).click();
    const code = page.getByRole('img', { name: 'QR code for pairing' });
    await code.waitFor();
    assert.match(await code.getAttribute('data-code'), /linked_devices#/);
    await page.getByText(/A new code in \d+ s/).waitFor();
    await page.getByRole('button', { name: 'Scan with the simulated phone' }).click();
    await page.getByText('sales-br is connected.').waitFor();
    await page.getByRole('button', { name: 'Done' }).click();
    await card(page, 'sales-br').getByText('Connected', { exact: true }).waitFor();
    const { instance } = await host.api('GET', '/v1/instances/sales-br');
    assert.equal(instance.state, 'connected');
    await card(page, 'sales-br').getByText(`+${instance.phone}`).waitFor();
  }));

test('a pairing by code: the number is asked for, the code is typed on the simulated phone', () =>
  visit(host, at, async (page) => {
    await host.api('POST', '/v1/instances', { name: 'by-code' });
    await card(page, 'by-code').getByRole('button', { name: 'Use a phone number' }).click();
    await page.getByRole('button', { name: 'Use a simulated number' }).click();
    await page.waitForFunction(() => document.querySelector('#own-number').value !== '');
    await page.getByRole('button', { name: 'Get a code' }).click();
    await page.getByText(/^[A-Z0-9]{4}-[A-Z0-9]{4}$/).waitFor();
    await page.getByRole('button', { name: 'Type on the simulated phone' }).click();
    await page.getByText('by-code is connected.').waitFor();
  }));

test('an account with a passkey: the question, an answer that is cut, and the right one', () =>
  visit(host, at, async (page, visitor) => {
    visitor.expect(/422/);
    await host.api('POST', '/v1/instances', { name: 'guarded' });
    await sim('accounts', { number: '5511377770001', name: 'guarded', requirePasskey: true });
    await card(page, 'guarded').getByRole('button', { name: 'Show the code' }).click();
    await page.getByRole('button', { name: 'Scan with the simulated phone' }).click();
    await page.getByText('This account has a passkey.').waitFor();
    await page.getByRole('button', { name: 'Read them first' }).click();
    await page.getByText('navigator.credentials.get').waitFor();
    await page.getByLabel('2. Bring the answer back').fill('{"id":"AQID","respon');
    await page.getByRole('button', { name: 'Send the answer' }).click();
    await page.getByText('The end is missing.').waitFor();
    const refused = JSON.stringify({ id: 'AAAA', rawId: 'AAAA', type: 'public-key', response: { clientDataJSON: 'e30', authenticatorData: 'AAAA', signature: 'AAAA' } });
    await page.getByLabel('2. Bring the answer back').fill(refused);
    await page.getByRole('button', { name: 'Send the answer' }).click();
    await page.locator('#passkey-problem').getByText(/passkey|answer/i).waitFor();
    await page.getByRole('button', { name: 'Answer with the simulated passkey' }).click();
    await page.getByText('guarded is connected.').waitFor();
  }));

test('a closed dialog ends the pairing', () =>
  visit(host, at, async (page) => {
    await host.api('POST', '/v1/instances', { name: 'left' });
    await card(page, 'left').getByRole('button', { name: 'Show the code' }).click();
    await page.getByRole('img', { name: 'QR code for pairing' }).waitFor();
    await page.keyboard.press('Escape');
    await seen(page, card(page, 'left').getByText('Not paired yet'));
  }));

test('a pause of new contacts is shown with its end, and ended', () =>
  visit(host, at, async (page) => {
    const { instance } = await host.api('GET', '/v1/instances/demo');
    await sim('faults', { id: 'locked', match: { stage: 'message', account: instance.phone }, action: { ackError: { code: 463 } }, times: 5 });
    await sim('phones', { number: '5511988887777', name: 'Gil' });
    await fetch(new URL('/api/message/text/demo', host.url), { method: 'POST', headers: { token: host.token, 'Content-Type': 'application/json' }, body: '{"number":"5511988887777","message":"hello"}' });
    const demo = card(page, 'demo');
    await seen(page, demo.getByText('Connected, new contacts paused'));
    await demo.getByText(/opens? no new chats until .*\(463\)/).waitFor();
    await page.getByText(/1 need you/).waitFor();
    await demo.getByRole('button', { name: 'End the pause' }).click();
    await demo.getByText('Connected', { exact: true }).waitFor();
    assert.equal((await host.api('GET', '/v1/instances/demo')).instance.newContacts, null);
  }));

test('disconnect, connect, log out and delete by name, with the keyboard', () =>
  visit(host, at, async (page) => {
    const sales = card(page, 'sales-br');
    await sales.getByRole('button', { name: 'Disconnect' }).press('Enter');
    await sales.getByText('Disconnected', { exact: true }).waitFor();
    await sales.getByRole('button', { name: 'Connect', exact: true }).press('Enter');
    await sales.getByText('Connected', { exact: true }).waitFor();
    const more = page.getByRole('button', { name: 'More for sales-br' });
    await more.press('Enter');
    await page.getByRole('menuitem', { name: 'Open' }).and(page.locator(':focus')).waitFor();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('Enter');
    await page.getByRole('dialog', { name: 'Log sales-br out' }).getByRole('button', { name: 'Log out' }).press('Enter');
    await sales.getByText('Logged out').or(sales.getByText('Not paired yet')).waitFor();
    await menu(page, 'sales-br', 'Delete');
    const dialog = page.getByRole('dialog', { name: 'Delete sales-br' });
    await dialog.getByLabel('Type sales-br to delete it').fill('sales');
    await page.keyboard.press('Enter');
    await dialog.getByText('The name is not typed yet.').waitFor();
    await dialog.getByLabel('Type sales-br to delete it').fill('sales-br');
    await page.keyboard.press('Enter');
    await sales.waitFor({ state: 'detached' });
    const { instances } = await host.api('GET', '/v1/instances');
    assert.ok(!instances.some(({ name }) => name === 'sales-br'));
  }));

test('who deletes an instance is told how many runs wait for answers to it', () =>
  visit(host, at, async (page) => {
    await host.until(async () => (await host.api('GET', '/v1/waits?flow=menu')).waits.length === 1); // tapnode serve --simulate has begun it
    await menu(page, 'demo', 'Delete');
    const dialog = page.getByRole('dialog', { name: 'Delete demo' });
    await dialog.getByText('One run of its flows waits for an answer that will not come.').waitFor();
  }));

test('a device that its phone removed says so, and what next', () =>
  visit(host, at, async (page) => {
    const { instance } = await host.api('GET', '/v1/instances/by-code');
    await sim(`accounts/${instance.phone}/devices/1/logout`);
    await seen(page, card(page, 'by-code').getByText('Logged out'));
    await card(page, 'by-code').getByRole('button', { name: 'Pair again' }).waitFor();
    await page.getByText('1 need you').waitFor();
  }));

test('the card beside the instances pairs another account, by code if that was asked for', () =>
  visit(host, at, async (page) => {
    const more = page.getByRole('region', { name: 'Pair an account' });
    await more.getByRole('button', { name: 'Use a phone number' }).click();
    await page.getByLabel('Name').fill('by-card');
    await page.getByRole('button', { name: 'Make it' }).click();
    await page.getByText(/^tapi_/).waitFor();
    await page.getByRole('dialog').locator('.button.primary', { hasText: 'Use a phone number' }).click();
    await page.getByRole('button', { name: 'Get a code' }).waitFor();
    await page.keyboard.press('Escape');
    await card(page, 'by-card').getByText('Not paired yet').waitFor();
  }));

test('a webhook is made, tested, given up by its receiver, and called again', () =>
  visit(host, { path: '/ui/instances/demo' }, async (page) => {
    let status = 200;
    const told = [];
    const receiver = createServer((request, response) => {
      told.push(request.headers['webhook-id']);
      response.writeHead(status).end();
    });
    await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    try {
      await page.getByRole('button', { name: 'New webhook' }).click();
      await page.getByLabel('Address').fill(`http://127.0.0.1:${receiver.address().port}/in`);
      await page.getByLabel('Label').fill('crm');
      await page.getByLabel('Only these').check();
      await page.getByLabel(/Instance state/).check();
      await page.getByRole('button', { name: 'Make it' }).click();
      await page.getByText(/^whsec_/).waitFor();
      await page.getByRole('button', { name: 'OK', exact: true }).click();
      await page.getByRole('button', { name: /crm/ }).click();
      await page.getByRole('button', { name: 'Test' }).click();
      await page.getByText(/Answered in/).waitFor();
      await page.getByRole('cell', { name: 'webhook.test.v1' }).waitFor();
      status = 410;
      await host.api('POST', '/v1/instances/demo/disconnect');
      await host.api('POST', '/v1/instances/demo/connect', {});
      await host.until(async () => (await host.api('GET', '/v1/webhooks')).webhooks[0].enabled === false);
      status = 200;
      const before = told.length;
      await page.reload();
      await page.getByRole('button', { name: /crm/ }).click();
      await page.getByText(/not delivered$/).waitFor();
      await page.getByRole('button', { name: 'Switch on' }).click();
      await page.getByRole('button', { name: 'Call again' }).first().click();
      await host.until(async () => told.length > before);
      await page.getByRole('button', { name: 'Delete' }).last().click();
      await page.getByRole('button', { name: 'Delete it' }).click();
      await page.getByText('No service is called yet.').waitFor();
    } finally {
      receiver.close();
    }
  }));

test('another token ends the one before', () =>
  visit(host, { path: '/ui/instances/demo' }, async (page) => {
    await page.getByRole('button', { name: 'Another token' }).click();
    await page.getByRole('button', { name: 'Make another token' }).click();
    const token = await page.getByText(/^tapi_/).innerText();
    const answer = await fetch(new URL('/v1/instances/demo', host.url), { headers: { token } });
    assert.equal(answer.status, 200);
  }));

for (const theme of ['light', 'dark'])
  for (const width of [1280, 390])
    test(`axe finds nothing: ${theme}, ${width}`, () =>
      visit(host, { ...at, theme, width }, async (page, visitor) => {
        await card(page, 'demo').waitFor();
        await visitor.axe();
        await card(page, 'left').getByRole('button', { name: 'Show the code' }).click();
        await page.getByRole('img', { name: 'QR code for pairing' }).waitFor();
        await visitor.axe();
        await page.keyboard.press('Escape');
        await page.goto('/ui/instances/demo');
        await page.getByRole('heading', { name: 'Webhooks' }).waitFor();
        await visitor.axe();
      }));

for (const [locale, heading, code] of [['pt-BR', 'Instâncias', 'Mostrar o código'], ['es-ES', 'Instancias', 'Mostrar el código']])
  test(`the longest words have room at 390: ${locale}`, () =>
    visit(host, { ...at, locale, width: 390 }, async (page) => {
      await page.getByRole('heading', { name: heading }).waitFor();
      await card(page, 'left').getByRole('button', { name: code }).click();
      await page.getByRole('dialog').waitFor();
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(over <= 0, `${over} px wider than the screen`);
    }));

test('a card says which flows use the instance, and what went through it today', async (t) => {
  const host = await Host.start({ flows: ['examples/flows/menu.yaml', 'examples/flows/contact.yaml'] }); // the others have done much to theirs
  t.after(() => host.stop());
  const number = '5511988886666'; // not Ana, who gets the run that the host starts by itself
  await host.api('POST', '/sim/v1/phones', { number });
  const { run } = await host.api('POST', '/v1/flows/menu/runs', { vars: { phone: number, name: 'Rui' } });
  await host.until(async () => (await host.api('GET', `/v1/runs/${run}`)).pending?.some(({ kind, due }) => kind === 'timeout' && due !== undefined));
  await host.api('POST', `/sim/v1/phones/${number}/click?wait=20s`, { buttonId: 'sales' });
  await host.until(async () => (await host.api('GET', `/v1/runs/${run}`)).status === 'succeeded');
  const { flows } = await host.api('GET', '/v1/steps?limit=200');
  const using = flows.filter(({ steps }) => steps.some(({ instance }) => instance === 'demo')).length;
  for (const theme of ['light', 'dark']) {
    await visit(host, { ...at, theme }, async (page, visitor) => {
      const demo = card(page, 'demo');
      await demo.getByText(`${using} flows`).waitFor();
      await demo.getByText(/^\d+ sent, 1 click$/).waitFor();
      await visitor.axe();
      if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/instances-${theme}.png` });
      await page.getByRole('link', { name: 'demo', exact: true }).click();
      await page.getByRole('link', { name: 'Support menu' }).click();
      await page.waitForURL('**/ui/flows/menu');
    });
  }
});
