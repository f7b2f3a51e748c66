import { language } from './words.svelte';

/** count is a number of things as people of the language write it: 1,004 or 1.004. */
export const count = (n: number): string => new Intl.NumberFormat(language()).format(n);

/** percent is a part of 1. */
export const percent = (part: number): string => new Intl.NumberFormat(language(), { style: 'percent', minimumFractionDigits: 1, maximumFractionDigits: 1 }).format(part);
