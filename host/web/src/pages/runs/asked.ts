// What is asked for in the list of runs, as it stands in the address, and as the host takes it.

export interface Asked {
  q: string;
  status: string;
  flow: string;
  node: string;
  since: '' | 'day' | 'week' | 'month';
  trial: '' | 'true'; // runs of drafts, by hand, apart from customers'
}

export const statuses = ['running', 'failed', 'succeeded', 'cancelled', 'queued'] as const;
export const ages = { day: 1, week: 7, month: 30 } as const;

export function askedIn(query: URLSearchParams): Asked {
  const since = query.get('since') ?? '';
  return {
    q: query.get('q') ?? '',
    status: query.get('status') ?? '',
    flow: query.get('flow') ?? '',
    node: query.get('node') ?? '',
    since: since in ages ? (since as keyof typeof ages) : '',
    trial: query.get('trial') === 'true' ? 'true' : '',
  };
}

/** address is the query of a page; what is empty is left out. */
export function address(asked: Asked): string {
  const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== ''));
  return query.size === 0 ? '' : `?${query}`;
}

/** runId is a run's id if that is what was typed. */
export const runId = (q: string): string | null => (/^r[a-z2-7]{26}$/.test(q.trim()) ? q.trim() : null);

/** request is the query for /v1/runs; what was typed is a customer or a message, or a flow that is known. */
export function request(asked: Asked, flows: readonly string[], now: number, reveal: boolean): string {
  const query = new URLSearchParams({ limit: '50' });
  const typed = asked.q.trim();
  const flow = asked.flow !== '' ? asked.flow : flows.includes(typed) ? typed : '';
  if (typed !== '' && typed !== flow) query.set('about', typed);
  if (flow !== '') query.set('flow', flow);
  if (flow !== '' && asked.node !== '') query.set('node', asked.node);
  if (asked.status !== '') query.set('status', asked.status);
  if (asked.since !== '') query.set('since', new Date(now - ages[asked.since] * 86_400_000).toISOString());
  if (asked.trial !== '') query.set('trial', asked.trial);
  if (reveal) query.set('reveal', 'true');
  return `/v1/runs?${query}`;
}
