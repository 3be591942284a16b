// Conditions on rows, made ready once and asked row by row. Each names the columns that it reads, so that only these are
// taken out of a batch.
import type { ColumnType } from '../../protocol/data.ts'
import { GraftError } from '../../protocol/errors.ts'
import type { ColumnFilter } from '../../protocol/table.ts'
import { cellDate, cellNumber, fold } from './values.ts'

export interface ViewColumn {
  name: string
  type: ColumnType
  /** Dates like 3/4/2025 have the month first. */
  monthFirst?: boolean
}

/** A condition on a row; `cell` gives the row's cell by the place of its column. */
export type RowTest = (cell: (column: number) => string) => boolean

/** Throws E_ARGUMENT for an unknown column or a condition that cannot hold. */
export function columnTest(filter: ColumnFilter, columns: readonly ViewColumn[]): RowTest {
  const place = columns.findIndex(({ name }) => name === filter.column)
  if (place < 0)
    throw new GraftError(
      'E_ARGUMENT',
      `filter: there is no column "${filter.column}". The columns are ${columns.map(({ name }) => name).join(', ')}.`,
      { column: filter.column },
    )
  const test = cellTest(filter, columns[place]!)
  return filter.not ? (cell) => !test(cell(place)) : (cell) => test(cell(place))
}

function cellTest(filter: ColumnFilter, column: ViewColumn): (cell: string) => boolean {
  switch (filter.is) {
    case 'contains': {
      const text = fold(filter.text)
      return (cell) => fold(cell).includes(text)
    }
    case 'starts': {
      const text = fold(filter.text)
      return (cell) => fold(cell).trimStart().startsWith(text)
    }
    case 'equals': {
      const text = fold(filter.text).trim()
      if (column.type !== 'number') return (cell) => fold(cell).trim() === text
      const number = cellNumber(filter.text)
      return (cell) => fold(cell).trim() === text || cellNumber(cell) === number
    }
    case 'empty':
      return (cell) => cell.trim() === ''
    case 'oneOf': {
      const values = new Set(filter.values.map((value) => value.trim()))
      return (cell) => values.has(cell.trim())
    }
    case 'between': {
      const dates = column.type === 'date'
      const read = (value: string | number): number =>
        typeof value === 'number' ? value : dates ? cellDate(value, column.monthFirst) : cellNumber(value)
      const end = (name: 'from' | 'to', open: number): number => {
        const value = filter[name]
        if (value === undefined || value === '') return open
        const found = read(value)
        if (Number.isNaN(found))
          throw new GraftError(
            'E_ARGUMENT',
            `filter: "${value}" is no ${dates ? 'date' : 'number'}; write ${dates ? '2025-03-31' : '12.5'}.`,
            { column: filter.column },
          )
        // A day without a time reaches to its end.
        return name === 'to' && dates && typeof value === 'string' && !value.includes(':')
          ? found + 86_399_999
          : found
      }
      const from = end('from', -Infinity)
      const to = end('to', Infinity)
      return (cell) => {
        const value = read(cell)
        return value >= from && value <= to
      }
    }
    default:
      throw new GraftError(
        'E_ARGUMENT',
        `filter: a condition is contains, equals, starts, empty, oneOf or between, but is ${String((filter satisfies never as ColumnFilter).is)}.`,
      )
  }
}
