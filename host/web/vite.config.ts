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
    cssCodeSplit: false, // 18 KB, packed: one request
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
    rollupOptions: {
      output: {
        entryFileNames: 'assets/[name].js',
        chunkFileNames: 'assets/[name].js',
        assetFileNames: 'assets/[name][extname]',
        // What several parts share is four files that build on each other, in place of one for each set of parts that share
        // something: the editor asks for 35 files and answers in place of 53. A group takes along what its modules import.
        codeSplitting: {
          groups: [
            { name: 'index', tags: ['$initial'] },
            { name: 'parts', test: /src\/(?!editor|flow|form)/, minShareCount: 2 },
            { name: 'flow', test: /src\/(?!editor\/canvas)/, minShareCount: 2 },
            { name: 'canvas', minShareCount: 2 },
          ],
        },
      },
    },
  },
  test: { include: ['src/**/*.test.ts'], pool: 'threads', isolate: false, css: true }, // all of them only compute; stylesheets are read as text
  server: { proxy: { '/v1': 'http://127.0.0.1:8080', '/sim': 'http://127.0.0.1:8080' } },
});
