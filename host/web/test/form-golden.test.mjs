// A golden form for every schema there is: the inputs and filters of all operations, and all of schemas/.
// What is compared is what assistive technology is told: role, name and value. UPDATE=1 writes the files.
import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Elsewhere } from './embedded.mjs';

const golden = fileURLToPath(new URL('golden/', import.meta.url));
const schemas = fileURLToPath(new URL('../../../schemas/', import.meta.url));

let elsewhere;
let visitor;
before(async () => {
  elsewhere = await Elsewhere.start();
  visitor = await elsewhere.visit({ operation: '' });
});
after(async () => {
  await visitor.close();
  await elsewhere.stop();
});

/** drawn is the form of a schema with a value, everything that folds unfolded, as YAML of roles and names. */
async function drawn(title, inputSchema, value) {
  await visitor.page.evaluate(
    async ([operation, given]) => {
      const form = document.createElement('tapnode-form');
      form.operation = operation;
      form.value = given;
      document.querySelector('tapnode-form').replaceWith(form);
      const frame = () => new Promise(requestAnimationFrame);
      await frame();
      for (let round = 0; round < 5; round++) {
        const folded = [...form.shadowRoot.querySelectorAll('.more, li:first-child > .item > .button-row > .row-open[aria-expanded="false"]')];
        for (const one of folded) one.click();
        await frame();
      }
    },
    [{ id: 'golden@1', title, callable: false, inputSchema }, value],
  );
  return visitor.page.locator('tapnode-form').ariaSnapshot();
}

async function compare(name, title, schema) {
  const parts = [`# empty\n${await drawn(title, schema, {})}\n`];
  for (const [i, example] of (schema.examples ?? []).slice(0, 4).entries()) if (typeof example === 'object') parts.push(`# example ${i + 1}\n${await drawn(title, schema, example)}\n`);
  const now = parts.join('\n');
  const file = path.join(golden, `${name.replaceAll('@', '-')}.yaml`);
  if (process.env.UPDATE) await writeFile(file, now);
  assert.equal(now, await readFile(file, 'utf8').catch(() => ''), `${file}: UPDATE=1 node --test test/form-golden.test.mjs writes it`);
}

test('the operations of the node and of the host', async (t) => {
  const { operations } = await elsewhere.host.api('GET', '/v1/operations');
  // A third party's node that another test brings is not of this list.
  const ours = operations.filter(({ id }) => !id.startsWith('hours.'));
  assert.ok(ours.length > 20, `only ${ours.length} operations`);
  for (const { id, title } of ours) {
    const { inputSchema } = await elsewhere.host.api('GET', `/v1/operations/${encodeURIComponent(id)}`);
    await t.test(id, () => compare(id, title ?? id, inputSchema ?? {}));
  }
});

test('the other schemas: what is no input is drawn, too', async (t) => {
  const files = (await readdir(schemas)).filter((file) => file.endsWith('.json') && !/\.(input|filter)\.json$/.test(file));
  assert.ok(files.length > 15, `only ${files.length} schemas`);
  for (const file of files) {
    const schema = JSON.parse(await readFile(path.join(schemas, file), 'utf8'));
    await t.test(file, () => compare(file, schema.title ?? file, schema));
  }
});
