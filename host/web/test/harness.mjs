// What the browser tests stand on: the real binary with the simulated WhatsApp, and a real Chromium.
// Nothing is mocked; a line in the browser's console or a report of the Content-Security-Policy fails the test.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const binary = process.env.TAPNODE_BIN ?? path.join(root, 'bin/tapnode');
const patience = Number(process.env.PATIENCE ?? 120_000); // a busy machine is slow, not wrong

/** A Host is one data directory with the process that serves it; start it again after a kill. */
export class Host {
  static async start({ flows = [], args = ['--simulate'], cwd = root } = {}) {
    const host = new Host();
    host.flows = flows;
    host.args = args;
    host.cwd = cwd;
    host.data = await mkdtemp(path.join(tmpdir(), 'tapnode-web-'));
    await host.serve();
    return host;
  }

  async serve() {
    const listen = this.url === undefined ? '127.0.0.1:0' : new URL(this.url).host;
    this.process = spawn(binary, ['serve', ...this.flows, ...this.args, '--data', this.data, '--listen', listen], { cwd: this.cwd, stdio: ['ignore', 'pipe', 'pipe'] });
    this.gone = new Promise((resolve) => this.process.once('exit', resolve));
    let told = '';
    const ready = new Promise((resolve, reject) => {
      const read = (chunk) => {
        told += chunk;
        this.said = told.slice(-4_000);
        const url = /tapnode serves at (http:\S+)/.exec(told);
        const token = /account token, shown only now: (\S+)/.exec(told);
        if (token) this.token = token[1];
        this.link = /open it in a browser, once, until [\d:]+: (\S+)/.exec(told)?.[1];
        if (url && this.token) {
          this.url = url[1];
          resolve();
        }
      };
      this.process.stdout.on('data', read);
      this.process.stderr.on('data', read);
      this.process.once('exit', (code) => reject(new Error(`tapnode serve ended with ${code}:\n${told}`)));
    });
    ready.catch(() => {});
    await within(ready, () => `tapnode serve did not come up:\n${told}`);
    await this.until(async () => (await fetch(new URL('/readyz', this.url))).ok);
  }

  /** kill is SIGKILL: nothing is said before, nothing is put away. */
  async kill() {
    this.process.kill('SIGKILL');
    await this.gone;
  }

  async stop() {
    this.process.kill('SIGTERM');
    await within(this.gone, () => 'tapnode serve did not stop');
    await rm(this.data, { recursive: true, force: true });
  }

  async api(method, where, body) {
    const headers = { token: this.token };
    let sent = body;
    if (typeof body === 'string') headers['Content-Type'] = 'application/yaml';
    else if (body !== undefined) {
      headers['Content-Type'] = 'application/json';
      sent = JSON.stringify(body);
    }
    const response = await patient(() => fetch(new URL(where, this.url), { method, headers, body: sent }));
    const text = await response.text();
    assert.ok(response.ok, `${method} ${where}: ${response.status} ${text}`);
    return /json/.test(response.headers.get('Content-Type') ?? '') ? JSON.parse(text) : text;
  }

  /** until waits for what must come, however busy the machine is. */
  async until(condition) {
    const end = Date.now() + patience;
    for (;;) {
      const value = await condition().catch(() => undefined);
      if (value) return value;
      assert.ok(Date.now() < end, `did not come within ${patience} ms: ${condition}`);
      await pause(50);
    }
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms, true));

/** patient asks again when the host says so: a test may ask more often than the host allows. */
async function patient(ask) {
  for (;;) {
    const answer = await ask();
    const status = typeof answer.status === 'function' ? answer.status() : answer.status;
    if (status !== 429) return answer;
    const headers = typeof answer.headers === 'function' ? answer.headers() : Object.fromEntries(answer.headers);
    await pause(1000 * Number(headers['retry-after']));
  }
}

async function within(promise, message) {
  let timer;
  const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error(message())), patience)));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// One browser for the tests of a file. It is closed when the file is through, also when a test has failed and left
