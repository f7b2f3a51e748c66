// Server-sent events, read with fetch: a pairing is a POST, which EventSource cannot make.
//
// stream guarantees that a line that has gone silent ends: the host says ": alive" every 15 s.

import { reached, Refusal, refusal } from './client';

export interface Told {
  event: string;
  id: string;
  data: unknown;
}

const silence = 45_000;

export async function* stream(method: string, path: string, { json, signal, last, onopen }: { json?: unknown; signal: AbortSignal; last?: string; onopen?: (() => void) | undefined }): AsyncGenerator<Told> {
  const quiet = new AbortController();
  let timer = setTimeout(() => quiet.abort(), silence);
  const headers: Record<string, string> = { Accept: 'text/event-stream' };
  const request: RequestInit = { method, headers, credentials: 'same-origin', redirect: 'error', signal: AbortSignal.any([signal, quiet.signal]) };
  if (last) headers['Last-Event-ID'] = last; // go on behind it
  if (json !== undefined) {
    headers['Content-Type'] = 'application/json';
    request.body = JSON.stringify(json);
  }
  try {
    const response = await fetch(path, request);
    if (!response.ok || response.body === null) throw await refusal(response);
    onopen?.();
    const read = events();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(timer);
      timer = setTimeout(() => quiet.abort(), silence);
      yield* read(value);
    }
  } catch (cause) {
    if (signal.aborted || cause instanceof Refusal) throw cause;
    reached(false);
    throw new Refusal(0, 'unreachable', quiet.signal.aborted ? 'The server did not answer in time.' : 'No connection to the server.');
  } finally {
    clearTimeout(timer);
    quiet.abort();
  }
}

/** events puts pieces of a stream together; what it returns is called with each piece, and gives the events that are whole. */
export function events(): (piece: string) => Told[] {
  let rest = '';
  return (piece) => {
    const blocks = (rest + piece.replaceAll('\r', '')).split('\n\n');
    rest = blocks.pop() ?? '';
    return blocks.map(event).filter((told) => told !== null);
  };
}

function event(block: string): Told | null {
  const told: Told = { event: 'message', id: '', data: undefined };
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'event') told.event = value;
    else if (name === 'id') told.id = value;
    else if (name === 'data') data.push(value);
  }
  if (data.length === 0) return null; // a comment, such as ": alive"
  told.data = JSON.parse(data.join('\n'));
  return told;
}
