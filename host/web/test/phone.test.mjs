// The simulated phone beside the canvas, and the lines of a run below it.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { deflateSync, crc32 } from 'node:zlib';
import { Host, visit } from './harness.mjs';

const ana = '5511999990001';
const bruno = '5511999990002';
let host;
before(async () => (host = await Host.start({ flows: ['examples/flows/menu.yaml'], args: ['--simulate', '--phone', bruno] })));
after(() => host.stop());

const desk = { path: '/ui/flows/menu', width: 1440, height: 900 };
const phoneOf = (page) => page.getByRole('region', { name: 'Simulated phone' });
const chatOf = (page) => phoneOf(page).getByRole('log');
const traceOf = (page) => page.getByRole('region', { name: 'This run' });
const line = (page, words) => traceOf(page).getByRole('listitem').getByText(words).last();
const newest = (page, label) => chatOf(page).getByRole('button', { name: label }).last();
const messages = (page) => chatOf(page).getByRole('article');

/** begin starts the draft for whoever is picked, and waits for its menu. */
async function begin(page) {
  await chatOf(page).waitFor();
  const before = await messages(page).count();
  await phoneOf(page).getByRole('button', { name: /^Start (again )?with this draft$/ }).click();
  await page.waitForFunction((n) => document.querySelectorAll('.chat .msg').length > n, before);
  await line(page, /waits for Sales, Support or Billing/).waitFor();
}

test('a tap lights its button, the edge and the line, and is said', async () => {
  await visit(host, desk, async (page) => {
    await begin(page);
    await newest(page, 'Support').click();
    await line(page, 'Ana tapped Support').waitFor();
    await page.locator('.node .port.tapped', { hasText: 'Support' }).waitFor();
    await page.locator('.svelte-flow__edge .trail').nth(1).waitFor({ state: 'attached' });
    await newest(page, 'Yes, it is').click();
    await line(page, 'Ana tapped Yes, it is').waitFor();
    await chatOf(page).getByText(/Your ticket is r/).last().waitFor();
    await line(page, 'The run is done').waitFor();
    assert.match(await traceOf(page).getByRole('status').textContent(), /The run is done\./);
    await chatOf(page).getByRole('button', { name: 'Support, tapped' }).last().waitFor();
    // An old menu still works: the run goes on from there.
    await newest(page, 'Sales').click();
    await line(page, 'Ana tapped Sales on an old message').waitFor();
    await chatOf(page).getByText('A colleague from sales will write to you.').waitFor();
  });
});

test('several customers: each has a chat, and what nobody has looked at is counted', async () => {
  await visit(host, desk, async (page) => {
    await begin(page);
    await host.api('POST', '/v1/flows/menu/runs', { vars: { phone: bruno } });
    const tab = phoneOf(page).getByRole('tab', { name: /Bruno/ });
    await tab.getByLabel('1 unread').waitFor();
    await tab.click();
    await newest(page, 'Billing').waitFor();
    await tab.getByLabel(/unread/).waitFor({ state: 'detached' });
    const [menu] = await (await fetch(new URL(`/sim/v1/phones/${bruno}/inbox`, host.url))).json();
    await host.until(async () => (await (await fetch(new URL(`/sim/v1/messages/${menu.id}`, host.url))).json()).receipts.some((receipt) => receipt.type === 'read'));
    // A tap on another run's menu shows that run.
    await newest(page, 'Billing').click();
    await line(page, 'Bruno tapped Billing').waitFor();
    assert.equal(await traceOf(page).getByRole('heading').textContent(), 'Bruno');
    // Somebody who hides what was read.
    await phoneOf(page).getByRole('switch', { name: 'Reads' }).click();
    await phoneOf(page).getByRole('switch', { name: 'Reads', checked: false }).waitFor();
    await phoneOf(page).getByRole('button', { name: 'Add a person or group' }).click();
    await page.getByLabel('Name', { exact: true }).fill('Zoé');
    await phoneOf(page).getByRole('button', { name: 'Add', exact: true }).click();
    await phoneOf(page).getByRole('tab', { name: /Zoé/, selected: true }).waitFor();
    await begin(page);
    await newest(page, 'Sales').click();
    await line(page, 'Zoé tapped Sales').waitFor();
  });
});

