// The editor with real flows on a real host: what is drawn is what the file says, and nothing is ever lost.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Host, Visitor } from './harness.mjs';

let host;
before(async () => (host = await Host.start({ flows: ['examples/flows/menu.yaml'] })));
after(() => host.stop());

const open = (path = '/ui/flows/menu', options = {}) => Visitor.open(host, { path, width: 1440, height: 900, ...options });
const step = (page, name) => page.locator('.svelte-flow__node').filter({ has: page.getByRole('heading', { name, exact: true }) });
const source = async (flow = 'menu') => (await host.api('GET', `/v1/flows/${flow}/draft`)).toString();
const saved = (page) => page.getByText(/Saved \d/).waitFor();

/** fresh makes a flow of its own for a test. */
let made = 0;
async function fresh(body) {
  const id = `t${++made}`;
  await host.api('PUT', `/v1/flows/${id}/draft`, `apiVersion: flow/v1\nkind: Flow\nmetadata: {id: ${id}, name: Test ${made}}\n${body}`);
  return id;
}
const two = 'triggers: [{id: start, type: manual, to: a}]\nnodes:\n  # the first\n  - {id: a, name: First, type: log@1, with: {message: one}}\n  - {id: b, name: Second, type: log@1, with: {message: two}}\nedges: []\nui: {nodes: {a: {x: 0, y: 0}, b: {x: 300, y: 0}}}\n';

const waits = async () => (await host.api('GET', '/v1/waits?flow=menu')).waits.filter(({ node }) => node === 'ask').length;

test('the menu is drawn with its buttons as exits, and a tap lights its way', async () => {
  await host.until(waits); // the menu of the run that tapnode serve --simulate begins is on the phone
  const visitor = await open();
  const { page } = visitor;
  await step(page, 'Ask what it is about').waitFor();
  const exits = await step(page, 'Ask what it is about').locator('.port').allInnerTexts();
  assert.deepEqual(exits.map((text) => text.trim()), ['Sales', 'Support', 'Billing', 'Wrote instead', 'No answer in 3 days']);
  assert.equal(await page.locator('.svelte-flow__edge').count(), 9);
  await page.getByRole('button', { name: /Start .*this draft/ }).click();
  await page.locator('.chat').getByRole('button', { name: 'Support', exact: true }).nth(1).click(); // of the draft's menu
  await step(page, 'Support, with a way back').locator('.visit').waitFor();
  await step(page, 'Ask what it is about').locator('.port.tapped').filter({ hasText: 'Support' }).waitFor();
  await page.locator('.edge.trail').nth(1).waitFor();
  await visitor.axe();
  await visitor.close();
});

