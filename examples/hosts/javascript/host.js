// A complete host of our node outside Go: it pairs an instance, sends a menu and reads the click. The people are a
// simulator's.
//
//   node host.js NODE PROTO SIMULATOR ROOTKEY
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytes, start } from './flownode.js';

const [binary, proto, simulator, rootKey] = process.argv.slice(2);
const state = mkdtempSync(join(tmpdir(), 'state-')); // a real host keeps it: the WhatsApp session is in it
process.on('exit', () => rmSync(state, { recursive: true, force: true }));

// people do something, by the simulator's HTTP API.
async function people(path, body) {
  const answer = await fetch(`${simulator}/sim/v1${path}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) {
    throw new Error(`${path}: ${await answer.text()}`);
  }
}

const node = await start(binary, proto);
const { name, version, operations } = await node.call('Describe', { hostFeatures: [] });
console.log(`${name} ${version} has ${operations.map((o) => o.id).join(', ')}`);
const settings = bytes({ server: { url: simulator, rootKey } }); // {} is the real WhatsApp
const { violations } = await node.call('Configure', { settings, stateDir: state }, 30);
if (violations.length) {
  throw new Error(violations.map((v) => `${v.pointer}: ${v.message}`).join('\n'));
}

await people('/accounts', { number: '5511900000001' });
await people('/phones', { number: '5511900000002', name: 'Ana' });
await node.execute({ operation: 'whatsapp.instance.create@1', input: { instance: 'shop' } });
await node.execute({ operation: 'whatsapp.instance.connect@1', input: { instance: 'shop' } }, async (stage, { qr }) => {
  if (stage === 'qr') { // a real host shows it to a person
    await people('/accounts/5511900000001/scan', { qr });
  }
});

const clicks = node.subscribe({ operation: 'whatsapp.buttonClick@1', subscriber: 'orders', window: 10 }, 60);
for await (const message of clicks) {
  switch (message.message) {
    case 'ready': {
      const sent = await node.execute({
        operation: 'whatsapp.sendButtons@1', idempotencyKey: 'order-17-menu', correlation: 'order 17',
        input: {
          instance: 'shop', number: '5511900000002', contentText: 'Is Friday fine?',
          buttons: [{ id: 'yes', displayText: 'Yes' }, { id: 'no', displayText: 'No' }],
        },
      });
      console.log(`sent ${sent.messageId}`);
      await people('/phones/5511900000002/click?wait=20s', { buttonId: 'yes' });
      break;
    }
    case 'event': {
      const { data, correlation, sequence } = message.event;
      console.log(`${JSON.stringify(JSON.parse(data).button.id)} was tapped for ${correlation}`);
      clicks.write({ ack: { sequence } }); // a real host first stores what it does, with event.cursor, in one transaction
      clicks.write({ stop: {} });
      break;
    }
    case 'stopped':
      clicks.end();
  } // progress: the filter left something out; store message.progress.cursor in place of the last event's
}
await node.end();
console.log('the node has ended');
