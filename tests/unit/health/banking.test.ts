// Confident learning on a sample of banking77 (tests/golden/README.md has its licence); `npm run check:data` takes the whole.
import { readFileSync } from 'node:fs'
import Papa from 'papaparse'
import { expect, it } from 'vitest'
import { findFlipped } from '../../../tools/data/banking.ts'

const csv = readFileSync(new URL('../../golden/data/banking20.csv', import.meta.url), 'utf8')
const rows = (Papa.parse(csv.trim()).data as string[][]).slice(1)

it.each([1, 2, 3])(
  'finds four fifths of flipped labels at a precision of one half, seed %i',
  async (seed) => {
    const { classes, flipped, recall, precision } = await findFlipped(rows, seed)
    expect(classes).toBe(20)
    expect(flipped).toBe(100)
    expect(recall).toBeGreaterThanOrEqual(0.8)
    expect(precision).toBeGreaterThanOrEqual(0.5)
  },
)
