// A menu made from nothing on the canvas with the mouse, tried on the phone, and changed while a run waits at it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

let host;
before(async () => (host = await Host.start()));
after(() => host.stop());

const desk = { width: 1440, height: 900 };
const draft = async (page) => host.api('GET', `/v1/flows/${new URL(page.url()).pathname.split('/')[3]}/draft`);
const step = (page, name) => page.locator('.svelte-flow__node').filter({ has: page.getByRole('heading', { name, exact: true }) });
const port = (page, name) => page.locator('.node .port', { hasText: name });
const chat = (page) => page.getByRole('region', { name: 'Simulated phone' }).getByRole('log');
const trace = (page) => page.getByRole('region', { name: 'This run' });

/** filled says for whom a message is, and what it says, when the form is that of its step. */
async function filled(panel, step, text) {
  const form = panel.getByRole('form', { name: step, exact: true });
  await form.getByRole('combobox', { name: 'Instance' }).fill('demo');
  await form.getByRole('combobox', { name: 'To', exact: true }).fill('5511999990001');
  await form.getByRole('textbox', { name: 'Message' }).fill(text);
}

/** pull drags an exit by so much, and lets go over nothing. */
async function pull(page, joint, dx, dy) {
  const { x, y } = await joint.boundingBox();
  await page.mouse.move(x + 4, y + 4);
  await page.mouse.down();
  await page.mouse.move(x + dx, y + dy, { steps: 8 });
  await page.mouse.up();
}

/** tried starts the draft, taps a button, and waits for the branch behind it. */
async function tried(page, button, answer) {
  await trace(page).getByText(/waits for Sales or/).last().waitFor();
  await chat(page).getByRole('button', { name: button }).last().waitFor();
  return { tap: () => chat(page).getByRole('button', { name: button }).last().click(), branch: () => chat(page).getByText(answer).last().waitFor() };
}

test('with the mouse: steps, a menu, its exits, a tap, and a change while a run waits', async () => {
  await visit(host, desk, async (page) => {
    await page.getByRole('button', { name: 'New flow', exact: true }).click();
    // An exit is pulled to where nothing is: what comes there is asked, and joined.
    await pull(page, step(page, 'Log').locator('.joint.out'), -200, 90);
    await page.getByRole('option', { name: /Send buttons/ }).click();
    const form = page.getByRole('region', { name: 'Form' });
    await filled(form, 'Send buttons', 'How can we help?');
    await form.getByRole('button', { name: 'Open Opening hours' }).click();
    await form.getByRole('button', { name: 'Remove Opening hours' }).click();
    await form.getByRole('button', { name: 'Open Talk to sales' }).click();
    await form.getByRole('textbox', { name: 'Label' }).fill('Sales');
    await port(page, 'Opening hours').waitFor({ state: 'detached' });
    await port(page, 'Support').waitFor();
    await pull(page, port(page, 'Sales').locator('.joint'), 60, -300);
    await page.getByRole('option', { name: /Send text/ }).click();
    const text = form.getByRole('form', { name: 'Send text', exact: true });
    await text.getByRole('textbox', { name: 'Message' }).fill('A colleague will write.');
    // It goes by the same account to the same person, unless somebody says otherwise.
    assert.equal(await text.getByRole('combobox', { name: 'Instance' }).inputValue(), 'demo');
    assert.equal(await text.getByRole('combobox', { name: 'To', exact: true }).inputValue(), '5511999990001');
    await host.until(async () => /reply:menu_sales, to: /.test(await draft(page)));
    await page.getByRole('button', { name: 'Start with this draft' }).click();
    const menu = await tried(page, 'Sales', 'A colleague will write.');
    // It is changed while a run waits at it: what was sent stays as it was, and works.
    await step(page, 'Send buttons').click();
    await form.getByRole('button', { name: 'Open Sales' }).click();
    await form.getByRole('textbox', { name: 'Label' }).fill('Sell me something');
    await host.until(async () => /Sell me something/.test(await draft(page)));
    await menu.tap();
    await menu.branch();
    await port(page, 'Sell me something').and(page.locator('.tapped')).waitFor();
    assert.equal(await chat(page).getByText('Sell me something').count(), 0);
  });
});

test('with the keyboard alone: the same flow in the outline, and a tap', async () => {
  await visit(host, desk, async (page) => {
    const tabTo = async (selector, keys = 'Tab') => {
      for (let n = 0; n < 150; n++) {
        if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
        await page.keyboard.press(keys);
      }
      assert.fail(`${selector} cannot be reached with ${keys}`);
    };
    const type = async (selector, text) => {
      await tabTo(selector);
      await page.keyboard.press('Control+a');
      await page.keyboard.type(text);
    };
    /** lead asks for a new step behind the exit that has the focus. */
    const lead = async (what) => {
      await page.keyboard.press('c');
      await page.keyboard.press('End'); // "A new step" is the last of the list
      await page.getByRole('combobox', { name: 'Find a step and add it' }).waitFor();
      await page.keyboard.type(what);
      await page.keyboard.press('Enter');
      await page.getByRole('form', { name: what, exact: true }).waitFor();
    };
    const filled = async (text) => {
      await type('.inspector [id$="_2finstance"]', 'demo');
      await type('.inspector [id$="_2fnumber"]', '5511999990002');
      await type('.inspector [id$="_2fcontentText"]', text);
      await page.keyboard.press('Escape');
    };
    await page.getByRole('button', { name: 'New flow', exact: true }).waitFor();
    await tabTo('.button.primary');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/ui/flows/new-flow*');
    await page.getByRole('region', { name: 'Simulated phone' }).getByRole('log').waitFor();
    await tabTo('a[href$="/outline"]');
    await page.keyboard.press('Enter');
    await page.locator('[data-row="first"]').waitFor();
    await tabTo('[data-row]');
    await tabTo('[data-row="first"]', 'ArrowDown');
    await page.keyboard.press('ArrowDown');
    await lead('Send buttons');
    await filled('How can we help?');
    await host.until(async () => /from: first\.out, to: send-buttons/.test(await draft(page)));
    await tabTo('[data-row]', 'Shift+Tab');
    await tabTo('[data-row="send-buttons"]', 'ArrowDown');
    await page.keyboard.press('ArrowDown');
    await lead('Send text');
    await filled('A colleague will write.');
    await host.until(async () => /from: send-buttons\.reply:menu_sales, to: send-text/.test(await draft(page)));
    await page.keyboard.press('p');
    await tabTo('[role="tab"]');
    await page.keyboard.press('ArrowRight'); // Bruno's phone
    await page.keyboard.press('Control+Enter');
    await chat(page).getByRole('button', { name: 'Talk to sales' }).last().waitFor();
    await page.keyboard.press('1');
    await chat(page).getByText('A colleague will write.').waitFor();
  });
});
