// docs/performance.md: everything above REMARKS is written anew by a run; what stands below it is kept.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { report } from './report.ts'
import type { BenchResults } from './results.ts'

export const REMARKS = '## What limits it'

export function performancePage(results: BenchResults, before: string): string {
  const { date, command, machine } = results
  const at = before.indexOf(REMARKS)
  const remarks = at < 0 ? `${REMARKS}\n` : before.slice(at)
  return `# Performance

Made by \`${command}\` on ${date.slice(0, 10)}; ${machine}.

${report(results)}

${remarks}`
}

export function writePerformance(path: string, results: BenchResults): void {
  writeFileSync(path, performancePage(results, existsSync(path) ? readFileSync(path, 'utf8') : ''))
}
