// Taking a dataset out: as a file for other programs, alone or with what was done to it.
import type { SplitName } from './data.ts'

export const TABLE_FORMATS = ['csv', 'jsonl', 'parquet'] as const
export type TableFormat = (typeof TABLE_FORMATS)[number]

export interface TakeOutRequest {
  format: TableFormat
  /** CSV: cells that a spreadsheet would run get a leading `'`; default true. `false` writes cells as they are. */
  guard?: boolean
  /** Only the rows of one part. */
  split?: SplitName
  /** Adds the columns `split` (train, validation, test) and, where there are such rows, `synthetic` (true, false) and
   *  `weight` (in the loss of training; 1 for rows of other parts). */
  marks?: boolean
  /** A zip with the data, the recipe (recipe.json) and the datasheet (datasheet.md) in place of the data alone. */
  bundle?: boolean
  /** For the datasheet: under which terms the data may be used. */
  licence?: string
  /** For the datasheet: where the data comes from and what it is for. */
  about?: string
  /** For the datasheet: what is known to be wrong with the data, a sentence each. */
  problems?: string[]
}
