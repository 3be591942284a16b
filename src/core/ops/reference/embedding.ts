// Rows of the token embedding in every precision, unpacked one by one: the table is never dense.
import type { Tensor } from '@tensorflow/tfjs-core'
import { GraftError } from '../../../protocol/errors.ts'
import { partsOf, type FrozenMatrix } from '../matrix.ts'
import { unpackRows } from './frozen.ts'
import { filled, wordsOf } from './hostArrays.ts'
import { takeRows } from './rows.ts'

/** table [V, d], ids int32 [N] -> [N, d] */
export function embedding(table: FrozenMatrix, ids: Tensor): Tensor {
  if (table.kind === 'f32') return takeRows(table.data, ids)
  const [rows, width] = table.shape
  const parts = partsOf(table).reverse()
  const chosen = wordsOf(ids).slice()
  for (const row of chosen)
    if (row < 0 || row >= rows)
      throw new GraftError('E_INTERNAL', `Row ${row} was asked for, but there are ${rows}.`, { row, rows })
  return filled([ids.size, width], (out) =>
    chosen.forEach((id, row) => {
      const { part, begin } = parts.find((candidate) => candidate.begin <= id)!
      unpackRows(part, id - begin, id - begin + 1, out.subarray(row * width, (row + 1) * width))
    }),
  )
}
