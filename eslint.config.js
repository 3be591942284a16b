// Lint rules. The import rules are the house plan of docs/architecture.md: who may import whom.
import js from '@eslint/js'
import globals from 'globals'
import importX from 'eslint-plugin-import-x'
import svelte from 'eslint-plugin-svelte'
import ts from 'typescript-eslint'
import svelteConfig from './svelte.config.js'

/** Each room and the rooms whose code it may import (besides itself). */
const rooms = {
  protocol: [],
  formats: ['protocol'],
  data: ['protocol'],
  store: ['protocol'],
  core: ['protocol', 'data', 'formats'],
  client: ['protocol'],
  state: ['protocol', 'client', 'store', 'data'],
  charts: ['protocol'],
  ui: ['protocol', 'charts'],
  views: ['protocol', 'state', 'ui', 'charts'],
}
const all = Object.keys(rooms)
const zones = all.map((room) => ({
  target: `./src/${room}`,
  from: [
    ...all.filter((other) => other !== room && !rooms[room].includes(other)).map((other) => `./src/${other}`),
    './workers',
  ],
  message: `src/${room} may import only: ${rooms[room].join(', ') || 'nothing'} (docs/architecture.md).`,
}))
const workerZones = {
  target: './workers',
  from: ['client', 'state', 'charts', 'ui', 'views'].map((room) => `./src/${room}`),
  message: 'workers may import only: core, data, formats, store, protocol (docs/architecture.md).',
}

export default ts.config(
  { ignores: ['dist', 'node_modules', '.cache', 'tests/output', 'public'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    plugins: { 'import-x': importX },
    settings: {
      'import-x/resolver-next': [
        importX.createNodeResolver({ extensions: ['.ts', '.svelte', '.js', '.mjs'] }),
      ],
    },
    rules: {
      'import-x/no-restricted-paths': [
        'error',
        { basePath: import.meta.dirname, zones: [...zones, workerZones] },
      ],
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    // The engine and the database run in workers: no page, no timers that drive training.
    files: ['src/core/**', 'src/data/**', 'src/formats/**', 'src/protocol/**'],
    rules: {
      'no-restricted-globals': ['error', 'window', 'document', 'localStorage', 'indexedDB'],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Use core/rng.ts: everything random is seeded.' },
      ],
      'no-restricted-imports': ['error', { paths: ['svelte', 'dexie'] }],
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, svelteConfig } },
  },
  { languageOptions: { globals: { ...globals.browser, ...globals.worker } } },
  {
    files: ['tools/**', 'tests/**', 'bench/**', '*.config.*'],
    languageOptions: { globals: { ...globals.node } },
  },
)
