import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// The built files have stable names: they are committed, and a change of one line must not
// rename every file. The host answers with their digest as the ETag instead.
export default defineConfig({
  base: '/ui/',
  plugins: [svelte()],
  build: {
    target: 'es2023',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'], // the first with light-dark()
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0, // the Content-Security-Policy takes no data: fonts or scripts
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
      },
    },
  },
  test: { include: ['src/**/*.test.ts'] },
  server: { proxy: { '/v1': 'http://127.0.0.1:8080', '/sim': 'http://127.0.0.1:8080' } },
});
