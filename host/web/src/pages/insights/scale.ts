// Axes: zero is always on them, and their lines stand at round numbers, five at most.

/** ticks are the lines from zero to the first round number that is not less than the most. */
export function ticks(most: number): number[] {
  if (most <= 0) return [0, 1];
  const raw = most / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = Math.max(1, [1, 2, 2.5, 5, 10].map((n) => n * power).find((n) => n >= raw) ?? raw);
  const whole = Math.ceil(step);
  return Array.from({ length: Math.ceil(most / whole) + 1 }, (_, i) => i * whole);
}

/** every says which of n names along an axis have room, each in so many pixels. */
export const every = (n: number, width: number, each: number): number => Math.max(1, Math.ceil((n * each) / Math.max(1, width)));

/** csv is a table as a file: RFC 4180, and no cell that a spreadsheet would take for a formula. */
export const csv = (rows: readonly (readonly (string | number)[])[]): string =>
  rows.map((row) => row.map((cell) => (typeof cell === 'number' ? String(cell) : `"${(/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell).replaceAll('"', '""')}"`)).join(',')).join('\r\n') + '\r\n';
