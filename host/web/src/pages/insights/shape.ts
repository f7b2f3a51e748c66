// What GET /v1/insights tells, as far as the page shows it.

export interface Point {
  at: string; // begin of the day, or hour
  sends: number;
  clicks: number;
}

export interface Bucket {
  upToMs: number | null; // null is everything later
  clicks: number;
}

export interface Menu {
  flow: string;
  node: string;
  sent: number;
  tapped: number; // with at least one tap
  wrote: number;
  noAnswer: number;
  medianMs: number | null;
  buttons: { id: string; label?: string; taps: number }[];
  timeToClick: Bucket[];
}

export interface Failure {
  operation: string;
  code: string;
  count: number;
}

export interface Insights {
  from: string;
  to: string;
  series: Point[];
  menus: Menu[];
  failures: Failure[];
  published: { at: string; flow: string; version: number }[];
}

export interface Sums {
  sends: number;
  clicks: number;
  menus: number;
  tapped: number;
  failed: number;
  halfMs: number | null; // half of the taps come within
}

/** sums are the figures on top; rates say of how many. */
export function sums(all: Insights): Sums {
  const add = (numbers: number[]): number => numbers.reduce((sum, n) => sum + n, 0);
  return {
    sends: add(all.series.map(({ sends }) => sends)),
    clicks: add(all.series.map(({ clicks }) => clicks)),
    menus: add(all.menus.map(({ sent }) => sent)),
    tapped: add(all.menus.map(({ tapped }) => tapped)),
    failed: add(all.failures.map(({ count }) => count)),
    halfMs: half(together(all.menus)),
  };
}

/** together are the histograms of several menus as one. */
export function together(menus: readonly Menu[]): Bucket[] {
  const sum = new Map<number | null, number>();
  for (const { upToMs, clicks } of menus.flatMap(({ timeToClick }) => timeToClick)) sum.set(upToMs, (sum.get(upToMs) ?? 0) + clicks);
  return [...sum].map(([upToMs, clicks]) => ({ upToMs, clicks })).sort((a, b) => (a.upToMs ?? Infinity) - (b.upToMs ?? Infinity));
}

/** half is the end of the bucket in which the middle tap is: no more is known of several menus together. */
export function half(buckets: readonly Bucket[]): number | null {
  const all = buckets.reduce((sum, { clicks }) => sum + clicks, 0);
  let seen = 0;
  for (const { upToMs, clicks } of buckets) {
    seen += clicks;
    if (all > 0 && seen * 2 >= all) return upToMs;
  }
  return null;
}

export interface Rate {
  name: string;
  count: number;
  rate: number; // of 1
  quiet: boolean; // no tap
}

/** rates are what became of a menu's messages: the buttons by their taps, then words, then nothing. */
export function rates(menu: Menu, wrote: string, nothing: string): Rate[] {
  const of = (name: string, count: number, quiet: boolean): Rate => ({ name, count, rate: menu.sent === 0 ? 0 : count / menu.sent, quiet });
  return [...menu.buttons.map(({ id, label, taps }) => of(label ?? id, taps, false)).sort((a, b) => b.count - a.count), of(wrote, menu.wrote, true), of(nothing, menu.noAnswer, true)];
}
