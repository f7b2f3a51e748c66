// The embeddable form in the example page, which another process serves from another port: what the tests of
// forms stand on. The page's policy is strict, so that what it would refuse fails the test.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Host, Visitor } from './harness.mjs';

const example = fileURLToPath(new URL('../../../examples/embed/serve.mjs', import.meta.url));

/** freePort is one that nobody listens at, below those that the system gives away: the host must not get it. */
async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise((resolve) => server.once('listening', () => resolve(true)).once('error', () => resolve(false)).listen(port, '127.0.0.1'));
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** Elsewhere is a host and the page of another product that embeds its form. */
export class Elsewhere {
  static async start({ allowed = true, args = ['--simulate'], flows = [] } = {}) {
    const elsewhere = new Elsewhere();
    elsewhere.visitors = [];
    elsewhere.port = await freePort();
    elsewhere.host = await Host.start({ flows, args: [...args, ...(allowed ? ['--origin', `http://127.0.0.1:${elsewhere.port}`] : [])] });
    await elsewhere.#serve(elsewhere.host.token);
    return elsewhere;
  }

  async #serve(token) {
    this.page = spawn(process.execPath, [example, String(this.port)], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TAPNODE_HOST: this.host.url, TAPNODE_TOKEN: token } });
    this.url = await new Promise((resolve, reject) => {
      this.page.stdout.once('data', (line) => resolve(String(line).trim()));
      this.page.once('exit', (code) => reject(new Error(`the example page ended with ${code}`)));
    });
  }

  async #unserve() {
    this.page.removeAllListeners('exit');
    const gone = new Promise((resolve) => this.page.once('exit', resolve));
    this.page.kill();
    await gone;
  }

  /** renew gives the page another token: one may ask a hundred times a minute, and tests type faster than people. */
  async renew() {
    const { token } = await this.host.api('POST', '/v1/tokens', { name: 'another', scopes: ['send', 'read', 'manage'] });
    await this.#unserve();
    await this.#serve(token);
  }

  /** visit opens the page. query goes to the example's script: operation, theme, language. */
  async visit(query = {}, options = {}) {
    const visitor = await Visitor.open({ ...this.host, url: this.url }, { path: `/?${new URLSearchParams(query)}`, signedIn: false, ...options });
    this.visitors.push(visitor);
    return visitor;
  }

  async stop() {
    for (const visitor of this.visitors) {
      if (!visitor.closed) await visitor.tell(this.host.said); // a test that failed has left its page open
      await visitor.leave();
    }
    await this.#unserve();
    await this.host.stop();
  }
}
