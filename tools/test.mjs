// npm test: every check of the project in one command, on a machine that may have nothing but Node.
// All stages run even when one fails; the last line says how many checks passed and failed.
// `npm test -- unit gpu` runs only the stages named.
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { ensureBuilt } from './build.mjs'
import { ensureChromium } from './chromium.mjs'
import { ensureInstalled, root, run, runNode } from './install.mjs'

/** @typedef {{ passed: number, failed: number, skipped: number }} Count */

/** @type {(ok: boolean) => Count} */
const one = (ok) => ({ passed: ok ? 1 : 0, failed: ok ? 0 : 1, skipped: 0 })

/**
 * Runs one project of vitest and counts from its JSON report.
 * @param {string} project
 * @param {Record<string, string>} [env]
 * @returns {Count}
 */
function vitest(project, env) {
  const report = join(root, 'tests', 'output', `${project}.json`)
  rmSync(report, { force: true })
  mkdirSync(join(root, 'tests', 'output'), { recursive: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const status = runNode('vitest/vitest.mjs', ['run', '--project', project, ...reporters], env)
  if (!existsSync(report)) return one(false) // stopped before it could report
  const { numPassedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
    readFileSync(report, 'utf8'),
  )
  let failed = 0
  for (const { status: fileStatus, assertionResults } of testResults) {
    const broken = assertionResults.filter((test) => test.status === 'failed').length
    failed += fileStatus === 'failed' ? Math.max(1, broken) : broken // a file that cannot be loaded is one failure
  }
  // An error outside every test, or no test at all, fails the run too.
  if (status !== 0 && failed === 0) failed = 1
  return { passed: numPassedTests, failed, skipped: numPendingTests + (numTodoTests ?? 0) }
}

/** @type {Record<string, () => Count>} */
const stages = {
  lint: () => {
    const lint = runNode('eslint/bin/eslint.js', ['.', '--max-warnings=0'])
    const format = runNode('prettier/bin/prettier.cjs', ['--check', '--log-level=warn', '.'])
    return one(lint === 0 && format === 0)
  },
  types: () => one(run(process.execPath, ['tools/types.mjs']) === 0),
  unit: () => vitest('unit'),
  gpu: () => vitest('gpu', { CHROMIUM_PATH: ensureChromium() }),
  build: () => {
    ensureBuilt()
    return one(true)
  },
  e2e: () => {
    const chromium = ensureChromium()
    ensureBuilt() // does nothing when it is current; needed when only this stage was chosen
    return vitest('e2e', { CHROMIUM_PATH: chromium })
  },
}

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in stages))
if (unknown.length > 0) {
  console.error(`Unknown stage: ${unknown.join(', ')}. There are: ${Object.keys(stages).join(', ')}.`)
  process.exit(2)
}
try {
  ensureInstalled()
} catch (error) {
  console.error(error.message)
  process.exit(1)
}

const table = []
const total = { passed: 0, failed: 0, skipped: 0 }
for (const [name, stage] of Object.entries(stages)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  console.log(`\n== ${name}`)
  const start = performance.now()
  let count
  try {
    count = stage()
  } catch (error) {
    console.error(error.message)
    count = one(false)
  }
  const seconds = ((performance.now() - start) / 1000).toFixed(1)
  console.log(`== ${name}: ${count.failed === 0 ? 'passed' : 'FAILED'} in ${seconds} s`)
  table.push({ stage: name, ...count, seconds: Number(seconds) })
  for (const key of /** @type {const} */ (['passed', 'failed', 'skipped'])) total[key] += count[key]
}

console.log()
console.table(table)
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
console.log(`${total.passed} passed, ${total.failed} failed${skipped}`)
process.exitCode = total.failed === 0 ? 0 : 1
