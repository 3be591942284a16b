// Conditions on columns in words: the choices of the form, and what a chosen condition says.
import type { Column } from '../../protocol/data.ts'
import type { ColumnFilter, RowFilter } from '../../protocol/table.ts'

export interface Condition {
  key: string
  label: string
  /** Fields that it asks for. */
  fields: 0 | 1 | 2
}

const TEXTS: Condition[] = [
  { key: 'contains', label: 'contains', fields: 1 },
  { key: 'contains not', label: 'does not contain', fields: 1 },
  { key: 'equals', label: 'is', fields: 1 },
  { key: 'equals not', label: 'is not', fields: 1 },
  { key: 'starts', label: 'begins with', fields: 1 },
]
const EMPTY: Condition[] = [
  { key: 'empty', label: 'is empty', fields: 0 },
  { key: 'empty not', label: 'is not empty', fields: 0 },
]
const RANGES: Condition[] = [
  { key: 'between', label: 'is from … to', fields: 2 },
  { key: 'between not', label: 'is not from … to', fields: 2 },
]

/** What can be asked of a column, the most likely one first. */
export function conditionsFor({ type }: Pick<Column, 'type'>): Condition[] {
  return type === 'number' || type === 'date' ? [...RANGES, ...TEXTS, ...EMPTY] : [...TEXTS, ...EMPTY]
}

/** The condition of the form; null while a field that it needs is empty. */
export function filterOf(column: string, key: string, one: string, two: string): ColumnFilter | null {
  const [is, not] = key.split(' ') as [ColumnFilter['is'], 'not' | undefined]
  const common = { column, ...(not ? { not: true } : {}) }
  switch (is) {
    case 'contains':
    case 'equals':
    case 'starts':
      return one.trim() === '' ? null : { ...common, is, text: one }
    case 'empty':
      return { ...common, is }
    case 'between':
      if (one.trim() === '' && two.trim() === '') return null
      return { ...common, is, ...(one.trim() && { from: one }), ...(two.trim() && { to: two }) }
    case 'oneOf':
      return { ...common, is, values: one.split(',') }
    default:
      return is satisfies never
  }
}

/** "price is from 3 to 9". */
export function filterWords(filter: RowFilter): string {
  if (typeof filter === 'string') return filter
  const { column, is, not } = filter
  switch (is) {
    case 'contains':
      return `${column} ${not ? 'does not contain' : 'contains'} “${filter.text}”`
    case 'equals':
      return `${column} is ${not ? 'not ' : ''}“${filter.text}”`
    case 'starts':
      return `${column} ${not ? 'does not begin' : 'begins'} with “${filter.text}”`
    case 'empty':
      return `${column} is ${not ? 'not ' : ''}empty`
    case 'oneOf':
      return `${column} is ${not ? 'none' : 'one'} of ${filter.values.map((value) => `“${value}”`).join(', ')}`
    case 'between': {
      const ends = [
        filter.from === undefined ? '' : `from ${filter.from}`,
        filter.to === undefined ? '' : `to ${filter.to}`,
      ]
      return `${column} is ${not ? 'not ' : ''}${ends.filter(Boolean).join(' ')}`
    }
    default:
      return is satisfies never
  }
}
