// What a written row consists of, by task: a text (with its label), or a prompt, perhaps an input, and an answer.
import { taskCells } from '../../examples.ts'
import type { TaskConfig } from '../../../protocol/data.ts'
import { GraftError } from '../../../protocol/errors.ts'

/** The parts that a model writes, by their names in a prompt. */
const NAMES = { text: 'Text', prompt: 'Prompt', input: 'Input', completion: 'Answer' } as const
export type Part = keyof typeof NAMES

export interface RowShape {
  /** What the model writes, in order; `text` stands alone. */
  parts: { part: Part; name: string; column: string; optional: boolean }[]
  /** Columns whose cells are given: the label, the system message. */
  label: string | null
  system: string | null
}

/** A row of the training part, or one that was written. */
export interface WrittenRow {
  /** In the order of the shape's parts. */
  parts: string[]
  label: string | null
  system: string
}

/** Throws E_DATASET for a task whose rows are not written, or whose columns are not there. */
export function shapeOf(config: TaskConfig, columns: readonly string[]): RowShape {
  taskCells(config, columns)
  if (config.task === 'chat')
    throw new GraftError(
      'E_DATASET',
      'Conversations are not written by a model: their turns would have to fit each other. Set the dataset up as questions and answers (instruct), or vary its rows by the other steps.',
      { task: config.task },
    )
  const of = (part: Part, optional = false): RowShape['parts'] =>
    config.columns[part] === undefined
      ? []
      : [{ part, name: NAMES[part], column: config.columns[part], optional }]
  const single = config.task === 'classify' || config.columns.prompt === undefined
  return {
    parts: single ? of('text') : [...of('prompt'), ...of('input', true), ...of('completion')],
    label: config.task === 'classify' ? config.columns.label! : null,
    system: config.task === 'instruct' ? (config.columns.system ?? null) : null,
  }
}

/** The columns of written rows. */
export function columnsOf({ parts, label, system }: RowShape): string[] {
  return [...parts.map(({ column }) => column), ...[label, system].filter((column) => column !== null)]
}

/** The cells of a written row, in the order of `columnsOf`. */
export function cellsOf(shape: RowShape, { parts, label, system }: WrittenRow): string[] {
  return [
    ...parts,
    ...(shape.label === null ? [] : [label ?? '']),
    ...(shape.system === null ? [] : [system]),
  ]
}

/** Reads rows of a table with these columns; null for one that lacks a part. */
export function rowReader(
  shape: RowShape,
  columns: readonly string[],
): (cells: readonly string[]) => WrittenRow | null {
  const places = shape.parts.map(({ column }) => columns.indexOf(column))
  const label = shape.label === null ? -1 : columns.indexOf(shape.label)
  const system = shape.system === null ? -1 : columns.indexOf(shape.system)
  return (cells) => {
    const parts = places.map((place) => (cells[place] ?? '').trim())
    if (parts.some((part, i) => part === '' && !shape.parts[i]!.optional)) return null
    const own = label < 0 ? null : (cells[label] ?? '').trim()
    if (own === '') return null
    return { parts, label: own, system: system < 0 ? '' : (cells[system] ?? '').trim() }
  }
}

/** A row as one text: what is compared and measured. */
export const textOf = ({ parts }: Pick<WrittenRow, 'parts'>): string =>
  parts.filter((part) => part !== '').join('\n')
