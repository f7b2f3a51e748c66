// Package now is the clock of what counts down. It ticks only while something that is shown reads it.

import { createSubscriber } from 'svelte/reactivity';

const tick = createSubscriber((update) => {
  const timer = setInterval(update, 1000);
  return () => clearInterval(timer);
});

/** now is the time; what calls it in markup follows it, once a second. */
export function now(): number {
  tick();
  return Date.now();
}
