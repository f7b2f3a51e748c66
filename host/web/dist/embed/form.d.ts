// Types of <tapnode-form>, the form of one operation as a custom element. See docs/embed.md.

export interface Finding {
  /** JSON Pointer into the input; empty is the whole of it. */
  pointer: string;
  severity: 'error' | 'warning';
  message: string;
  suggestion?: string;
}

export interface Port {
  id: string;
  label?: string;
}

export interface Told {
  input: Record<string, unknown>;
  /** No error is known. */
  valid: boolean;
  /** The host has checked just this input. */
  checked: boolean;
  findings: Finding[];
  /** The exits that a step with this input has. */
  ports: Port[];
}

export interface Scope {
  /** What expressions may name, with a value of a real run. */
  entries: { path: string; type?: string; sample?: unknown }[];
  run?: { label: string; choose(): void };
  evaluate(source: string, signal: AbortSignal): Promise<{ value: unknown } | { error: string }>;
}

export interface TapnodeForm extends HTMLElement {
  /** An operation's id, or all that GET /v1/operations/{id} says of it. */
  operation: string | { id: string; title?: string; inputSchema?: unknown } | undefined;
  /** The host's address, such as https://flows.example. */
  host: string | undefined;
  /** A token of the host, or what gives one. Better: the attribute token-from. */
  token: string | (() => string | Promise<string>) | undefined;
  value: Record<string, unknown>;
  /** Findings of your own, shown at their fields. */
  findings: Finding[];
  /** With a scope, fields can be computed by expressions. */
  scope: Scope | undefined;
  /** Those to pick from; left out, the host's. */
  instances: { name: string; state: string }[] | undefined;
  people: { number: string; name: string }[];
  theme: 'light' | 'dark' | '';
  language: 'en' | 'pt' | 'es' | '';
  /** Lets the host check; then fires "submit", or goes to what is wrong. */
  submit(): Promise<boolean>;
  addEventListener(type: 'change' | 'submit', listener: (event: CustomEvent<Told>) => void, options?: boolean | AddEventListenerOptions): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'tapnode-form': TapnodeForm;
  }
}
