// What flows, their steps and the buttons of these are called, for lists that know them by id: read once for all of them, and again
// when something is asked for that was not there. Until then, and for what is gone, an id is its own name.

import { everything } from '../search/everything';

const again = 20_000; // ms, as long as the answer is kept

let known = $state.raw(new Map<string, string>());
let asked = -Infinity;

async function read(): Promise<void> {
  asked = performance.now();
  const names = new Map<string, string>();
  for (const { flow, name, steps } of (await everything()).flows) {
    if (name) names.set(flow, name);
    for (const step of steps) {
      if (step.name) names.set(`${flow} ${step.id}`, step.name);
      for (const { id, label } of step.choices ?? []) if (label) names.set(`${flow} ${step.id} ${id}`, label);
    }
  }
  known = names;
}

function called(key: string, id: string): string {
  const name = known.get(key);
  if (name === undefined && performance.now() - asked > again) void read();
  return name ?? id;
}

export const flowName = (flow: string): string => called(flow, flow);
/** exitName is what a button says that an answer may choose, by its port; without one, the id behind the port's kind. */
export const exitName = (flow: string, step: string, port: string): string => called(`${flow} ${step} ${port}`, port.slice(port.indexOf(':') + 1));
export const stepName = (flow: string, step: string): string => called(`${flow} ${step}`, step);
