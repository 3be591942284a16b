// The regions of the map of training rows in words, which rows are shown of each, and bins for their histograms.
import type { Bin } from '../../../charts/barChart.ts'
import type { Row, TaskConfig } from '../../../protocol/data.ts'
import { ROW_REGIONS, type CartographyResult, type RowRegion } from '../../../protocol/explain.ts'

export type RegionChoice = RowRegion | 'never' | 'all'

export const REGION_WORDS: Record<RowRegion | 'never', { label: string; list: string; what: string }> = {
  easy: {
    label: 'Easy',
    list: 'Easiest',
    what: 'Believed early and steadily: they keep the training stable.',
  },
  ambiguous: {
    label: 'Ambiguous',
    list: 'Most ambiguous',
    what: 'The third that the model wavered about most: they teach it most.',
  },
  hard: { label: 'Hard', list: 'Hardest', what: 'Steadily disbelieved: look for wrong labels here first.' },
  never: {
    label: 'Never learnt',
    list: 'Never learnt',
    what: 'In no epoch was their own label or text the likeliest.',
  },
}

const BINS = 20

/** Points of a region, the most telling first. */
export function rowsOfRegion(map: CartographyResult, region: RegionChoice): number[] {
  const inside = (point: number) => {
    if (region === 'all') return true
    return region === 'never' ? map.correctness[point] === 0 : ROW_REGIONS[map.region[point] ?? -1] === region
  }
  const points = Array.from(map.rows, (_, point) => point).filter(inside)
  const by = region === 'ambiguous' ? map.variability : map.confidence
  const sign = region === 'easy' || region === 'ambiguous' ? -1 : 1
  return points.sort((a, b) => sign * (by[a]! - by[b]!) || a - b)
}

/** Equal bins from 0 to `most`; the last includes its end. */
export function binsOf(values: ArrayLike<number>, most: number): Bin[] {
  const bins = Array.from({ length: BINS }, (_, i) => ({
    from: (most * i) / BINS,
    to: (most * (i + 1)) / BINS,
    count: 0,
  }))
  for (let i = 0; i < values.length; i++)
    bins[Math.min(BINS - 1, Math.max(0, Math.floor((values[i]! / most) * BINS)))]!.count++
  return bins
}

/** What is read of a row, with what is learnt of it where that is no label. */
export function learnedText(row: Row | undefined, { task, columns }: TaskConfig): string | undefined {
  if (!row) return undefined
  const cell = (name: string | undefined) => (name === undefined ? '' : (row.cells[name] ?? ''))
  if (task === 'classify') return cell(columns.text)
  return [columns.prompt, columns.completion, columns.messages, columns.text]
    .map(cell)
    .filter((text) => text !== '')
    .join(' → ')
}
