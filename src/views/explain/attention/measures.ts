// Numbers of a head in plain words, in the order they are shown, and how each is drawn on the grid of heads.
import type { Thumbnails } from '../../../charts/attention.ts'
import type { HeatScale } from '../../../charts/heatmap.ts'
import type { HeadRow } from '../../../protocol/explain.ts'

export const HEAD_MEASURES = ['entropy', 'distance', 'first', 'self', 'previous', 'moved', 'effect'] as const
export type HeadMeasure = (typeof HEAD_MEASURES)[number]

export interface Measured {
  /** Layer by layer, head by head. */
  rows: HeadRow[]
  /** [L, H]; null until there is something to compare with, or it is measured. */
  moved: Float32Array | null
  effect: Float32Array | null
}

export const MEASURES: { value: HeadMeasure; label: string; about: string; scale: HeatScale }[] = [
  {
    value: 'entropy',
    label: 'Spread',
    about:
      'Entropy of the attention over that of looking at every token alike: 0 is one token, 1 is all of them.',
    scale: 'magnitude',
  },
  {
    value: 'distance',
    label: 'Distance',
    about: 'Mean number of tokens between the one that looks and those it looks at.',
    scale: 'magnitude',
  },
  {
    value: 'first',
    label: 'First',
    about: 'Share of the attention on the first token, where heads rest that find nothing.',
    scale: 'magnitude',
  },
  {
    value: 'self',
    label: 'Itself',
    about: 'Share of the attention on the token itself.',
    scale: 'magnitude',
  },
  {
    value: 'previous',
    label: 'Previous',
    about: 'Share of the attention on the token before.',
    scale: 'magnitude',
  },
  {
    value: 'moved',
    label: 'Moved',
    about: 'Share of the attention that lies elsewhere than in what it is compared with.',
    scale: 'magnitude',
  },
  {
    value: 'effect',
    label: 'Switched off',
    about: 'Change of the explained number with this head alone switched off.',
    scale: 'signed',
  },
]

/** A number a head, or null where it is not known. */
export function measureOf({ rows, moved, effect }: Measured, measure: HeadMeasure): ArrayLike<number> | null {
  if (measure === 'moved') return moved
  if (measure === 'effect') return effect
  return rows.map((row) => (measure === 'entropy' ? row.normalisedEntropy : row[measure]))
}

/** A measure as thumbnails of one cell; the means at the edges stay empty. */
export function measureCells(values: ArrayLike<number>, layers: number, heads: number): Thumbnails {
  const [rows, columns] = [layers + 1, heads + 1]
  const cells = Float32Array.from({ length: rows * columns }, (_, at) => {
    const [row, column] = [Math.floor(at / columns), at % columns]
    return row === 0 || column === 0 ? NaN : values[(row - 1) * heads + column - 1]!
  })
  return { size: 1, rows, columns, values: cells, tops: cells.map((value) => Math.abs(value)) }
}
