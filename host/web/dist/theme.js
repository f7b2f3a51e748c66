// The theme is set before the first paint; src/app/theme.svelte.ts changes it later.
try {
  const theme = localStorage.getItem('tapnode.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is closed to us: the system's theme it is.
}
