import { knock, lost, onBack } from './reach.svelte';

const reloaded = 'tapnode.reloaded';
const seldom = 30_000; // ms; what is broken for good is not loaded in a circle

/**
 * part loads a part of the page. One that does not come while the host is away comes with a reload, when the host is
 * back: browsers, and what adds the part's styles, keep in mind that it could not be loaded.
 */
export async function part<T>(load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    await knock();
    if (!lost()) await knock(); // the first may have been on its way, and answered, before the host was gone
    if (Date.now() - Number(sessionStorage.getItem(reloaded) ?? 0) < seldom) throw error;
    const reload = (): void => {
      sessionStorage.setItem(reloaded, String(Date.now()));
      location.reload();
    };
    if (lost()) onBack(reload);
    else reload();
    return new Promise(() => {});
  }
}
