// Package router: the address says what is shown; every page can be linked to, reloaded and gone back from.

const base = '/ui';

const place = $state({ path: at(), query: new URLSearchParams(location.search) });

function at(): string {
  const path = location.pathname.startsWith(base) ? location.pathname.slice(base.length) : location.pathname;
  return path === '' ? '/' : path;
}

addEventListener('popstate', () => {
  place.path = at();
  place.query = new URLSearchParams(location.search);
});

export const path = (): string => place.path;
export const query = (): URLSearchParams => place.query;
export const href = (to: string): string => base + to;

/** go shows another page; replace changes the address without a step to go back to. */
export function go(to: string, { replace = false } = {}): void {
  history[replace ? 'replaceState' : 'pushState'](null, '', base + to);
  place.path = at();
  place.query = new URLSearchParams(location.search);
}

/** parts of the path, decoded: /flows/menu/runs is ['flows', 'menu', 'runs']. */
export const parts = (): string[] => place.path.split('/').filter(Boolean).map(decode);

/** below are the parts behind an area. A page that is on its way out is not told of another one's. */
export const below = (area: string): string[] => (parts()[0] === area ? parts().slice(1) : []);

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** follow takes plain clicks on links to our own pages, so that they load nothing anew. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || link.target !== '' || link.hasAttribute('download') || link.origin !== location.origin) return;
  if (!link.pathname.startsWith(base + '/') || link.pathname.startsWith(base + '/assets/')) return;
  if (link.pathname === location.pathname && link.search === location.search && link.hash !== '') return;
  event.preventDefault();
  go(link.pathname.slice(base.length) + link.search);
}
