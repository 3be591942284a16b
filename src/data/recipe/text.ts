// Columns made of others, and texts cut to a length.
import type { DeriveStep, TruncateStep } from '../../protocol/recipe.ts'
import { compileTemplate } from '../expression.ts'
import { placesOf, withCells } from './columns.ts'
import { rowStage, type Flow, type Stage } from './flow.ts'

export function derive(step: DeriveStep, { columns }: Flow): Stage {
  const make = compileTemplate(step.template, columns)
  const known = columns.indexOf(step.column)
  const place = known < 0 ? columns.length : known
  return rowStage(known < 0 ? [...columns, step.column] : columns, (row) => {
    const text = make(row.cells)
    if (row.cells[place] === text) return row
    const cells = [...row.cells]
    while (cells.length < place) cells.push('')
    cells[place] = text
    return { ...row, cells }
  })
}

export function truncate(step: TruncateStep, { columns }: Flow): Stage {
  const places = placesOf(columns, step.columns)
  const cut = step.unit === 'words' ? cutWords : cutCharacters
  return rowStage(columns, (row) => {
    const cells = withCells(row.cells, places, (cell) => cut(cell, step.limit, step.keep ?? 'start'))
    return cells === row.cells ? row : { ...row, cells }
  })
}

/** By code points, so that no pair of surrogates is cut in half. */
function cutCharacters(cell: string, limit: number, keep: 'start' | 'end'): string {
  if (cell.length <= limit) return cell
  const characters = Array.from(cell)
  if (characters.length <= limit) return cell
  return (keep === 'start' ? characters.slice(0, limit) : characters.slice(-limit)).join('')
}

function cutWords(cell: string, limit: number, keep: 'start' | 'end'): string {
  const words = [...cell.matchAll(/\S+/g)]
  if (words.length <= limit) return cell
  const last = words[limit - 1]!
  return keep === 'start' ? cell.slice(0, last.index + last[0].length) : cell.slice(words.at(-limit)!.index)
}
