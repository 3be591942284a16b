// Profiles of the columns of a table in one pass over its rows and in bounded memory, whatever the number of rows.
import type { ColumnType } from '../../protocol/data.ts'
import type { CallContext } from '../../protocol/progress.ts'
import type { ColumnProfile, NumberSummary } from '../../protocol/table.ts'
import type { Table } from '../table.ts'
import { pacer } from '../view/shared.ts'
import { cellDate, cellNumber } from '../view/values.ts'
import { LengthCounts, lengthsOf, NumberSeries } from './series.ts'
import { countsSummary, dateSummary, seriesSummary } from './summary.ts'
import { ValueCounts } from './values.ts'

/** Numbers and dates kept one by one over all columns (8 bytes each); a column beyond its share is sketched. */
export const EXACT_NUMBERS = 8_000_000

export interface ProfiledColumn {
  name: string
  type: ColumnType
  /** Dates like 3/4/2025 have the month first. */
  monthFirst?: boolean
}

/** Looks at row after row. */
export class Profiler {
  readonly #columns: { counter: ColumnProfiler; place: number }[]

  /** @param places where the columns are in a row; by default as they stand */
  constructor(columns: readonly ProfiledColumn[], places: readonly number[] = columns.map((_, i) => i)) {
    const numeric = columns.filter(({ type }) => type === 'number' || type === 'date').length
    const limit = Math.floor(EXACT_NUMBERS / Math.max(1, numeric))
    this.#columns = columns.map((column, i) => ({
      counter: new ColumnProfiler(column, limit),
      place: places[i]!,
    }))
  }

  add(cell: (column: number) => string): void {
    for (const { counter, place } of this.#columns) counter.add(cell(place))
  }

  /** @param top values listed of each column */
  finish(top: number): ColumnProfile[] {
    return this.#columns.map(({ counter }) => counter.finish(top))
  }
}

class ColumnProfiler {
  readonly #column: ProfiledColumn
  readonly #series: NumberSeries
  readonly #values = new ValueCounts()
  readonly #characters = new LengthCounts()
  readonly #words = new LengthCounts()
  #rows = 0
  #missing = 0

  constructor(column: ProfiledColumn, limit: number) {
    this.#column = column
    this.#series = new NumberSeries(limit)
  }

  add(cell: string): void {
    this.#rows++
    const value = cell.trim()
    if (value === '') {
      this.#missing++
      return
    }
    this.#values.add(value)
    const { type, monthFirst } = this.#column
    if (type === 'number' || type === 'date') {
      const number = type === 'number' ? cellNumber(value) : cellDate(value, monthFirst)
      if (!Number.isNaN(number)) this.#series.add(number)
    } else {
      const { characters, words } = lengthsOf(cell)
      this.#characters.add(characters)
      this.#words.add(words)
    }
  }

  finish(top: number): ColumnProfile {
    const { name, type } = this.#column
    const read = type === 'number' || type === 'date'
    return {
      name,
      type,
      rows: this.#rows,
      missing: this.#missing,
      distinct: this.#values.distinct(),
      top: this.#values.top(top),
      numbers: type === 'number' ? seriesSummary(this.#series) : null,
      dates: type === 'date' ? dateSummary(this.#series) : null,
      unread: read ? this.#rows - this.#missing - this.#series.count : 0,
      characters: countsSummary(this.#characters.sorted()),
      words: countsSummary(this.#words.sorted()),
      tokens: null,
    }
  }
}

/** Lengths that were counted elsewhere, such as tokens, as a summary; null where there are none. */
export function lengthSummary(lengths: Iterable<number>): NumberSummary | null {
  const counts = new LengthCounts()
  for (const length of lengths) counts.add(length)
  return countsSummary(counts.sorted())
}

/** Profiles of any table; throws E_ABORTED. */
export async function profileTable(
  table: Table,
  columns: readonly ProfiledColumn[],
  context: CallContext,
  top = 20,
): Promise<ColumnProfile[]> {
  const profiler = new Profiler(
    columns,
    columns.map(({ name }) => table.columns.indexOf(name)),
  )
  const pause = pacer(context, 'Looking at the columns', table.rows)
  for await (const { start, rows } of table.batches()) {
    for (const cells of rows) profiler.add((column) => cells[column] ?? '')
    await pause(start + rows.length)
  }
  return profiler.finish(top)
}
