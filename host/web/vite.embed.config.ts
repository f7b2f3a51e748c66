import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The embeddable form: one file without a stylesheet. What the page imports as a stylesheet the element
// takes as text (?inline) into its shadow root, so the import itself is empty here.
export default defineConfig({
  plugins: [
    svelte(),
    {
      name: 'no-stylesheets',
      enforce: 'pre',
      resolveId: (name) => (name.endsWith('.css') ? '\0no-stylesheet' : undefined),
      load: (id) => (id === '\0no-stylesheet' ? '' : undefined),
    },
  ],
  build: {
    target: 'es2023',
    outDir: 'dist/embed',
    emptyOutDir: false,
    copyPublicDir: false,
    modulePreload: { polyfill: false },
    rollupOptions: { input: 'src/embed/form.ts', output: { entryFileNames: 'form.js' } },
  },
});
