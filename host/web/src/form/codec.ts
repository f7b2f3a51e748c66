// Any JSON value as a text that somebody edits. What is no JSON is the text itself, so that nothing a
// person writes is lost; a text that would read as JSON is shown in its quotes.

export function show(value: unknown): string {
  if (value === undefined) return '';
  if (typeof value === 'string' && read(value) === value) return value;
  return JSON.stringify(value, null, 2) ?? '';
}

export function read(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** fault says why a text is no JSON, or nothing. */
export function fault(text: string): string {
  try {
    if (text.trim() !== '') JSON.parse(text);
    return '';
  } catch (error) {
    return (error as Error).message;
  }
}
