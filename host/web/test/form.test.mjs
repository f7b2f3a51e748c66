// The form of one node, in a page of another product: built by mouse and by keyboard, computed, wrong, hostile,
// in both themes, three widths and three languages.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { Elsewhere } from './embedded.mjs';

let elsewhere;
before(async () => (elsewhere = await Elsewhere.start()));
beforeEach(() => elsewhere.renew());
after(() => elsewhere.stop());

const input = async (page) => JSON.parse(await page.locator('#input').textContent());
const ports = async (page) => (await page.locator('#ports li').allTextContents()).map((port) => port.trim());
const reply = (id, displayText) => ({ id, displayText });
const settled = (page, want) => elsewhere.host.until(async () => JSON.stringify(await ports(page)) === JSON.stringify(want));

/** give sets the element's properties; a scope is evaluated by the real host. */
const give = (page, properties, data) =>
  page.evaluate(
    ([given, values, host]) => {
      const form = document.querySelector('tapnode-form');
      Object.assign(form, given);
      if (values === undefined) return;
      window.chosen = 0;
      form.scope = {
        entries: Object.entries(values.vars).map(([name, sample]) => ({ path: `vars.${name}`, sample })),
        run: { label: 'Ana', choose: () => window.chosen++ },
        async evaluate(template, signal) {
          const token = await (await fetch('/token')).text();
          const answer = await fetch(`${host}/v1/expressions/evaluate`, { method: 'POST', signal, headers: { token, 'Content-Type': 'application/json' }, body: JSON.stringify({ template, data: values }) });
          const { value, finding } = await answer.json();
          return finding ? { error: finding.message } : { value };
        },
      };
    },
    [properties, data, elsewhere.host.url],
  );

const menu = { instance: 'demo', number: '5511999990001', contentText: 'How can we help?', buttons: [reply('sales', 'Sales'), reply('support', 'Support'), reply('billing', 'Billing')] };

test('a menu of three buttons, with the mouse: add, name, reorder by drag, remove', async () => {
  const visitor = await elsewhere.visit();
  const { page } = visitor;
  await page.getByLabel('Instance').click();
  await page.getByRole('option', { name: 'demo' }).click();
  await page.getByLabel('To', { exact: true }).fill('5511999990001');
  await page.getByRole('textbox', { name: 'Message' }).fill('How can we help?');
  for (const [i, label] of ['Sales', 'Support', 'Billing'].entries()) {
    await page.getByRole('button', { name: 'Add button' }).click();
    await page.getByLabel('Label').fill(label);
    await page.getByLabel('Id', { exact: true }).fill(menu.buttons[i].id);
  }
  assert.equal(await page.getByRole('button', { name: 'Add button' }).count(), 0, 'three is the most');
  assert.deepEqual((await input(page)).buttons.map(({ id, displayText }) => reply(id, displayText)), menu.buttons);
  await settled(page, ['sent Sent', 'text Other answer', 'error Error', 'reply:sales Sales', 'reply:support Support', 'reply:billing Billing', 'reply:* Any other', 'timeout No answer']);
  await page.getByRole('group', { name: 'Message as it is seen' }).getByText('Billing').waitFor();

  const from = await page.getByRole('button', { name: /^Move Sales/ }).boundingBox();
  await page.getByRole('button', { name: 'Fold Billing' }).click();
  const to = await page.getByRole('button', { name: /^Move Billing/ }).boundingBox();
  await page.mouse.move(from.x + 5, from.y + 5);
  await page.mouse.down();
  await page.mouse.move(to.x + 5, to.y + to.height, { steps: 5 });
  await page.mouse.up();
  assert.deepEqual((await input(page)).buttons.map(({ id }) => id), ['support', 'billing', 'sales']);
  await page.getByText('Sales is now 3 of 3').waitFor({ state: 'attached' });

  await page.getByRole('button', { name: 'Open Billing' }).click();
  await page.getByRole('button', { name: 'Remove Billing' }).click();
  assert.deepEqual((await input(page)).buttons.map(({ id }) => id), ['support', 'sales']);
  await page.getByRole('button', { name: 'Save the step' }).click();
  const again = page.getByRole('button', { name: 'Try again' }); // of a host that was too busy for a minute
  const saved = page.getByText('Saved with 7 exits');
  while (!(await saved.or(again).first().waitFor().then(() => saved.isVisible()))) await again.click();
  await visitor.close();
});

