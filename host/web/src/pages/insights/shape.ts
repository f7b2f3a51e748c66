// What GET /v1/insights tells, and what the page makes of it.

export interface Point {
  at: string; // begin of the hour or day, in UTC
  sent: number;
  clicks: number;
}

export interface Menu {
  flow: string;
  node: string;
  sent: number;
  wrote: number;
  noAnswer: number;
  rate: number; // taps by messages
  buttons: { port: string; taps: number; rate: number }[];
  took: { medianSeconds?: number; histogram: Bar[] };
}

export interface Bar {
  upToSeconds?: number; // left out: all that took longer
  n: number;
}

export interface Failure {
  operation: string;
  code: string;
  n: number;
}

export interface Insights {
  from: string;
  to: string;
  step: string;
  series: Point[]; // one for each step in which anything happened
  menus: Menu[];
  failures: Failure[];
  versions: { at: string; flow: string; version: number }[];
}

export interface Day {
  at: number; // its begin
  sent: number;
  clicks: number;
}

const day = 86_400_000;

/** days are those of this place, made of hours; of what was counted by days, those of UTC. Every day is there. */
export function days(all: Insights, from: number, to: number): Day[] {
  const utc = all.step === 'day';
  const begin = (at: number): number => (utc ? Math.floor(at / day) * day : new Date(at).setHours(0, 0, 0, 0));
  const found = new Map<number, Day>();
  // A day has 23 to 25 hours where clocks change: its middle is always in it.
  for (let at = begin(from); at <= to; at = begin(at + day + day / 2)) found.set(at, { at, sent: 0, clicks: 0 });
  for (const point of all.series) {
    const one = found.get(begin(Date.parse(point.at)));
    if (one === undefined) continue;
    one.sent += point.sent;
    one.clicks += point.clicks;
  }
  return [...found.values()];
}

export interface Sums {
  sent: number;
  clicks: number;
  menus: number;
  taps: number; // on menus
  failed: number;
  half: number | null; // ms; half of the taps come within
}

const add = (numbers: number[]): number => numbers.reduce((sum, n) => sum + n, 0);

/** sums are the figures on top; rates say of how many. */
export function sums(all: Insights): Sums {
  const [menu] = all.menus;
  return {
    sent: add(all.series.map(({ sent }) => sent)),
    clicks: add(all.series.map(({ clicks }) => clicks)),
    menus: add(all.menus.map(({ sent }) => sent)),
    taps: add(all.menus.flatMap(({ buttons }) => buttons.map(({ taps }) => taps))),
    failed: add(all.failures.map(({ n }) => n)),
    half: all.menus.length === 1 && menu?.took.medianSeconds !== undefined ? menu.took.medianSeconds * 1000 : half(together(all.menus)),
  };
}

export interface Bucket {
  upTo: number | null; // ms; null is everything later
  clicks: number;
}

/** together are the histograms of several menus as one. */
export function together(menus: readonly Menu[]): Bucket[] {
  const sum = new Map<number | null, number>();
  for (const { upToSeconds, n } of menus.flatMap(({ took }) => took.histogram)) {
    const upTo = upToSeconds === undefined ? null : upToSeconds * 1000;
    sum.set(upTo, (sum.get(upTo) ?? 0) + n);
  }
  return [...sum].map(([upTo, clicks]) => ({ upTo, clicks })).sort((a, b) => (a.upTo ?? Infinity) - (b.upTo ?? Infinity));
}

/** half lies in the bar where half of all has come, as far along as half of its own has: as the host reckons for one menu. */
export function half(buckets: readonly Bucket[]): number | null {
  const middle = add(buckets.map(({ clicks }) => clicks)) / 2;
  let [before, from] = [0, 0];
  for (const { upTo, clicks } of buckets) {
    if (clicks > 0 && before + clicks >= middle) return upTo === null ? null : from + ((upTo - from) * (middle - before)) / clicks;
    [before, from] = [before + clicks, upTo ?? from];
  }
  return null;
}

export interface Rate {
  name: string;
  id: string; // of a button; else ''
  count: number;
  rate: number; // of 1
  quiet: boolean; // no tap
}

/** buttonOf is a button's id; the port is how a flow calls it. */
export const buttonOf = (port: string): string => port.replace(/^reply:/, '');

/** rates are what became of a menu's messages: the buttons by their taps, then words, then nothing. */
export function rates(menu: Menu, label: (port: string) => string, wrote: string, nothing: string): Rate[] {
  const of = (name: string, count: number, quiet: boolean, id = ''): Rate => ({ name, id, count, rate: menu.sent === 0 ? 0 : count / menu.sent, quiet });
  return [...menu.buttons.map(({ port, taps }) => of(label(port), taps, false, buttonOf(port))).sort((a, b) => b.count - a.count), of(wrote, menu.wrote, true), of(nothing, menu.noAnswer, true)];
}
