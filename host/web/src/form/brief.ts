/** brief is a value in one short line. */
export function brief(value: unknown, most = 40): string {
  const text = JSON.stringify(value) ?? '';
  const letters = [...text];
  return letters.length > most ? `${letters.slice(0, most - 1).join('')}…` : text;
}
