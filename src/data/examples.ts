// Rows as tokenised training examples. Labels are as long as the ids and unshifted, as `transformers` has them: the model
// learns to predict the label at position i from the ids before i; -100 is not learned.
import type { ColumnRole, TaskConfig } from '../protocol/data.ts'
import { asGraftError, GraftError } from '../protocol/errors.ts'
import type { Message } from '../protocol/target.ts'
import { parseMessages, withSystem } from './messages.ts'
import {
  chatPieces,
  completePieces,
  encodePieces,
  instructPieces,
  type Piece,
  type Question,
} from './templates.ts'
import type { TextTokenizer } from './tokenizer.ts'

/** Label of a position that is not learned. */
export const IGNORED = -100

export interface ClassifyExample {
  ids: number[]
  /** Index into the labels. */
  label: number
  /** The row was longer than allowed. */
  truncated: boolean
  /** Why the row cannot be used, as a sentence. */
  problem?: string
}

export interface LanguageExample {
  ids: number[]
  labels: number[]
  truncated: boolean
  /** Positions that are learned. Position 0 never is: nothing stands before it. 0 means the row teaches nothing. */
  trained: number
  problem?: string
}

export interface ExampleOptions {
  maxLength: number
}

/** The ids of a text as a classifier reads it, in training and afterwards. */
export function classifyIds(
  tokenizer: TextTokenizer,
  text: string,
  maxLength: number,
): { ids: number[]; truncated: boolean; empty: boolean } {
  const body = tokenizer.encode(text, { special: false })
  const room = Math.max(0, maxLength - tokenizer.prefixIds.length - tokenizer.suffixIds.length)
  const ids = [...tokenizer.prefixIds, ...body.slice(0, room), ...tokenizer.suffixIds].slice(0, maxLength)
  return { ids, truncated: body.length > room, empty: body.length === 0 }
}

/** A text and its label. The text is cut on the right; the tokenizer's own first and last tokens stay. */
export function classifyExample(
  tokenizer: TextTokenizer,
  row: { text: string; label: string },
  labels: readonly string[],
  { maxLength }: ExampleOptions,
): ClassifyExample {
  const label = labels.indexOf(row.label)
  const { ids, truncated, empty } = classifyIds(tokenizer, row.text, maxLength)
  const example = { ids, label, truncated }
  if (empty) return { ...example, problem: 'The text is empty.' }
  if (label < 0)
    return {
      ...example,
      problem:
        row.label === '' ? 'The label is empty.' : `The label "${row.label}" is not one of the run's labels.`,
    }
  return example
}

/** A prompt and what follows it, or a text on its own (all of it is learned); the end token is learned too. */
export function completeExample(
  tokenizer: TextTokenizer,
  row: { prompt: string; completion: string } | { text: string },
  { maxLength, separator }: ExampleOptions & { separator?: string },
): LanguageExample {
  const learned = 'text' in row ? row.text : row.completion
  return assemble(tokenizer, completePieces(row, separator), false, maxLength, learned)
}

/** A question and its answer, in the model's chat template; the answer and its terminator are learned. */
export function instructExample(
  tokenizer: TextTokenizer,
  row: Question & { completion: string },
  { maxLength }: ExampleOptions,
): LanguageExample {
  return assemble(tokenizer, instructPieces(tokenizer, row), true, maxLength, row.completion)
}

/** A conversation; the assistant's turns from message `from` on are learned, or the last one alone. */
export function chatExample(
  tokenizer: TextTokenizer,
  messages: Message[],
  { maxLength, from = 0, turns = 'all' }: ExampleOptions & { from?: number; turns?: 'all' | 'last' },
): LanguageExample {
  const last = messages.findLastIndex(({ role }) => role === 'assistant')
  const first = turns === 'last' ? Math.max(from, last) : from
  const learned = messages.slice(first).filter(({ role }) => role === 'assistant')
  const pieces = chatPieces(tokenizer, messages, learned.length > 0 ? first : messages.length)
  const text = learned.map(({ content }) => content).join('')
  const example = assemble(tokenizer, pieces, true, maxLength, text)
  if (learned.length === 0)
    return { ...example, problem: 'No message of the conversation is an answer (role "assistant").' }
  return example
}

function assemble(
  tokenizer: TextTokenizer,
  pieces: Piece[],
  chat: boolean,
  maxLength: number,
  learned: string,
): LanguageExample {
  const { ids, trained: marks } = encodePieces(tokenizer, pieces, chat)
  const labels = ids.map((id, index) => (marks[index] ? id : IGNORED))
  const truncated = ids.length > maxLength
  if (truncated) ids.length = labels.length = maxLength
  const trained = labels.reduce((count, label, index) => count + (index > 0 && label !== IGNORED ? 1 : 0), 0)
  const example = { ids, labels, truncated, trained }
  if (learned.trim() === '')
    return {
      ...example,
      labels: ids.map(() => IGNORED),
      trained: 0,
      problem: 'There is no text to learn.',
    }
  if (trained > 0) return example
  const problem = truncated
    ? `The prompt alone is longer than ${maxLength} tokens, so nothing of the answer is left to learn.`
    : marks.includes(true)
      ? 'The text is too short to learn from.'
      : "The model's chat template does not write the answers as they are, so there is nothing to learn."
  return { ...example, problem }
}

