/** fold is a text as people look for it: without accents and capitals. */
export const fold = (text: string): string => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();

/** finder says of texts whether every word that is looked for is in them. */
export function finder(wanted: string): (said: string) => boolean {
  const words = fold(wanted).split(/\s+/).filter(Boolean);
  return (said) => {
    const folded = fold(said);
    return words.every((word) => folded.includes(word));
  };
}
