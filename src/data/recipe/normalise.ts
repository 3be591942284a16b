// Unicode form (UAX 15), white space, quotation marks, letter case, control characters.
import type { NormaliseStep } from '../../protocol/recipe.ts'
import { placesOf, withCells } from './columns.ts'
import { rowStage, type Flow, type Stage } from './flow.ts'

/** C0 and C1 but tab, line feed and carriage return; zero-width space, word joiner, byte order mark, soft hyphen. */
// eslint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b\u2060\ufeff]/g
const DOUBLE_QUOTES = /[\u201c-\u201f\u2033\u00ab\u00bb\u2036]/g
const SINGLE_QUOTES = /[\u2018-\u201b\u2032\u2035\u02bc]/g

export function normalise(step: NormaliseStep, { columns }: Flow): Stage {
  const places = placesOf(columns, step.columns)
  const change = normaliser(step)
  return rowStage(columns, (row) => {
    const cells = withCells(row.cells, places, change)
    return cells === row.cells ? row : { ...row, cells }
  })
}

/** The change to a cell. */
export function normaliser(step: NormaliseStep): (cell: string) => string {
  const changes: ((cell: string) => string)[] = []
  if (step.controls) changes.push((cell) => cell.replace(CONTROLS, ''))
  const { form } = step
  if (form) changes.push((cell) => cell.normalize(form))
  if (step.quotes) changes.push((cell) => cell.replace(DOUBLE_QUOTES, '"').replace(SINGLE_QUOTES, "'"))
  if (step.case === 'lower') changes.push((cell) => cell.toLowerCase())
  if (step.case === 'upper') changes.push((cell) => cell.toUpperCase())
  if (step.space === 'collapse') changes.push(collapse)
  if (step.space) changes.push((cell) => cell.trim())
  return (cell) => changes.reduce((text, change) => change(text), cell)
}

/** Runs of white space become one space, or one line break (two where there were more) if they hold one. */
function collapse(cell: string): string {
  return cell.replace(/\s+/g, (run) => {
    const breaks = run.replace(/\r\n?/g, '\n').split('\n').length - 1
    return breaks === 0 ? ' ' : breaks === 1 ? '\n' : '\n\n'
  })
}
