// What the search looks through: all that the host has few of, read at once when the search opens, and kept for a
// moment. Runs are many; those the host is asked for.

import { get, type Of } from '../api/client';
import type { Operation } from '../flow/ports';

export interface Everything {
  flows: Of<'FlowSteps'>[];
  operations: Operation[];
  instances: { name: string; phone: string | null; pushName?: string | null }[];
}

const most = 1000; // flows; those beyond are found on their page
const lasting = 20_000; // ms

let kept: { at: number; all: Promise<Everything> } | null = null;

/** everything is what there is. What the reader may not see, or the host cannot say, is left out. */
export function everything(): Promise<Everything> {
  if (kept === null || Date.now() - kept.at > lasting) kept = { at: Date.now(), all: read() };
  return kept.all;
}

async function read(): Promise<Everything> {
  const [flows, operations, instances] = await Promise.allSettled([
    steps(),
    get<{ operations: Everything['operations'] }>('/v1/operations').then((answer) => answer.operations),
    get<{ instances: Everything['instances'] }>('/v1/instances').then((answer) => answer.instances),
  ]);
  return { flows: given(flows), operations: given(operations), instances: given(instances) };
}

const given = <T>(settled: PromiseSettledResult<T[]>): T[] => (settled.status === 'fulfilled' ? settled.value : []);

/** steps are those of all flows, page by page. */
export async function steps(signal?: AbortSignal): Promise<Of<'FlowSteps'>[]> {
  const all: Of<'FlowSteps'>[] = [];
  for (let after = ''; all.length < most; ) {
    const query = new URLSearchParams({ limit: '200', ...(after === '' ? {} : { after }) });
    const page = await get<Of<'StepList'> & { next?: string }>(`/v1/steps?${query}`, signal === undefined ? {} : { signal });
    all.push(...page.flows);
    if (!page.next) break;
    after = page.next;
  }
  return all;
}
