import { session } from '../app/session.svelte';

/**
 * pictureAt is where the page may show a picture from: our own host, which also has that of the simulation.
 * Nothing is ever fetched from elsewhere, as the address may be anybody's: null, and the message names its file.
 */
export function pictureAt(url: string): string | null {
  if (url !== '' && url === session()?.picture) return '/sim/v1/picture.png';
  return URL.canParse(url) && new URL(url).origin === location.origin ? url : null;
}