test('who taps twice is answered once, who writes takes the exit for words', async () => {
  await visit(host, desk, async (page) => {
    await begin(page);
    const sent = await messages(page).count();
    await phoneOf(page).getByRole('switch', { name: 'Taps twice' }).click();
    await newest(page, 'Sales').click();
    await line(page, /not taken: /).waitFor();
    await page.waitForFunction((n) => document.querySelectorAll('.chat .msg').length === n, sent + 3); // two taps, one answer
    await begin(page);
    await phoneOf(page).getByLabel('Write as Ana').fill('*hello* <img src=x onerror=alert(1)>');
    await page.keyboard.press('Enter');
    await line(page, 'Ana wrote instead').waitFor();
    await chatOf(page).getByText('<img src=x onerror=alert(1)>').last().waitFor();
    assert.equal(await chatOf(page).locator('.msg-text img').count(), 0);
    await chatOf(page).getByText('Thank you, a person will read it.').last().waitFor();
  });
});

test('what is tapped without a net waits in the phone, and messages can disappear', async () => {
  await visit(host, desk, async (page) => {
    await begin(page);
    await phoneOf(page).getByRole('switch', { name: 'Offline' }).click();
    await phoneOf(page).getByRole('switch', { name: 'Offline', checked: true }).waitFor();
    await newest(page, 'Sales').click();
    await chatOf(page).getByText('waits for the net').waitFor();
    assert.equal(await line(page, 'Ana tapped Sales').count(), 0);
    await phoneOf(page).getByRole('switch', { name: 'Offline' }).click();
    await line(page, 'Ana tapped Sales').waitFor();
    await chatOf(page).getByText('waits for the net').waitFor({ state: 'detached' });
    await phoneOf(page).getByRole('switch', { name: 'Disappearing' }).click();
    await phoneOf(page).getByRole('switch', { name: 'Disappearing', checked: true }).waitFor();
    await begin(page);
    await messages(page).last().getByTitle(/^Disappears tomorrow/).waitFor();
    await phoneOf(page).getByRole('switch', { name: 'Disappearing' }).click();
    await phoneOf(page).getByRole('switch', { name: 'Disappearing', checked: false }).waitFor();
  });
});

test('a group is a chat like another, seen on the phone of a member', async () => {
  await visit(host, desk, async (page) => {
    await chatOf(page).waitFor();
    await phoneOf(page).getByRole('button', { name: 'Add a person or group' }).click();
    await phoneOf(page).getByRole('button', { name: 'A group' }).click();
    await page.getByLabel('Name of the group').fill('Team');
    await phoneOf(page).getByRole('checkbox', { name: 'Ana' }).check();
    await phoneOf(page).getByRole('checkbox', { name: 'Bruno' }).check();
    await phoneOf(page).getByRole('button', { name: 'Add', exact: true }).click();
    await phoneOf(page).getByRole('tab', { name: /Team/ }).click();
    await begin(page);
    await phoneOf(page).getByLabel('Whose phone in the group').selectOption(bruno);
    await newest(page, 'Billing').click();
    await line(page, 'Bruno tapped Billing').waitFor();
    await chatOf(page).getByText(/You tapped Billing/).last().waitFor();
  });
});

test('a picture is shown as the phone has decrypted it, and a button of another kind says what it does', async () => {
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind), data]);
    const whole = Buffer.alloc(body.length + 8);
    whole.writeUInt32BE(data.length);
    body.copy(whole, 4);
    whole.writeUInt32BE(crc32(body) >>> 0, body.length + 4);
    return whole;
  };
  const head = Buffer.from([0, 0, 0, 64, 0, 0, 0, 64, 8, 0, 0, 0, 0]);
  const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), chunk('IHDR', head), chunk('IDAT', deflateSync(Buffer.alloc(65 * 64, 127))), chunk('IEND', Buffer.alloc(0))]);
  const files = createServer((_, answer) => answer.writeHead(200, { 'Content-Type': 'image/png' }).end(png)).listen(0, '127.0.0.1');
  await new Promise((resolve) => files.once('listening', resolve));
  try {
    await visit(host, desk, async (page) => {
      await chatOf(page).waitFor();
      await host.api('POST', '/api/message/button/demo', {
        number: ana, contentText: 'Look', mediaUrl: `http://127.0.0.1:${files.address().port}/a.png`, mediaType: 'IMAGE',
        buttons: [{ id: 'https://shop.example/', type: 'URL', displayText: 'Open shop' }],
      });
      const picture = messages(page).last().getByRole('img', { name: 'Picture' });
      await picture.waitFor();
      await page.waitForFunction(() => [...document.querySelectorAll('.msg-media img')].at(-1)?.naturalWidth === 64);
      await newest(page, 'Open shop').click();
      await chatOf(page).getByText('Opens https://shop.example/. The sender does not learn of it.').waitFor();
    });
  } finally {
    files.close();
  }
});

