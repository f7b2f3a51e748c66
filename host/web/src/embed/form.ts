// <tapnode-form>: the form of an operation as a custom element, for the page of another product. Types
// for it are in form.d.ts beside the built file; docs/embed.md says how it is used.
//
// It guarantees that nothing of it leaks: styles live in its shadow root as constructed stylesheets,
// which no Content-Security-Policy refuses, and the page's own styles do not reach in.

import { mount, unmount } from 'svelte';
import base from '../styles/base.css?inline';
import form from '../styles/form.css?inline';
import phone from '../styles/phone.css?inline';
import preview from '../styles/preview.css?inline';
import tokens from '../styles/tokens.css?inline';
import { languages, speak, type Language } from '../words/words.svelte';
import Embedded from './Embedded.svelte';
import { tokenFrom, type TokenSource } from './remote';
import { Given, type Told } from './state.svelte';
import host from './host.css?inline';

const sheets = [tokens, base, phone, form, preview, host].map((css) => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(inShadow(css));
  return sheet;
});

/** inShadow makes the element what the document is in the page itself; a rem there is none of ours to size. */
function inShadow(css: string): string {
  return css
    .replaceAll(/:root\[([^\]]+)\]/g, ':host([$1])')
    .replaceAll(':root', ':host')
    .replaceAll(/(^|\})\s*body\s*\{/g, '$1:host{')
    .replaceAll(/(\d*\.?\d+)rem/g, (_, n: string) => `${Number(n) * 16}px`);
}

class TapnodeForm extends HTMLElement {
  static readonly observedAttributes = ['operation', 'host', 'token-from', 'theme', 'language', 'preview', 'submit-label'];
  static readonly formAssociated = true;

  private readonly given = new Given();
  private readonly internals = this.attachInternals();
  private mounted: { submit(): Promise<boolean> } | undefined;

  constructor() {
    super();
    this.attachShadow({ mode: 'open' }).adoptedStyleSheets = sheets;
  }

  connectedCallback(): void {
    if (this.mounted !== undefined || this.shadowRoot === null) return;
    this.mounted = mount(Embedded, { target: this.shadowRoot, props: { given: this.given, tell: (event, told) => this.tell(event, told) } }) as { submit(): Promise<boolean> };
  }

  disconnectedCallback(): void {
    if (this.mounted !== undefined) void unmount(this.mounted);
    this.mounted = undefined;
  }

  attributeChangedCallback(name: string, _: string | null, value: string | null): void {
    switch (name) {
      case 'operation': this.given.operation = value ?? undefined; break;
      case 'host': this.given.host = value ?? undefined; break;
      case 'token-from': this.given.token = value === null ? undefined : () => tokenFrom(value); break;
      case 'theme': if (value === 'light' || value === 'dark') this.dataset['theme'] = value; else delete this.dataset['theme']; break;
      case 'language': if (value !== null && value in languages) speak(value as Language); break;
      case 'preview': this.given.preview = value !== null; break;
      case 'submit-label': this.given.submitLabel = value ?? ''; break;
    }
  }

  private tell(event: 'change' | 'submit', told: Told): void {
    this.internals.setFormValue(JSON.stringify(told.input));
    const wrong = told.findings.find((finding) => finding.severity === 'error');
    if (wrong === undefined) this.internals.setValidity({});
    else this.internals.setValidity({ customError: true }, wrong.message);
    this.dispatchEvent(new CustomEvent(event, { detail: told, bubbles: true }));
  }

  /** submit lets the host check, and then fires "submit", or goes to what is wrong. */
  submit(): Promise<boolean> {
    return this.mounted?.submit() ?? Promise.resolve(false);
  }

  get operation() { return this.given.operation; }
  set operation(value) { this.given.operation = value; }
  get host() { return this.given.host; }
  set host(value) { this.given.host = value; }
  get token(): TokenSource { return this.given.token; }
  set token(value: TokenSource) { this.given.token = value; }
  get value() { return this.given.value; }
  set value(value) { this.given.value = value; }
  get findings() { return this.given.findings; }
  set findings(value) { this.given.findings = value; }
  get scope() { return this.given.scope; }
  set scope(value) { this.given.scope = value; }
  get instances() { return this.given.instances; }
  set instances(value) { this.given.instances = value; }
  get people() { return this.given.people; }
  set people(value) { this.given.people = value; }
  get theme() { return this.getAttribute('theme') ?? ''; }
  set theme(value: string) { this.setAttribute('theme', value); }
  get language() { return this.getAttribute('language') ?? ''; }
  set language(value: string) { this.setAttribute('language', value); }
}

if (customElements.get('tapnode-form') === undefined) customElements.define('tapnode-form', TapnodeForm);
