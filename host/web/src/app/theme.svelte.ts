// Package theme: light, dark, or as the system has it. public/theme.js sets it before the first paint.

export type Theme = 'light' | 'dark' | 'system';

const stored = 'tapnode.theme';
const root = document.documentElement;
const chosen = $state<{ theme: Theme }>({ theme: (root.dataset['theme'] as Theme | undefined) ?? 'system' });

export const theme = (): Theme => chosen.theme;

export function show(next: Theme): void {
  chosen.theme = next;
  if (next === 'system') delete root.dataset['theme'];
  else root.dataset['theme'] = next;
  try {
    if (next === 'system') localStorage.removeItem(stored);
    else localStorage.setItem(stored, next);
  } catch {
    // It holds until the page is left.
  }
}