test('steps are joined by dragging, parted, deleted, and one undo takes each back', async () => {
  const id = await fresh(two);
  const visitor = await open(`/ui/flows/${id}`);
  const { page } = visitor;
  const out = step(page, 'First').locator('.joint.out');
  const into = step(page, 'Second').locator('.joint.entry').first();
  await out.dragTo(into);
  await page.locator('.svelte-flow__edge').nth(1).waitFor();
  await saved(page);
  assert.match(await source(id), /from: a\.out, to: b/);
  assert.match(await source(id), /# the first/);
  await step(page, 'Second').click();
  await page.locator('.canvas').press('Delete');
  await host.until(async () => !(await source(id)).includes('Second'));
  assert.doesNotMatch(await source(id), /a\.out/);
  await page.keyboard.press('Control+z');
  await step(page, 'Second').waitFor();
  await host.until(async () => /from: a\.out, to: b/.test(await source(id)));
  await page.keyboard.press('Control+Shift+z');
  await step(page, 'Second').waitFor({ state: 'detached' });
  await visitor.close();
});

test('a wired button that is deleted says who waits at it, and where its taps shall go; one undo takes it back', async () => {
  await host.until(waits); // the run that tapnode serve --simulate begins
  const n = (await waits()) + 1;
  await host.api('POST', '/v1/flows/menu/runs', { vars: { name: 'Ana' } });
  await host.until(async () => (await waits()) === n);
  const visitor = await open();
  const { page } = visitor;
  await step(page, 'Ask what it is about').getByText(new RegExp(`${n} wait`)).waitFor();
  await step(page, 'Ask what it is about').click();
  await page.getByRole('button', { name: 'Open Billing' }).click();
  await page.getByRole('button', { name: 'Remove Billing' }).click();
  const dialog = page.getByRole('dialog', { name: 'Delete the button Billing?' });
  await dialog.getByText(`It leads to Billing. ${n} runs wait at it in what is live; they keep the button.`).waitFor();
  await dialog.getByRole('button', { name: 'Keep' }).click();
  await page.getByRole('button', { name: 'Open Billing' }).click();
  await page.getByRole('button', { name: 'Remove Billing' }).click();
  await dialog.getByLabel('Lead Sales there instead').check();
  await dialog.getByRole('button', { name: 'Delete', exact: true }).click();
  await host.until(async () => /from: "?ask\.reply:sales"?, to: billing/.test(await source()));
  assert.doesNotMatch(await source(), /reply:billing|displayText: Billing/);
  await page.locator('.canvas').press('Control+z');
  await page.locator('.svelte-flow__edge').nth(8).waitFor(); // as many as before
  assert.match(await step(page, 'Ask what it is about').locator('.port').nth(2).innerText(), /Billing/);
  await host.until(() => source().then(() => false, () => true)); // what is as it was published is no draft
  await visitor.close();
});

test('who only looks changes nothing; who moves one step keeps the others where they were seen', async () => {
  const id = await fresh(two.slice(0, two.indexOf('ui:')));
  const before = await source(id);
  const visitor = await open(`/ui/flows/${id}`);
  const { page } = visitor;
  await step(page, 'Second').waitFor();
  await page.locator('.step-tile').first().waitFor();
  await page.getByRole('link', { name: 'Outline' }).click();
  await page.getByRole('link', { name: 'Canvas' }).click();
  await step(page, 'Second').waitFor();
  assert.equal(await source(id), before);
  const box = await step(page, 'First').boundingBox();
  await page.mouse.move(box.x + 60, box.y + 14);
  await page.mouse.down();
  await page.mouse.move(box.x + 130, box.y + 90, { steps: 8 });
  await page.mouse.up();
  await host.until(async () => /ui:[^]*a: \{x: [^]*b: \{x: /.test(await source(id)));
  await visitor.close();
});

test('an expression is completed with the members of the answer that leads to the step', async () => {
  const visitor = await open();
  const { page } = visitor;
  await step(page, 'Sales').click();
  await page.getByRole('textbox', { name: 'Message' }).click();
  await page.keyboard.press('Control+End');
  await page.keyboard.type(' ${ event.button');
  await page.getByRole('option', { name: /event\.button\.displayText/ }).waitFor();
  await page.keyboard.press('Control+z');
  await visitor.close();
});

test('what is typed in the YAML is on the canvas, what is done there is in the YAML, and what cannot be read changes nothing', async () => {
  const id = await fresh(two);
  const visitor = await open(`/ui/flows/${id}/yaml`);
  const { page } = visitor;
  const text = page.locator('.yaml-text');
  assert.ok((await page.locator('.yaml-box').boundingBox()).height > 400, 'what is typed is seen');
  await text.fill((await text.inputValue()).replace('name: Second', 'name: Renamed'));
  await page.getByRole('link', { name: 'Canvas' }).click();
  await step(page, 'Renamed').waitFor();
  await page.getByRole('link', { name: 'YAML' }).click();
  await text.fill('nodes: [');
  await page.getByText('This is no YAML that can be read').waitFor();
  await page.getByRole('link', { name: 'Canvas' }).click();
  await step(page, 'Renamed').waitFor();
  await page.keyboard.press('Control+z');
  await page.getByRole('link', { name: 'YAML' }).click();
  assert.match(await text.inputValue(), /name: Renamed/);
  await visitor.close();
});

test('a reload in the middle loses nothing, also while the host is killed', async () => {
  const id = await fresh(two);
  const visitor = await open(`/ui/flows/${id}`);
  visitor.expect(/Failed to load resource|ERR_|WebSocket|EventSource/);
  const { page } = visitor;
  await step(page, 'First').click();
  await page.getByLabel('Name', { exact: true }).fill('Typed just now');
  await page.reload();
  await step(page, 'Typed just now').waitFor();
  await saved(page);
  await host.kill();
  await step(page, 'Typed just now').click();
  await page.getByLabel('Name', { exact: true }).fill('Typed while it was away');
  await page.getByText('Kept in this browser').waitFor();
  await host.serve();
  await host.until(async () => /Typed while it was away/.test(await source(id)));
  await visitor.close();
});

test('two tabs that change one flow are told, and nothing is written over', async () => {
  const id = await fresh(two);
  const visitor = await open(`/ui/flows/${id}`);
  visitor.expect(/412/);
  const { page } = visitor;
  const other = await visitor.newPage();
  await other.goto(`/ui/flows/${id}`);
  await step(other, 'First').click();
  await step(page, 'First').click();
  await page.getByLabel('Name', { exact: true }).fill('Mine');
  await host.until(async () => /name: Mine/.test(await source(id)));
  await other.evaluate(() => localStorage.clear());
  await other.getByLabel('Name', { exact: true }).fill('Theirs');
  await other.getByText('Changed in another tab').waitFor();
  assert.match(await source(id), /name: Mine/);
  await other.getByRole('button', { name: 'Compare' }).click();
  await other.locator('dialog .node.changed').waitFor();
  await other.keyboard.press('Escape');
  await other.getByRole('button', { name: 'Keep mine' }).click();
  await host.until(async () => /name: Theirs/.test(await source(id)));
  await visitor.close();
});

test('by keyboard alone: add steps, lead an exit to one, rename it, undo', async () => {
  const id = await fresh('triggers: [{id: start, type: manual, to: ""}]\nnodes: []\nedges: []\n');
  const visitor = await open(`/ui/flows/${id}/outline`);
  const { page } = visitor;
  await page.getByRole('region', { name: 'Outline' }).waitFor();
  await page.keyboard.press('/');
  await page.getByRole('combobox', { name: 'Find a step and add it' }).waitFor();
  await page.keyboard.type('log');
  await page.keyboard.press('Enter');
  await page.locator('[data-row="log"]').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('c');
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), 'SELECT');
  await page.keyboard.press('End'); // "A new step" is the last of the list
  await page.getByRole('combobox', { name: 'Find a step and add it' }).waitFor();
  await page.keyboard.type('set');
  await page.keyboard.press('Enter');
  await host.until(async () => /from: log\.out, to: set/.test(await source(id)));
  await page.keyboard.press('F2');
  await page.keyboard.type('Remember');
  await host.until(async () => /name: Remember/.test(await source(id)));
  await page.keyboard.press('Control+z');
  await host.until(async () => !/name: Remember/.test(await source(id)));
  await visitor.axe();
  await visitor.close();
});

test('copied steps are YAML, and YAML is pasted as steps with ids of their own', async () => {
  const id = await fresh(two.replace('edges: []', 'edges: [{from: a.out, to: b}]'));
  const visitor = await open(`/ui/flows/${id}`);
  const { page } = visitor;
  await visitor.context.grantPermissions(['clipboard-read', 'clipboard-write']);
  await step(page, 'First').click();
  await step(page, 'Second').click({ modifiers: ['Control'] });
  await page.keyboard.press('Control+c');
  const text = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(text, /nodes:[^]*id: a[^]*edges:[^]*from: a\.out/);
  await page.keyboard.press('Control+v');
  await host.until(async () => /from: a-2\.out, to: b-2/.test(await source(id)));
  await visitor.close();
});

test('hostile words are words, wherever they stand', async () => {
  const hostile = ['<img src=x onerror=alert(1)>', '\u202Egnp.exe', 'x'.repeat(4096)];
  const id = await fresh(`triggers: [{id: start, type: manual, to: n0}]\nnodes:\n${hostile.map((text, i) => `  - ${JSON.stringify({ id: `n${i}`, name: text.slice(0, 120), type: 'log@1', with: { message: text } })}\n`).join('')}edges: []\n`);
  const visitor = await open(`/ui/flows/${id}`);
  const { page } = visitor;
  let alerted = false;
  page.on('dialog', (dialog) => ((alerted = true), dialog.dismiss()));
  await page.locator('.node').nth(2).waitFor();
  assert.equal(await page.locator('img[src="x"]').count(), 0);
  for (const node of await page.locator('.node').all()) assert.ok((await node.boundingBox()).width <= 240 * 1.01, 'a step grew with its words');
  await page.getByRole('link', { name: 'Outline' }).click();
  await page.locator('.outline .step').nth(3).waitFor();
  await page.getByRole('link', { name: 'YAML' }).click();
  await page.locator('.yaml-text').waitFor();
  assert.equal(alerted, false);
  await visitor.close();
});

test('300 steps and 1,000 edges can be dragged', async (t) => {
  const nodes = Array.from({ length: 300 }, (_, i) => `  - {id: n${i}, type: log@1, with: {message: step ${i}}}\n`).join('');
  const edges = Array.from({ length: 1000 }, (_, i) => `  - {from: n${i % 300}.${i < 300 ? 'out' : 'error'}, to: n${(i * 7 + 1 + Math.floor(i / 300)) % 300}}\n`);
  const places = Array.from({ length: 300 }, (_, i) => `    n${i}: {x: ${(i % 20) * 260}, y: ${Math.floor(i / 20) * 140}}\n`).join('');
  const id = await fresh(`triggers: [{id: start, type: manual, to: n0}]\nnodes:\n${nodes}edges:\n${edges.join('')}ui:\n  nodes:\n${places}`);
  const visitor = await open(`/ui/flows/${id}`);
  const { page } = visitor;
  await page.locator('.svelte-flow__node').nth(20).waitFor();
  const box = await page.locator('.svelte-flow__node').nth(10).boundingBox();
  await page.evaluate(() => {
    globalThis.frames = 0;
    const count = () => ((globalThis.frames += 1), requestAnimationFrame(count));
    requestAnimationFrame(count);
  });
  await page.mouse.move(box.x + 5, box.y + 5);
  await page.mouse.down();
  const began = Date.now();
  const before = await page.evaluate(() => globalThis.frames);
  for (let i = 0; i < 60; i++) await page.mouse.move(box.x + 5 + i * 3, box.y + 5 + i);
  const frames = (await page.evaluate(() => globalThis.frames)) - before;
  await page.mouse.up();
  t.diagnostic(`${Math.round((frames * 1000) / (Date.now() - began))} frames a second while dragging one of 300 steps with ${edges.length} edges`);
  await visitor.close();
});

test('a chip says what it takes by name, and is as it is written while somebody is in the field', async () => {
  const id = await fresh(`vars: {type: object, properties: {phone: {type: string, title: Customer's number}, who: {type: string}}}
triggers: [{id: start, type: manual, to: a}]
nodes:
  - {id: a, name: Ask them, type: log@1, with: {message: hello}}
  - {id: b, type: log@1, with: {message: "Call \${ vars.phone } or \${ vars.who }"}}
edges: [{from: a.out, to: b}]
`);
  const visitor = await open(`/ui/flows/${id}?step=b`);
  const { page } = visitor;
  const box = page.locator('.expression-box');
  const seen = () => box.locator('.mirror').innerText();
  await host.until(async () => /^Call Customer's number or who\u200b?$/.test(await seen()));
  const field = page.getByRole('textbox', { name: 'Message', exact: true });
  assert.equal(await field.inputValue(), 'Call ${ vars.phone } or ${ vars.who }');
  await visitor.axe();
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/chips.png` });
  await field.focus();
  await host.until(async () => (await seen()).includes('${ vars.phone }'));
  await field.blur();
  await host.until(async () => !(await seen()).includes('${'));
  await visitor.close();
});

test('after a reload the last run of the draft is on the phone and the canvas again', async () => {
  const id = await fresh('triggers: [{id: start, type: manual, to: a}]\nnodes: [{id: a, name: First, type: log@1, with: {message: hello}}, {id: b, name: Second, type: log@1, with: {message: there}}]\nedges: [{from: a.out, to: b}]\n');
  const visitor = await open(`/ui/flows/${id}`);
  const { page } = visitor;
  await page.getByRole('button', { name: 'Start with this draft' }).click();
  const trace = page.getByRole('region', { name: 'This run' });
  await trace.getByText('Second').first().waitFor();
  await page.goto(`/ui/flows/${id}`);
  await trace.getByText('Second').first().waitFor();
  await page.getByRole('button', { name: 'Start again with this draft' }).waitFor();
  await visitor.close();
});
