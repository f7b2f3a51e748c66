// The custom element as another product has it: what it tells, what it says when it is refused, and a node
// that the page has never heard of.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Elsewhere } from './embedded.mjs';

let elsewhere;
before(async () => (elsewhere = await Elsewhere.start()));
after(() => elsewhere.stop());

test('the node of a third party: its form, findings, ports, without a word of it in the page', async () => {
  const visitor = await elsewhere.visit({ operation: 'hours.check@1' });
  const { page } = visitor;
  const week = page.getByRole('group', { name: 'Opening hours' });
  await week.getByRole('button', { name: 'Add' }).click();
  await page.keyboard.type('mon');
  await page.getByRole('group', { name: 'Value of mon' }).getByRole('textbox').fill('9-12');
  await page.keyboard.press('Enter');
  await page.locator('.finding').getByText(/must match/).waitFor();
  await page.getByRole('button', { name: 'Remove 9-12' }).click();
  await page.keyboard.type('09:00-12:00,13:00-18:00');
  await page.keyboard.press('Enter');
  await elsewhere.host.until(async () => (await page.locator('#input').textContent()).includes('13:00-18:00'));
  assert.deepEqual(JSON.parse(await page.locator('#input').textContent()), { week: { mon: ['09:00-12:00', '13:00-18:00'] } });
  await page.getByRole('textbox', { name: 'At' }).fill('noon');
  await page.getByText('is not a valid date-time').or(page.getByText('no time such as')).first().waitFor();
  await page.getByRole('textbox', { name: 'At' }).fill('2026-11-26T12:00:00Z');
  await page.getByRole('button', { name: 'Save the step' }).click();
  await page.getByText(/Saved with \d+ exits/).waitFor();
  // What the host says of it later is no change.
  await page.locator('tapnode-form').evaluate((form) => form.dispatchEvent(new CustomEvent('change', { detail: { input: form.value, valid: true, checked: true, findings: [], ports: [] } })));
  assert.match(await page.locator('#said').textContent(), /^Saved/);
  await visitor.axe();
  await visitor.close();
});

test('a press of the button counts when the page moves under it, and not when the mouse is moved away', async () => {
  const visitor = await elsewhere.visit({ operation: 'hours.check@1' });
  const { page } = visitor;
  const save = page.getByRole('button', { name: 'Save the step' });
  await save.waitFor();
  await page.evaluate(() => {
    window.submits = 0;
    document.querySelector('tapnode-form').value = { week: { mon: ['09:00-12:00'] } };
    document.querySelector('tapnode-form').addEventListener('submit', () => window.submits++);
  });
  const press = async (moved, away) => {
    const { x, y } = await save.boundingBox();
    await page.mouse.move(x + 5, y + 5);
    await page.mouse.down();
    await page.evaluate((height) => (document.querySelector('tapnode-form').style.marginTop = height), moved);
    await page.mouse.move(x + 5 + away, y + 5);
    await page.mouse.up();
  };
  await press('300px', 200);
  await press('0px', 200);
  await press('300px', 0);
  await elsewhere.host.until(() => page.evaluate(() => window.submits === 1));
  await visitor.close();
});

test('what it tells: each change at once, and again when the host has checked', async () => {
  const visitor = await elsewhere.visit();
  const { page } = visitor;
  await page.getByLabel('To', { exact: true }).waitFor();
  await page.evaluate(() => {
    window.told = [];
    document.querySelector('tapnode-form').addEventListener('change', ({ detail }) => window.told.push(detail));
  });
  await page.getByLabel('To', { exact: true }).fill('5511999990001');
  const checked = await elsewhere.host.until(() => page.evaluate(() => window.told.find((told) => told.checked && told.input.number)));
  assert.equal(checked.valid, false);
  assert.deepEqual(checked.findings.map(({ pointer, message }) => `${pointer}: ${message}`), ['/instance: Instance name is required', '/contentText: ContentText is required', '/buttons: At least one button is required']);
  assert.deepEqual(checked.input, { number: '5511999990001' });
  assert.equal(await page.evaluate(() => window.told.find((told) => told.input.number).checked), false);
  assert.equal(await page.locator('tapnode-form').evaluate((form) => form.matches(':invalid')), true, 'an HTML form around it knows');
  await visitor.close();
});

test('what a submit has told is not told again when the form has checked the same', async () => {
  const visitor = await elsewhere.visit({ operation: 'hours.check@1' });
  const { page } = visitor;
  await page.getByRole('group', { name: 'Opening hours' }).waitFor();
  let checks = 0;
  page.on('requestfinished', (request) => (checks += /\/validate$/.test(request.url()) ? 1 : 0));
  const told = await page.locator('tapnode-form').evaluate(async (form) => {
    window.told = [];
    for (const event of ['change', 'submit']) form.addEventListener(event, ({ detail }) => window.told.push([event, detail.checked]));
    form.value = { week: { mon: ['09:00-12:00'] } };
    await form.submit();
    return window.told;
  });
  assert.deepEqual(told, [['submit', true]]);
  await elsewhere.host.until(async () => checks > 1); // the submit's, and the form's own
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  assert.deepEqual(await page.evaluate(() => window.told), told);
  await visitor.close();
});

test('a submit that does not come to the host is made again, and the form stays', async () => {
  const visitor = await elsewhere.visit();
  visitor.expect(/Failed to load resource/);
  const { page } = visitor;
  await page.getByLabel('To', { exact: true }).fill('5511999990001');
  let refused = 0;
  await page.route('**/validate', async (route) => {
    if (refused++ < 2) await route.abort('connectionreset');
    else await route.continue();
  });
  await page.getByRole('button', { name: 'Save the step' }).click();
  await page.locator('tapnode-form :focus').and(page.getByLabel('Instance')).waitFor(); // the first thing that is wrong
  assert.ok(refused > 2);
  await visitor.close();
});

test('the types that are served name all there is', async () => {
  const answer = await fetch(new URL('/ui/embed/form.d.ts', elsewhere.host.url));
  assert.equal(answer.status, 200);
  const declared = [...(await answer.text()).matchAll(/^ {2}(\w+)(?:\(|: )/gm)].map((match) => match[1]);
  const visitor = await elsewhere.visit();
  const missing = await visitor.page.evaluate((names) => names.filter((name) => !(name in document.querySelector('tapnode-form'))), ['operation', 'host', 'token', 'value', 'findings', 'scope', 'instances', 'people', 'theme', 'language', 'submit'].filter((name) => declared.includes(name)));
  assert.deepEqual(missing, []);
  assert.ok(declared.includes('token') && declared.includes('submit'));
  await visitor.close();
});

test('a page of an origin that the host does not know is told what to do, and so is one without a token', async (t) => {
  const stranger = await Elsewhere.start({ allowed: false });
  t.after(() => stranger.stop());
  const visitor = await stranger.visit({}, { expect: /CORS policy|Failed to load resource|status of 40[13]|Content Security Policy|policy: connect-src/ });
  await visitor.page.getByText(`Start it with --origin ${stranger.url}`).waitFor();
  await visitor.page.locator('tapnode-form').evaluate((form) => form.setAttribute('host', 'http://127.0.0.1:1'));
  await visitor.page.getByText('No connection to http://127.0.0.1:1').waitFor();
  await visitor.close();

  const guest = await elsewhere.visit();
  guest.expect(/404|ERR_FAILED/); // the second is a question that was taken back
  await guest.page.locator('tapnode-form').evaluate((form) => form.setAttribute('token-from', '/nothing-here'));
  await guest.page.getByText('No token came from /nothing-here').waitFor();
  await guest.close();
});
