// The kinds of datasets that people know by name, recognised by their columns: what a table is, whether Graft trains on it as
// it stands, and what to do with it where not. Like the suggested task it is a guess that the user confirms.
import type { Shape, ShapeName } from '../protocol/bringIn.ts'
import type { ColumnProfile } from './columns.ts'
import { suggestTask } from './suggest.ts'

const NOTES: Record<ShapeName, string> = {
  alpaca: 'Instructions with an input that may be empty, and the answers. Ready for the task “Answer”.',
  sharegpt: 'Conversations with turns from “human” and “gpt”. Ready for the task “Chat”.',
  openai: 'Conversations as lists of messages with roles. Ready for the task “Chat”.',
  promptCompletion: 'Prompts and what should follow them. Ready for training.',
  preference:
    'Prompts with a chosen and a rejected answer. Graft does not learn from comparisons yet; it can learn the chosen answers as they are.',
  textLabel: 'Texts with one label each. Ready for the task “Label”.',
  multiLabel:
    'Texts with several labels each. Graft learns one label a row; choose one of the label columns, or split the rows first.',
  textPair:
    'Pairs of texts with a label or score. Graft does not compare two texts yet; joined into one column they can be labelled.',
  text: 'Texts without labels. Ready for the task “Continue text”.',
}
const TRAINS: readonly ShapeName[] = ['alpaca', 'sharegpt', 'openai', 'promptCompletion', 'textLabel', 'text']

/** Pairs of names under which people keep two texts to be compared. */
const PAIRS = [
  ['sentence1', 'sentence2'],
  ['texta', 'textb'],
  ['text1', 'text2'],
  ['premise', 'hypothesis'],
  ['question1', 'question2'],
  ['anchor', 'positive'],
  ['query', 'passage'],
]
/** Share of filled cells that must be lists or hold several labels. */
const MOST = 0.9
/** Columns of noughts and ones from which on they are labels, not numbers. */
const FLAG_COLUMNS = 3

/** What kind of dataset the columns make, or null where no kind fits. `rows` are the first ones, to look into. */
export function recogniseShape(
  columns: readonly ColumnProfile[],
  rows: readonly (readonly string[])[],
): Shape | null {
  return (
    preference(columns) ??
    conversations(columns, rows) ??
    alpaca(columns) ??
    textPair(columns) ??
    multiLabel(columns, rows) ??
    bySuggestion(columns)
  )
}

function preference(columns: readonly ColumnProfile[]): Shape | null {
  const [chosen, rejected] = ['chosen', 'rejected'].map((name) => named(columns, name))
  if (!chosen || !rejected) return null
  const prompt = named(columns, 'prompt', 'question', 'instruction', 'input')
  return shape(
    'preference',
    { ...(prompt && { prompt: prompt.name }), chosen: chosen.name, rejected: rejected.name },
    1,
  )
}

function conversations(
  columns: readonly ColumnProfile[],
  rows: readonly (readonly string[])[],
): Shape | null {
  const at = columns.findIndex((column) => column.conversations >= MOST)
  if (at < 0) return null
  const cell = rows.map((row) => row[at] ?? '').find((text) => text.trim() !== '') ?? ''
  const task = suggestTask(columns)
  const name = /"from"\s*:/.test(cell) ? 'sharegpt' : 'openai'
  return shape(name, task?.task === 'chat' ? task.columns : { messages: columns[at]!.name }, 0.95)
}

function alpaca(columns: readonly ColumnProfile[]): Shape | null {
  const [instruction, input, output] = [
    named(columns, 'instruction', 'instructions'),
    named(columns, 'input', 'context'),
    named(columns, 'output', 'response', 'answer'),
  ]
  if (!instruction || !output) return null
  return shape(
    'alpaca',
    { instruction: instruction.name, ...(input && { input: input.name }), output: output.name },
    input ? 1 : 0.8,
  )
}

function textPair(columns: readonly ColumnProfile[]): Shape | null {
  for (const [first, second] of PAIRS) {
    const [a, b] = [named(columns, first!), named(columns, second!)]
    if (!a || !b) continue
    const label = named(columns, 'label', 'score', 'similarity', 'isduplicate', 'goldlabel', 'relation')
    return shape('textPair', { first: a.name, second: b.name, ...(label && { label: label.name }) }, 0.9)
  }
  return null
}

/** Either one column with several labels in each cell, or a column of noughts and ones for each label. */
function multiLabel(columns: readonly ColumnProfile[], rows: readonly (readonly string[])[]): Shape | null {
  const text = longest(columns)
  if (!text) return null
  for (const [i, column] of columns.entries()) {
    if (column === text || !/^(labels|tags|categories|topics|genres|emotions|classes)$/.test(key(column)))
      continue
    const cells = rows.map((row) => (row[i] ?? '').trim()).filter((cell) => cell !== '')
    const lists = cells.filter((cell) => /^\[.*\]$/s.test(cell)).length
    const parts = cells.filter((cell) => /[,;|]/.test(cell)).length
    if (cells.length > 0 && (lists >= MOST * cells.length || parts > 0.3 * cells.length))
      return shape('multiLabel', { text: text.name, labels: column.name }, lists > 0 ? 0.9 : 0.75)
  }
  const flags = columns.filter((column, i) => column.distinct <= 2 && isFlag(rows, i))
  if (flags.length < FLAG_COLUMNS) return null
  const parts = Object.fromEntries(flags.map((column, i) => [`label ${i + 1}`, column.name]))
  return shape('multiLabel', { text: text.name, ...parts }, 0.8)
}

function isFlag(rows: readonly (readonly string[])[], column: number): boolean {
  return rows.length > 0 && rows.every((row) => /^\s*([01]|true|false|[01]\.0)?\s*$/i.test(row[column] ?? ''))
}

function bySuggestion(columns: readonly ColumnProfile[]): Shape | null {
  const task = suggestTask(columns)
  if (!task) return null
  const parts = task.columns as Record<string, string>
  switch (task.task) {
    case 'classify':
      return shape('textLabel', parts, 0.85)
    case 'instruct':
      return shape('promptCompletion', parts, 0.85)
    case 'chat':
      return shape('openai', parts, 0.8)
    case 'complete':
      return task.columns.prompt === undefined
        ? shape('text', parts, 0.7)
        : shape('promptCompletion', parts, 0.6)
  }
}

function shape(name: ShapeName, columns: object, confidence: number): Shape {
  return {
    name,
    columns: { ...(columns as Record<string, string>) },
    confidence,
    trains: TRAINS.includes(name),
    note: NOTES[name],
  }
}

function longest(columns: readonly ColumnProfile[]): ColumnProfile | undefined {
  return columns
    .filter((column) => column.type === 'text')
    .toSorted((a, b) => b.meanLength - a.meanLength)
    .at(0)
}

function named(columns: readonly ColumnProfile[], ...names: string[]): ColumnProfile | undefined {
  return names.flatMap((name) =>
    columns.filter((column) => key(column) === name && column.type !== 'empty'),
  )[0]
}

function key(column: ColumnProfile): string {
  return column.name.toLowerCase().replace(/[^a-z0-9]/g, '')
}
