// Which flows name an instance, and what went through it today.

import { get, type Of } from '../../api/client';
import { steps } from '../../search/everything';

/** Use is a flow that names an instance. */
export interface Use {
  flow: string;
  name: string;
}

/** usesOf are the flows by the instances that their steps and triggers name. */
export function usesOf(flows: readonly Of<'FlowSteps'>[]): Map<string, Use[]> {
  const uses = new Map<string, Use[]>();
  for (const { flow, name, state, steps: all } of flows) {
    if (state === 'retired') continue;
    for (const instance of new Set(all.map((step) => step.instance ?? '').filter((one) => one !== ''))) {
      uses.set(instance, [...(uses.get(instance) ?? []), { flow, name: name || flow }]);
    }
  }
  return uses;
}

export const lookUp = async (signal: AbortSignal): Promise<Map<string, Use[]>> => usesOf(await steps(signal));

/** waitingIn counts the runs of flows that wait for an answer. */
export async function waitingIn(uses: readonly Use[]): Promise<number> {
  if (uses.length === 0) return 0;
  const { flows } = await get<Of<'FlowList'>>('/v1/flows?state=all');
  return flows.filter(({ flow }) => uses.some((use) => use.flow === flow)).reduce((sum, { waiting }) => sum + (waiting ?? 0), 0);
}

export interface Today {
  sent: number;
  clicks: number;
}

/** today counts what was sent and tapped since midnight here. */
export async function today(instance: string, signal: AbortSignal): Promise<Today> {
  const query = new URLSearchParams({ instance, step: 'hour', from: new Date(new Date().setHours(0, 0, 0, 0)).toISOString() });
  const { series } = await get<Of<'Insights'>>(`/v1/insights?${query}`, { signal });
  return series.reduce((sum, { sent, clicks }) => ({ sent: sum.sent + sent, clicks: sum.clicks + clicks }), { sent: 0, clicks: 0 });
}