// its page open.
let browser;
const launched = () =>
  (browser ??= chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell', args: ['--no-sandbox', '--disable-background-networking', '--disable-gpu'] }));
after(async () => (await browser)?.close());

// A profile of a visitor that went well is used again, with nothing in it of the one before: a new one is a new
// process, which has to compile the page anew, and costs more than most tests.
const free = new Map(); // profiles with their page, by host and language

async function profile(baseURL, locale) {
  const kept = free.get(`${baseURL} ${locale}`)?.pop();
  if (kept) return kept;
  const context = await (await launched()).newContext({ locale, baseURL });
  context.setDefaultTimeout(patience);
  await context.addInitScript(() => document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`)));
  return { key: `${baseURL} ${locale}`, context, page: await context.newPage() };
}

/** emptied is a profile as it was when it was new. */
async function emptied({ key, context, page }) {
  await context.setOffline(false);
  await page.unrouteAll({ behavior: 'ignoreErrors' });
  for (const other of context.pages()) if (other !== page) await other.close();
  page.removeAllListeners();
  // It waits on a page of the same site, as another one would be another process; the host need not be there for it. What is taken
  // from it is taken there: the page before would ask on without its session.
  await page.route('**/parked', (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html><link rel="icon" href="data:,">' }));
  await page.goto('/parked');
  await page.unroute('**/parked');
  await page.evaluate(() => (localStorage.clear(), sessionStorage.clear()));
  await Promise.all([context.clearCookies(), context.clearPermissions()]);
  return { key, context, page };
}

let axe; // its source

/** A Visitor is a signed-in browser with a page of the host. */
export class Visitor {
  static async open(host, { path: where = '/ui/', width = 1280, height = 800, theme = 'light', locale = 'en-US', signedIn = true, reducedMotion = 'reduce', expect } = {}) {
    const visitor = new Visitor();
    visitor.profile = await profile(host.url, locale);
    visitor.looks = [{ width, height }, { colorScheme: theme, reducedMotion }];
    visitor.context = visitor.profile.context;
    visitor.complaints = [];
    visitor.answers = []; // the last of what it asked
    if (expect) visitor.expect(expect);
    else if (!signedIn) visitor.expect(/401/); // the page asks who is signed in, and nobody is
    visitor.page = await visitor.#watched(visitor.profile.page);
    if (signedIn) {
      const entered = await patient(() => visitor.context.request.post('/v1/session', { data: { token: host.token }, headers: { Origin: host.url } }));
      assert.ok(entered.ok(), `sign in: ${entered.status()} ${await entered.text()}`);
    }
    await visitor.page.goto(where);
    return visitor;
  }

  newPage = async () => this.#watched(await this.context.newPage());

  /** watched is a page with the visitor's looks, whose complaints are the visitor's. */
  async #watched(page) {
    const [size, media] = this.looks;
    await Promise.all([page.setViewportSize(size), page.emulateMedia(media)]);
    page.on('console', (line) => ['error', 'warning'].includes(line.type()) && !this.expected?.test(line.text()) && this.complaints.push(`${line.type()}: ${line.text()} (${line.location().url})`));
    page.on('response', (answer) => this.answers.push(`${answer.status()} ${answer.request().method()} ${answer.url()}`) > 20 && this.answers.shift());
    page.on('pageerror', (error) => this.complaints.push(`uncaught: ${error.stack}`));
    return page;
  }

  /** expect names complaints that a test provokes, such as a lost connection. */
  expect(pattern) {
    this.expected = pattern;
  }

  /** axe finds what assistive technology would stumble over. */
  async axe() {
    // Playwright evaluates in a world of its own, which the page's policy does not reach.
    if (!(await this.page.evaluate(() => 'axe' in globalThis))) await this.page.evaluate(await (axe ??= readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')));
    const { violations } = await this.page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'], preload: false }));
    assert.deepEqual(violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(' ')).join(', ')}`), []);
  }

  /** tell says what a test that failed was looking at: what fails once in a thousand runs has to tell why the first time. */
  async tell(said) {
    console.error(`The page at ${this.page.url()} showed:\n${await this.page.locator('body').ariaSnapshot({ timeout: 5_000 }).catch(String)}\nit had been answered:\n${this.answers.join('\n')}\nits host had said:\n${said}`);
    if (process.env.SHOTS) await this.page.screenshot({ path: path.join(process.env.SHOTS, 'failed.png') });
  }

  /** leave closes the visitor's pages, whatever they have complained of. */
  async leave() {
    await this.context.close();
  }

  async close() {
    this.closed = true;
    const empty = await emptied(this.profile).catch(() => null);
    if (empty) free.set(empty.key, [...(free.get(empty.key) ?? []), empty]);
    else await this.leave(); // the file is through, and the browser closed
    assert.deepEqual(this.complaints, []);
  }
}

/** visit gives work a page, and closes it also when work fails. */
export async function visit(host, options, work) {
  const visitor = await Visitor.open(host, options);
  try {
    await work(visitor.page, visitor);
  } catch (error) {
    await visitor.tell(host.said);
    await visitor.leave();
    throw error;
  }
  await visitor.close();
}
