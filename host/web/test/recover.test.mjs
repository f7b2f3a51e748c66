// The host is killed in the middle: the page says so, and goes on by itself when it is back.
import { after, before, test } from 'node:test';
import { Host, visit } from './harness.mjs';

let host;
before(async () => (host = await Host.start({ flows: ['examples/flows/menu.yaml'] })));
after(() => host.stop());

test('after a kill the phone has its chat, and a tap on what came before goes on with its run', async () => {
  await visit(host, { path: '/ui/flows/menu', width: 1440, height: 900 }, async (page, visitor) => {
    visitor.expect(/ERR_|Failed to load resource|Failed to fetch/); // the browser says each lost connection in the console
    const phone = page.getByRole('region', { name: 'Simulated phone' });
    const chat = phone.getByRole('log');
    const trace = page.getByRole('region', { name: 'This run' });
    const line = (words) => trace.getByRole('listitem').getByText(words).last();
    await chat.waitFor();
    await phone.getByRole('button', { name: /with this draft/ }).click();
    await line(/waits for Sales, Support or Billing/).waitFor();
    await chat.getByRole('button', { name: 'Support' }).last().click();
    await line(/waits for Yes, it is/).waitFor();
    await host.kill();
    await phone.getByText('The simulator does not answer.').waitFor();
    await trace.getByText('No connection.').waitFor();
    await host.serve();
    await phone.getByText('The simulator does not answer.').waitFor({ state: 'detached' });
    await trace.getByText('No connection.').waitFor({ state: 'detached' });
    // The simulator was killed, too: it knows nothing of that message, its button works all the same.
    await chat.getByRole('button', { name: 'Yes, it is' }).last().click();
    await line('Ana tapped Yes, it is').waitFor();
    await chat.getByText(/Your ticket is r/).waitFor();
    await line('The run is done').waitFor();
  });
});
