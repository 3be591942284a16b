// Personal data becomes numbered placeholders, [EMAIL_1]. The same value has the same number in every cell of the dataset, so
// that who is meant stays traceable within it; numbers are given in the order of the rows, so rows added later change none.
import { PERSONAL_KINDS, type PersonalKind, type RedactStep } from '../../protocol/recipe.ts'
import { findPersonalData } from '../personal/find.ts'
import { placesOf, withCells } from './columns.ts'
import type { Flow, Stage } from './flow.ts'

const NAMES: Record<PersonalKind, string> = {
  email: 'EMAIL',
  phone: 'PHONE',
  card: 'CARD',
  iban: 'IBAN',
  ip: 'IP',
  nationalId: 'ID',
  name: 'NAME',
}

export function redact(step: RedactStep, { columns }: Flow): Stage {
  const places = placesOf(columns, step.columns)
  return {
    columns,
    walk: () => {
      const change = redactor(step.kinds ?? PERSONAL_KINDS)
      return {
        row: (row) => {
          const cells = withCells(row.cells, places, change)
          return cells === row.cells ? row : { ...row, cells }
        },
      }
    },
  }
}

/** Redacts one text after the other, and remembers whom it has met. */
export function redactor(kinds: readonly PersonalKind[]): (text: string) => string {
  const numbers = new Map<string, number>()
  const counts = new Map<PersonalKind, number>()
  return (text) => {
    const found = findPersonalData(text, kinds)
    if (found.length === 0) return text
    let out = ''
    let at = 0
    for (const { type, start, end } of found) {
      const key = `${type}:${identity(type, text.slice(start, end))}`
      let number = numbers.get(key)
      if (number === undefined) {
        number = (counts.get(type) ?? 0) + 1
        counts.set(type, number)
        numbers.set(key, number)
      }
      out += `${text.slice(at, start)}[${NAMES[type]}_${number}]`
      at = end
    }
    return out + text.slice(at)
  }
}

/** Ways to write the same value count as one. */
function identity(type: PersonalKind, value: string): string {
  if (type === 'name') return value.toLowerCase().replace(/\s+/g, ' ')
  if (type === 'email' || type === 'ip') return value.toLowerCase()
  return value.toUpperCase().replace(/[^\p{L}\p{N}+]/gu, '')
}
