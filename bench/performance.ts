// docs/performance.md: everything above REMARKS is written anew by a run; what stands below it is kept.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { report } from './report.ts'
import type { BenchResults } from './results.ts'

export const REMARKS = '## What limits it'

export function performancePage(results: BenchResults, before: string): string {
  const { date, command, from, machine } = results
  const parts = from.map((run) => `\`${run.command}\` (${run.date.slice(0, 16).replace('T', ' ')} UTC)`)
  const measured = parts.length > 0 ? ` Its parts were measured by ${parts.join(' and ')}.` : ''
  const at = before.indexOf(REMARKS)
  const remarks = at < 0 ? `${REMARKS}\n` : before.slice(at)
  return `# Performance

Made by \`${command}\` on ${date.slice(0, 10)}; ${machine}.${measured}

${report(results)}

${remarks}`
}

export function writePerformance(path: string, results: BenchResults): void {
  writeFileSync(path, performancePage(results, existsSync(path) ? readFileSync(path, 'utf8') : ''))
}
