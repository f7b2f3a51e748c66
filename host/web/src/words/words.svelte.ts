// Package words: what the page says, in English, Portuguese and Spanish. Each area keeps its words
// in a file of its own, the three languages side by side; a word that is missing in one of them
// does not compile.

export const languages = { en: 'English', pt: 'Português', es: 'Español' } as const;
export type Language = keyof typeof languages;

type Word = string | ((...values: never[]) => string);
type Like<T> = { readonly [K in keyof T]: T[K] extends string ? string : T[K] };

const stored = 'tapnode.language';

function choose(): Language {
  let wanted: readonly string[] = navigator.languages;
  try {
    const kept = localStorage.getItem(stored);
    if (kept !== null) wanted = [kept, ...wanted];
  } catch {
    // Storage is closed to us: the browser's languages it is.
  }
  for (const tag of wanted) {
    const short = tag.slice(0, 2).toLowerCase();
    if (short in languages) return short as Language;
  }
  return 'en';
}

const current = $state({ language: choose() });
let guest = true;

/** own says that the document is ours: it is marked with the language, and the choice is kept. A form in another product's page is a guest. */
export function own(): void {
  guest = false;
  document.documentElement.lang = current.language;
}

export const language = (): Language => current.language;

export function speak(next: Language): void {
  current.language = next;
  if (guest) return;
  document.documentElement.lang = next;
  try {
    localStorage.setItem(stored, next);
  } catch {
    // It holds until the page is left.
  }
}

/** words gives a function that returns the words of the chosen language; what calls it in markup follows a switch. */
export function words<const T extends Record<string, Word>>(all: { en: T; pt: Like<T>; es: Like<T> }): () => Like<T> {
  return () => all[current.language] as Like<T>;
}
