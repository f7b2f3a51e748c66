// Time as people say it: as a clock ("tomorrow, 13:00") and as a rest ("14 h 37 min"). Always local;
// the zone is in the title, which ui/Time.svelte sets.

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

const steps: [unit: string, ms: number][] = [['d', day], ['h', hour], ['min', minute], ['s', 1000]];

/** span is a stretch of time in its two largest units; "0 s" is the smallest. */
export function span(ms: number): string {
  const rest = Math.max(0, ms);
  const at = steps.findIndex(([, size]) => rest >= size);
  if (at < 0) return '0 s';
  const [unit, size] = steps[at] as [string, number];
  const whole = Math.floor(rest / size);
  const next = steps[at + 1];
  const over = next === undefined ? 0 : Math.floor((rest - whole * size) / next[1]);
  return over === 0 || next === undefined || (unit === 'd' && whole > 6) ? `${whole} ${unit}` : `${whole} ${unit} ${over} ${next[0]}`;
}

/** took is how long a call took. */
export const took = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : ms < 10_000 ? `${(ms / 1000).toFixed(1)} s` : span(ms));

/** countdown is the time left as m:ss. */
export const countdown = (ms: number): string => `${Math.floor(Math.max(0, ms) / minute)}:${String(Math.floor(Math.max(0, ms) / 1000) % 60).padStart(2, '0')}`;

const startOfDay = (at: number): number => new Date(at).setHours(0, 0, 0, 0);

/** clock is a time of day, with its day: near ones by name, a week away by date. */
export function clock(at: number, now: number, tag: string): string {
  const time = new Intl.DateTimeFormat(tag, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);
  const days = Math.round((startOfDay(at) - startOfDay(now)) / day);
  if (Math.abs(days) <= 1) return `${new Intl.RelativeTimeFormat(tag, { numeric: 'auto' }).format(days, 'day')}, ${time}`;
  return `${date(at, now, tag)}, ${time}`;
}

/** date is a day of the calendar; the year is left out while it is this one. */
export function date(at: number, now: number, tag: string): string {
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? {} : ({ year: 'numeric' } as const);
  return new Intl.DateTimeFormat(tag, { day: 'numeric', month: 'short', ...year }).format(at);
}

/** exact is the whole time with its zone. */
export const exact = (at: number, tag: string): string => new Intl.DateTimeFormat(tag, { dateStyle: 'full', timeStyle: 'long' }).format(at);

/** stamp is a time of day to the hundredth of a second, for lines of a trace. */
export function stamp(at: number): string {
  const when = new Date(at);
  const two = (n: number): string => String(n).padStart(2, '0');
  return `${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}.${two(Math.floor(when.getMilliseconds() / 10))}`;
}
