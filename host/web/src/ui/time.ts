import { language } from '../words/words.svelte';

const units: Record<string, [unit: string, seconds: number]> = { s: ['second', 1], m: ['minute', 60], h: ['hour', 3600], d: ['day', 86_400] };

/** seconds of a duration such as 1h30m; NaN where it is none. */
export function seconds(text: string): number {
  if (!/^([0-9]{1,9}[smhd])+$/.test(text)) return NaN;
  let sum = 0;
  for (const [, n, unit] of text.matchAll(/([0-9]+)([smhd])/g)) sum += Number(n) * (units[unit ?? '']?.[1] ?? 0);
  return sum;
}

/** duration says 3d as "3 days". What is no duration is said as it stands. */
export function duration(text: string): string {
  const parts = [...text.matchAll(/([0-9]+)([smhd])/g)];
  if (parts.length === 0) return text;
  return parts.map(([, n, unit]) => new Intl.NumberFormat(language(), { style: 'unit', unit: units[unit ?? '']?.[0] ?? 'second', unitDisplay: 'long' }).format(Number(n))).join(' ');
}

/** rest says how long it is until a moment, in its two largest units: "14 h 37 min". */
export function rest(until: Date, now: Date): string {
  let left = Math.max(0, Math.round((until.getTime() - now.getTime()) / 1000));
  const said: string[] = [];
  for (const [unit, size] of [['day', 86_400], ['hour', 3600], ['minute', 60], ['second', 1]] as const) {
    const n = Math.floor(left / size);
    left -= n * size;
    if (n > 0 || (said.length === 0 && unit === 'second')) said.push(new Intl.NumberFormat(language(), { style: 'unit', unit, unitDisplay: 'narrow' }).format(n));
    if (said.length === 2) break;
  }
  return said.join(' ');
}

export const clock = (at: Date): string => new Intl.DateTimeFormat(language(), { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(at);
export const clockExact = (at: Date): string => new Intl.DateTimeFormat(language(), { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 2, hour12: false }).format(at);