/**
 * The cells of a task by role; what a role has no column for is empty.
 * Throws E_DATASET if the task lacks a column or names one that the dataset has not.
 */
export function taskCells(
  config: TaskConfig,
  columns: readonly string[],
): (cells: readonly string[]) => Record<ColumnRole, string> {
  const optional = optionalColumns(config).filter((role) => config.columns[role] !== undefined)
  const places = [...requiredColumns(config), ...optional].map((role) => {
    const name = config.columns[role]
    const place = name === undefined ? -1 : columns.indexOf(name)
    if (place < 0)
      throw new GraftError(
        'E_DATASET',
        name === undefined
          ? `Choose the column that holds the ${role}.`
          : `The dataset has no column "${name}". Its columns: ${columns.join(', ')}.`,
        { role, name },
      )
    return [role, place] as const
  })
  return (cells) => {
    const found = { text: '', label: '', prompt: '', completion: '', messages: '', input: '', system: '' }
    for (const [role, place] of places) found[role] = cells[place] ?? ''
    return found
  }
}

/**
 * The columns a task cannot do without; `complete` takes either a prompt and a completion, or a text, and `chat` a whole
 * conversation, or one in two columns.
 */
export function requiredColumns({ task, columns }: TaskConfig): ColumnRole[] {
  const inTwo = columns.prompt !== undefined || columns.completion !== undefined
  switch (task) {
    case 'classify':
      return ['text', 'label']
    case 'instruct':
      return ['prompt', 'completion']
    case 'chat':
      return inTwo && columns.messages === undefined ? ['prompt', 'completion'] : ['messages']
    case 'complete':
      return inTwo ? ['prompt', 'completion'] : ['text']
    default:
      return task satisfies never
  }
}

/** The columns that a task may have besides. */
export function optionalColumns({ task }: TaskConfig): ColumnRole[] {
  if (task === 'instruct') return ['input', 'system']
  return task === 'chat' ? ['system'] : []
}

/** The cell without which a row has nothing to learn. */
export function learnedCell(config: TaskConfig): ColumnRole {
  return config.task === 'classify' ? 'text' : requiredColumns(config).at(-1)!
}

/** Makes language-model examples of rows. Throws E_DATASET if the task's columns are not there. */
export function languageExamples(
  config: TaskConfig,
  columns: readonly string[],
  tokenizer: TextTokenizer,
  options: ExampleOptions,
): (cells: readonly string[]) => LanguageExample {
  if (config.task === 'classify')
    throw new GraftError('E_ARGUMENT', 'A classify task has labels; use classifyExamples.')
  const cellsOf = taskCells(config, columns)
  const prompted = requiredColumns(config).includes('prompt')
  const { turns = 'all', separator = '' } = config
  return (cells) => {
    const row = cellsOf(cells)
    switch (config.task) {
      case 'instruct':
        return orProblem(() => instructExample(tokenizer, row, options))
      case 'chat':
        return orProblem(() => {
          const before = prompted ? parseTurns(row.prompt, 'user') : []
          const rest = prompted ? parseTurns(row.completion, 'assistant') : parseMessages(row.messages)
          const messages = withSystem(row.system, [...before, ...rest])
          const from = prompted ? messages.length - rest.length : 0
          return chatExample(tokenizer, messages, { ...options, from, turns })
        })
      default:
        return completeExample(
          tokenizer,
          prompted ? { prompt: row.prompt, completion: row.completion } : { text: row.text },
          { ...options, separator },
        )
    }
  }
}

/** TRL's conversational prompts and completions are lists of messages; a plain text is one message. */
function parseTurns(cell: string, role: 'user' | 'assistant'): Message[] {
  return /^\s*[[{]/.test(cell) ? parseMessages(cell) : [{ role, content: cell }]
}

/** Makes classification examples of rows. Throws E_DATASET if the task's columns are not there. */
export function classifyExamples(
  config: TaskConfig,
  columns: readonly string[],
  labels: readonly string[],
  tokenizer: TextTokenizer,
  options: ExampleOptions,
): (cells: readonly string[]) => ClassifyExample {
  const cellsOf = taskCells(config, columns)
  return (cells) => {
    const { text, label } = cellsOf(cells)
    return classifyExample(tokenizer, { text, label: label.trim() }, labels, options)
  }
}

/** A row that the template or the parser refuses is a problem of that row, not of the run. */
function orProblem(make: () => LanguageExample): LanguageExample {
  try {
    return make()
  } catch (thrown) {
    const error = asGraftError(thrown)
    if (error.code !== 'E_DATASET') throw error
    return { ids: [], labels: [], truncated: false, trained: 0, problem: error.message }
  }
}