test('the same menu with the keyboard alone', async () => {
  const visitor = await elsewhere.visit();
  const { page } = visitor;
  await page.getByLabel('Instance').waitFor();
  const focused = () => page.evaluate(() => { let at = document.activeElement; while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement; if (at?.closest('.jumps')) return `to ${at.textContent}`; return at?.getAttribute('aria-label') ?? at?.labels?.[0]?.textContent ?? at?.textContent.trim(); });
  const tabTo = async (name) => {
    for (let n = 0; n < 60; n++) {
      if ((await focused()) === name) return;
      await page.keyboard.press('Tab');
    }
    assert.fail(`${name} cannot be reached with Tab; the focus is at ${await focused()}`);
  };
  await tabTo('Instance');
  await elsewhere.host.until(async () => (await page.getByLabel('Instance').getAttribute('role')) === 'combobox');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await tabTo('To');
  await page.keyboard.type('5511999990001');
  await tabTo('Message');
  await page.keyboard.type('How can we help?');
  for (const [i, label] of ['Sales', 'Support', 'Billing'].entries()) {
    await tabTo('Add button');
    await page.keyboard.press('Enter');
    await elsewhere.host.until(async () => (await focused()) === 'Label'); // the new button has the focus
    await page.keyboard.type(label);
    await tabTo('Id');
    await page.keyboard.press('Control+A');
    await page.keyboard.type(menu.buttons[i].id);
  }
  assert.deepEqual(await input(page), menu);

  await page.keyboard.press('Alt+ArrowUp'); // from inside of the third
  await page.getByText('Billing is now 2 of 3').waitFor({ state: 'attached' });
  assert.deepEqual((await input(page)).buttons.map(({ id }) => id), ['sales', 'billing', 'support']);
  assert.equal(await focused(), 'Id', 'the focus moved with the button');
  await page.keyboard.press('Alt+ArrowUp');
  await page.keyboard.press('Alt+ArrowUp'); // it is the first: nothing more happens
  assert.deepEqual((await input(page)).buttons.map(({ id }) => id), ['billing', 'sales', 'support']);
  await tabTo('Remove Billing');
  await page.keyboard.press('Enter');
  await elsewhere.host.until(async () => (await focused()) === 'Open Sales');
  assert.deepEqual((await input(page)).buttons.map(({ id }) => id), ['sales', 'support']);
  await visitor.close();
});

test('fields come and go with the type of a button and with media', async () => {
  const visitor = await elsewhere.visit();
  const { page } = visitor;
  await page.getByLabel('Instance').waitFor();
  await give(page, { value: menu });
  await page.getByRole('button', { name: 'Open Sales' }).click();
  await page.getByLabel('Type').selectOption('Open link');
  await page.getByLabel('Link').fill('http://example.com');
  await page.locator('.findings').getByText('clients may block a link').waitFor();
  await page.getByRole('button', { name: 'Use https://example.com' }).click();
  assert.equal((await input(page)).buttons[0].id, 'https://example.com');
  await page.getByLabel('Type').selectOption('Call number');
  assert.equal(await page.getByLabel('Phone number').getAttribute('inputmode'), 'tel');
  await page.getByText('28 of 4096').or(page.getByText('16 of 4096')).waitFor();
  await page.getByLabel('Header media').fill('https://example.com/a.jpg');
  await page.getByText('16 of 1024').waitFor();
  await page.getByLabel('Kind of media').selectOption('Image');
  assert.equal((await input(page)).mediaType, 'IMAGE');
  await visitor.close();
});