test('hostile texts are texts', async () => {
  await visit(host, desk, async (page) => {
    await chatOf(page).waitFor();
    const label = '<img src=x onerror=alert(1)>';
    for (const text of [`${label} \u202Egnp.exe`, 'w'.repeat(4096)])
      await host.api('POST', '/api/message/button/demo', { number: ana, contentText: text, footerText: label, buttons: [{ id: label, displayText: label.slice(0, 25) }] });
    await messages(page).last().getByText('wwww').first().waitFor();
    assert.equal(await chatOf(page).locator('img').count(), await chatOf(page).locator('.msg-media img').count());
    assert.ok(await page.evaluate(() => { const chat = document.querySelector('.chat'); return chat.scrollWidth <= chat.clientWidth; }), 'the chat scrolls sideways');
    await newest(page, label.slice(0, 25)).click();
    await messages(page).last().getByText(label.slice(0, 25)).last().waitFor();
  });
});

test('the keyboard alone: into the phone, and its newest buttons', async () => {
  await visit(host, desk, async (page) => {
    await chatOf(page).waitFor();
    await page.keyboard.press('p');
    await page.waitForFunction(() => document.activeElement?.closest('.phone-panel'));
    await page.keyboard.press('ArrowRight');
    await phoneOf(page).getByRole('tab', { name: /Bruno/, selected: true }).waitFor();
    await page.keyboard.press('ArrowLeft');
    await phoneOf(page).getByRole('tab', { name: /Ana/, selected: true }).waitFor();
    await page.keyboard.press('Control+Enter');
    await line(page, /waits for Sales, Support or Billing/).waitFor();
    await newest(page, 'Billing').waitFor();
    await page.keyboard.press('3');
    await line(page, 'Ana tapped Billing').waitFor();
  });
});

test('a reload in the middle shows the chat as it is', async () => {
  await visit(host, desk, async (page) => {
    await begin(page);
    await newest(page, 'Support').click();
    await newest(page, 'Yes, it is').waitFor();
    await page.reload();
    await newest(page, 'Yes, it is').click();
    await line(page, 'Ana tapped Yes, it is').waitFor(); // the tap finds its run
    await page.locator('.node .port.tapped', { hasText: 'Support' }).waitFor();
  });
});

for (const theme of ['light', 'dark'])
  test(`390 px, ${theme}: the phone is in front, is tapped, and has nothing to stumble over`, async () => {
    await visit(host, { ...desk, width: 390, height: 844, theme }, async (page, visitor) => {
      await page.getByRole('navigation', { name: 'Panel' }).getByRole('button', { name: 'Phone' }).click();
      await chatOf(page).waitFor();
      await phoneOf(page).getByRole('button', { name: /^Start (again )?with this draft$/ }).click();
      await page.waitForFunction(() => [...document.querySelectorAll('.chat .msg-buttons')].at(-1)?.querySelector('.was-tapped') === null);
      await newest(page, 'Sales').click();
      await chatOf(page).getByText('A colleague from sales will write to you.').last().waitFor();
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'the page scrolls sideways');
      await visitor.axe();
    });
    await visit(host, { ...desk, theme }, async (page, visitor) => {
      await begin(page);
      await phoneOf(page).getByRole('button', { name: 'Add a person or group' }).click();
      await visitor.axe();
    });
  });
