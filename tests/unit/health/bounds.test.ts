// What a report keeps for a row: what is alive after the garbage was collected, in a table of 20,000 rows and in one of 60,000.
// The difference is what 40,000 rows take; what a report takes whatever the table (models, counted words, rows listed) is in
// both. Every row is like others, stands in a part, and the labels say nothing of the texts, so that the checks
// have something to keep.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { judge, type HealthContext } from '../../../src/data/health/report.ts'
import type { Table } from '../../../src/data/table.ts'
import type { Progress } from '../../../src/protocol/progress.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes a row that docs/architecture.md promises. */
const PROMISED = 200
const BATCH = 1000
const WORDS = 'order parcel late refund card account please where when still waiting since again'.split(' ')

/** Rows are made anew for each pass, so that the table itself takes nothing. */
function tableOf(rows: number): Table {
  return {
    columns: ['text', 'label'],
    rows,
    async *batches() {
      for (let start = 0; start < rows; start += BATCH)
        yield await Promise.resolve({
          start,
          rows: Array.from({ length: BATCH }, (_, i) => {
            const row = start + i
            const family = row % 97
            return [
              `${WORDS.map((word) => `${word}${family}`).join(' ')} n${Math.floor(row / 97)}`,
              `label ${(row * 7919) % 3}`,
            ]
          }),
        })
    },
  }
}

/** Most bytes alive while a table is judged, above those before, by what the report says it is doing. */
async function mostAlive(rows: number): Promise<Map<string, number>> {
  const context: HealthContext = {
    types: ['text', 'category'],
    config: { task: 'classify', columns: { text: 'text', label: 'label' } },
    parts: Uint8Array.from({ length: rows }, (_, row) => row % 3),
    measure: null,
  }
  const alive = (): number => {
    // Buffers are given back when the next collection finds the last one finished.
    collect()
    collect()
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  }
  // What the report before this one held is given back by and by.
  for (let i = 0; i < 3; i++) {
    alive()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const before = alive()
  const most = new Map<string, number>()
  let asked = 0
  const progress = ({ label, unit }: Progress): void => {
    // Of the rows every sixth thousand, of all else every step.
    if (unit === 'rows' && asked++ % 6 > 0) return
    most.set(label, Math.max(most.get(label) ?? 0, alive() - before))
  }
  const report = await judge(
    tableOf(rows),
    context,
    { labelRows: 300 },
    { signal: new AbortController().signal, progress },
  )
  const count = (kind: string): number => report.findings.find((finding) => finding.kind === kind)?.count ?? 0
  // All but the first of each family.
  expect(count('nearDuplicates')).toBe(rows - 97)
  expect(count('splitLeakage')).toBeGreaterThan(0.3 * rows)
  return most
}

it('keeps at most 200 bytes a row', { timeout: 120_000 }, async () => {
  // The first report of a process also compiles.
  await mostAlive(2000)
  const [few, many] = [await mostAlive(20_000), await mostAlive(60_000)]
  const bytes = [...many].map(([label, most]) => (most - few.get(label)!) / 40_000)
  expect(bytes).toHaveLength(4)
  expect(Math.max(...bytes)).toBeLessThan(PROMISED)
  // And it is no measurement that sees nothing: the keys of MinHash alone take 80.
  expect(Math.max(...bytes)).toBeGreaterThan(80)
})