test('findings are at their fields, in the words of the node, and the strip goes there', async () => {
  const visitor = await elsewhere.visit();
  const { page } = visitor;
  await page.getByLabel('Instance').waitFor();
  await give(page, { value: { ...menu, delay: 3000, source: 'x'.repeat(129), menu: { policy: 'sometimes' }, buttons: [reply('a', 'A'), reply('a', 'B')] } });
  const delay = page.getByRole('textbox', { name: 'Typing time' });
  await page.getByText('Delay must be between 0 and 300 seconds').waitFor();
  assert.equal(await page.getByText('must be at most 300').count(), 0, 'one mistake in two wordings');
  assert.equal(await delay.getAttribute('aria-invalid'), 'true');
  const described = await delay.evaluate((field) => field.getAttribute('aria-describedby').split(' ').map((id) => field.getRootNode().getElementById(id)?.textContent ?? `no ${id}`).join(' '));
  assert.match(described, /Delay must be between 0 and 300 seconds/);
  assert.doesNotMatch(described, /no /);
  await page.getByRole('navigation', { name: 'Findings of this form' }).getByRole('button', { name: 'Id, Button 2' }).click();
  await page.getByText('ID is already used by button 1').waitFor();
  assert.equal(await page.getByLabel('Id', { exact: true }).evaluate((field) => field.getRootNode().activeElement?.closest('[data-pointer]')?.dataset.pointer), '/buttons/1/id', 'the row is open and has the focus');
  await page.getByRole('button', { name: 'Use 3', exact: true }).click();
  assert.equal((await input(page)).delay, 3);
  await page.getByText('Delay must be').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Save the step' }).click();
  assert.doesNotMatch(await page.locator('#said').textContent(), /Saved/);
  await visitor.close();
});

