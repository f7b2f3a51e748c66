// Package client speaks HTTP with the host: /v1 with the session's cookie, and in simulated mode /sim.
//
// It guarantees that every call has a deadline, and that what is refused comes as a Refusal with the
// server's own words and pointers.

import type { components } from './schema';

type Schemas = components['schemas'];
/** Of is a type of the OpenAPI document, by its name there. */
export type Of<Name extends keyof Schemas> = Schemas[Name];

/** Fault is one thing that is wrong with a request: where, by JSON Pointer, and in the server's words. */
export interface Fault {
  pointer: string;
  code: string;
  message: string;
  suggestion?: string;
}

/** Refusal is an RFC 9457 problem, or that the host could not be reached (status 0). */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly faults: readonly Fault[] = [],
  ) {
    super(message);
    this.name = 'Refusal';
  }
}

export interface Asked {
  json?: unknown;
  text?: string; // a flow file
  headers?: Record<string, string>;
  signal?: AbortSignal;
  within?: number; // ms; 30 s
}

export interface Answer<T> {
  status: number;
  etag: string | null;
  body: T;
}

type Listener = () => void;
const signedOut = new Set<Listener>();
/** onSignedOut hears when the host says that nobody is signed in any more. */
export function onSignedOut(listener: Listener): () => void {
  signedOut.add(listener);
  return () => signedOut.delete(listener);
}

type Reached = (answered: boolean) => void;
const reaching = new Set<Reached>();
/** onReach hears with every call whether the host answered. */
export function onReach(listener: Reached): () => void {
  reaching.add(listener);
  return () => reaching.delete(listener);
}

/** reached tells that the host answered, or did not. */
export function reached(answered: boolean): void {
  for (const listener of reaching) listener(answered);
}

export async function ask<T>(method: string, path: string, asked: Asked = {}): Promise<Answer<T>> {
  const headers: Record<string, string> = { Accept: 'application/json', ...asked.headers };
  const request: RequestInit = { method, headers, credentials: 'same-origin', redirect: 'error' };
  if (asked.json !== undefined) {
    headers['Content-Type'] = 'application/json';
    request.body = JSON.stringify(asked.json);
  } else if (asked.text !== undefined) {
    headers['Content-Type'] = 'application/yaml';
    request.body = asked.text;
  }
  const deadline = AbortSignal.timeout(asked.within ?? 30_000);
  request.signal = asked.signal === undefined ? deadline : AbortSignal.any([asked.signal, deadline]);
  let response: Response;
  let raw: string;
  try {
    response = await fetch(path, request);
    raw = await response.text();
  } catch (cause) {
    if (asked.signal?.aborted) throw cause;
    reached(false);
    throw deadline.aborted ? new Refusal(0, 'late', 'The server did not answer in time.') : new Refusal(0, 'unreachable', 'No connection to the server.');
  }
  reached(true);
  const body = bodyOf(response, raw);
  if (response.ok) return { status: response.status, etag: response.headers.get('ETag'), body: body as T };
  throw refused(response, body);
}

function bodyOf(response: Response, raw: string): unknown {
  return /\bjson\b/.test(response.headers.get('Content-Type') ?? '') && raw !== '' ? JSON.parse(raw) : raw;
}

/** refusal is what an answer says that is not the one that was asked for. */
export const refusal = async (response: Response): Promise<Refusal> => refused(response, bodyOf(response, await response.text()));

function refused(response: Response, body: unknown): Refusal {
  if (response.status === 401) for (const listener of signedOut) listener();
  return problem(response.status, body, response.statusText);
}

/** problem is an RFC 9457 problem, also one that a stream told. */
export function problem(status: number, body: unknown, otherwise = ''): Refusal {
  const told = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  const said = [told['detail'], told['message'], told['title']].find((words) => typeof words === 'string');
  const faults = Array.isArray(told['errors']) ? (told['errors'] as Fault[]) : [];
  const code = typeof told['code'] === 'string' ? told['code'] : String(status);
  return new Refusal(status, code, said ?? otherwise, faults);
}

export const get = async <T>(path: string, asked?: Asked): Promise<T> => (await ask<T>('GET', path, asked)).body;
export const post = async <T>(path: string, json?: unknown, asked?: Asked): Promise<T> =>
  (await ask<T>('POST', path, json === undefined ? { ...asked } : { json, ...asked })).body;
export const remove = async <T>(path: string, asked?: Asked): Promise<T> => (await ask<T>('DELETE', path, asked)).body;

/** said is an error in words for a person. */
export const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));
