import { svelte } from '@sveltejs/vite-plugin-svelte';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const fonts = ['atkinson-hyperlegible-next', 'atkinson-hyperlegible-mono'];

// The licence of a font goes where the font goes, as its package has it.
const licences: Plugin = {
  name: 'font-licences',
  generateBundle() {
    const { resolve } = createRequire(import.meta.url);
    for (const font of fonts) this.emitFile({ type: 'asset', fileName: `assets/${font}.OFL.txt`, source: readFileSync(resolve(`@fontsource-variable/${font}/LICENSE`)) });
  },
};

// The built files have stable names: they are committed, and a change of one line must not
// rename every file. The host answers with their digest as the ETag instead.
export default defineConfig({
  base: '/ui/',
  plugins: [svelte(), licences],
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
  test: { include: ['src/**/*.test.ts'], pool: 'threads', isolate: false }, // all of them only compute
  server: { proxy: { '/v1': 'http://127.0.0.1:8080', '/sim': 'http://127.0.0.1:8080' } },
});
