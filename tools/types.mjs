// Type checks of every part of the tree: page (with Svelte), workers, tools and tests.
import { spawnSync } from 'node:child_process'

const checks = [
  ['svelte-check', ['--tsconfig', './tsconfig.json', '--fail-on-warnings', '--output', 'human']],
  ['tsc', ['-p', 'tsconfig.worker.json']],
  ['tsc', ['-p', 'tsconfig.tools.json']],
]
for (const [command, args] of checks) {
  const { status } = spawnSync(`node_modules/.bin/${command}`, args, { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}