test('any field can be computed: completion, chips, and the result with the values of a run', async () => {
  const visitor = await elsewhere.visit();
  const { page } = visitor;
  await page.getByLabel('Instance').waitFor();
  await give(page, { value: menu }, { vars: { name: 'Ana', delay: 4, phone: '5511999990001', menu: [reply('x', 'X')] } });
  const message = page.getByRole('textbox', { name: 'Message' });
  await message.fill('Hello ${');
  const computed = page.getByRole('textbox', { name: 'Message' });
  await computed.waitFor();
  await page.keyboard.press('End'); // fill has put the caret at the start
  await page.keyboard.type(' v');
  await page.getByRole('option', { name: 'vars.name "Ana"' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('listbox').waitFor({ state: 'detached' });
  await page.keyboard.type('a');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.keyboard.press('End');
  await page.keyboard.type(', hi');
  assert.equal((await input(page)).contentText, 'Hello ${ vars.name }, hi');
  await page.locator('output').getByText('Hello Ana, hi', { exact: true }).waitFor();
  await page.getByRole('group', { name: 'Message as it is seen' }).getByText('Hello Ana, hi').waitFor(); // the preview has the run's values, too
  await page.getByRole('button', { name: 'Another run' }).click();
  assert.equal(await page.evaluate(() => window.chosen), 1);

  // A number becomes an expression and is one again.
  await page.getByRole('textbox', { name: 'Typing time' }).fill('3');
  await page.getByRole('button', { name: 'Compute Typing time with an expression' }).click();
  assert.equal((await input(page)).delay, '${ 3 }');
  await page.getByRole('textbox', { name: 'Typing time' }).fill('${ vars.delay * 2 }');
  await page.locator('output').getByText('8', { exact: true }).waitFor();
  await page.getByRole('textbox', { name: 'Typing time' }).fill('${ vars.delay * }');
  await page.locator('.failed output').getByText('unexpected token').waitFor();
  await page.getByRole('button', { name: 'Compute Typing time with an expression' }).click();
  assert.equal((await input(page)).delay, 3);

  // A whole list, too: it begins with the braces and what can stand in them.
  await page.getByRole('button', { name: 'Compute Buttons with an expression' }).click();
  await page.getByRole('option', { name: /^vars\.menu/ }).click();
  assert.equal((await input(page)).buttons, '${ vars.menu }');
  await page.locator('output').getByText('[{"displayText":"X","id":"x"}]').waitFor();
  await page.getByRole('button', { name: 'Compute Buttons with an expression' }).click();
  assert.equal((await input(page)).buttons.length, 3);
  await visitor.close();
});

test('what is hostile is text: markup, an override of direction, 4,096 characters', async () => {
  const visitor = await elsewhere.visit();
  const { page } = visitor;
  await page.getByLabel('Instance').waitFor();
  const long = 'wide '.repeat(819) + '!';
  const labels = ['<img src=x onerror="document.title=1">', '\u202Eoverride', 'x'.repeat(128)];
  await give(page, { value: { ...menu, contentText: long, headerText: '<script>document.title=1</script>', buttons: labels.map((label, i) => reply(`b${i}`, label)), unknown: 'x' } });
  await page.getByRole('group', { name: 'Buttons' }).getByText(labels[0]).waitFor();
  await page.getByRole('button', { name: 'Remove it' }).click(); // the member that no schema knows
  await page.getByRole('group', { name: 'Message as it is seen' }).getByText(labels[0]).waitFor();
  assert.equal(await page.title(), 'A form of Tapnode in another page');
  assert.equal(await page.locator('tapnode-form img, tapnode-form script').count(), 0);
  assert.deepEqual((await input(page)).buttons.map(({ displayText }) => displayText), labels);
  for (const width of [1280, 390, 352]) {
    await page.setViewportSize({ width, height: 800 });
    const over = await page.evaluate(() => { const form = document.querySelector('tapnode-form'); return [form, ...form.shadowRoot.querySelectorAll('.form, .preview')].filter((at) => at.scrollWidth > at.clientWidth + 1).length; });
    assert.equal(over, 0, `something is wider than the form at ${width}`);
  }
  await visitor.close();
});

for (const theme of ['light', 'dark']) {
  for (const width of [1280, 390, 352]) { // at 352 the form has 320
    test(`nothing that assistive technology stumbles over: ${theme}, ${width}`, async () => {
      const visitor = await elsewhere.visit({ theme }, { width, theme });
      const { page } = visitor;
      await page.getByLabel('Instance').waitFor();
      await give(page, { value: { ...menu, delay: 3000, menu: { allowedSenders: ['5511999999999'] }, headerText: 'Hi', footerText: 'x'.repeat(61) } }, { vars: { name: 'Ana' } });
      await page.getByText('Delay must be between').waitFor();
      await page.getByRole('button', { name: 'Open Sales' }).click();
      await page.getByRole('textbox', { name: 'Message' }).click();
      await page.keyboard.press('Control+End');
      await page.keyboard.type(' ${ v');
      await page.getByRole('listbox').waitFor();
      if (width === 352) await page.locator('tapnode-form').evaluate((form) => (form.style.width = '320px'));
      await visitor.axe();
      await page.getByRole('button', { name: 'Use 3', exact: true }).click();
      await page.getByRole('textbox', { name: 'Header text' }).click();
      await page.getByRole('textbox', { name: 'Message' }).fill('Hi');
      await page.getByRole('group', { name: 'Message as it is seen' }).waitFor();
      await visitor.axe();
      await visitor.close();
    });
  }
}

test('Portuguese and Spanish, also switched while it is open', async () => {
  const visitor = await elsewhere.visit({ language: 'pt' });
  const { page } = visitor;
  await page.getByRole('region', { name: 'Prévia' }).waitFor();
  await page.getByRole('button', { name: /^Mais: / }).waitFor();
  await page.locator('tapnode-form').evaluate((form) => (form.language = 'es'));
  await page.getByRole('region', { name: 'Vista previa' }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), 'en', 'the document is not ours');
  await visitor.close();
});
