// The build of the page and its workers, and the servers of `npm run dev` and `vite preview`.
// Headers come from public/_headers, the file that static hosts read too: one source for the content security policy.
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'
import { headersFor, readHeaders } from './tools/headers.mjs'
import { offline } from './tools/offline.mjs'

const headers = headersFor(readHeaders(new URL('./public/_headers', import.meta.url)), '/')
// Hot reloading writes inline styles, which the policy forbids: the dev server sends every header but that one.
const { 'Content-Security-Policy': _policy, ...devHeaders } = headers

export default defineConfig({
  plugins: [svelte(), offline()],
  server: { headers: devHeaders, strictPort: false },
  preview: { headers },
  worker: { format: 'es' },
  build: {
    outDir: 'dist',
    target: 'es2022',
    // A font or image as a data: URL would be refused by font-src 'self'.
    assetsInlineLimit: 0,
    // tfjs alone is above the default of 500 kB; it lives in the engine worker.
    chunkSizeWarningLimit: 2500,
  },
})
