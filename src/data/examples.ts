// Rows as tokenised training examples. Labels are as long as the ids and unshifted, as `transformers` has them: the model
// learns to predict the label at position i from the ids before i; -100 is not learned.
import type { TaskConfig } from '../protocol/data.ts'
import { asGraftError, GraftError } from '../protocol/errors.ts'
import type { Message } from '../protocol/target.ts'
import { parseMessages } from './messages.ts'
import { chatPieces, completePieces, openingIds, pieceIds, type Piece } from './templates.ts'
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
  row: { prompt: string; completion: string },
  { maxLength }: ExampleOptions,
): LanguageExample {
  const messages: Message[] = [
    { role: 'user', content: row.prompt },
    { role: 'assistant', content: row.completion },
  ]
  return assemble(tokenizer, chatPieces(tokenizer, messages), true, maxLength, row.completion)
}

/** A conversation; the assistant's turns are learned. */
export function chatExample(
  tokenizer: TextTokenizer,
  messages: Message[],
  { maxLength }: ExampleOptions,
): LanguageExample {
  const learned = messages.map(({ role, content }) => (role === 'assistant' ? content : '')).join('')
  return assemble(tokenizer, chatPieces(tokenizer, messages), true, maxLength, learned)
}

function assemble(
  tokenizer: TextTokenizer,
  pieces: Piece[],
  chat: boolean,
  maxLength: number,
  learned: string,
): LanguageExample {
  const ids = [...openingIds(tokenizer, chat)]
  const labels = ids.map(() => IGNORED)
  for (const piece of pieces) {
    for (const id of pieceIds(tokenizer, piece)) {
      ids.push(id)
      labels.push(piece.trained ? id : IGNORED)
    }
  }
  const truncated = ids.length > maxLength
  if (truncated) ids.length = labels.length = maxLength
  const trained = labels.reduce((count, label, index) => count + (index > 0 && label !== IGNORED ? 1 : 0), 0)
  const example = { ids, labels, truncated, trained }
  if (learned.trim() === '') return { ...example, trained: 0, problem: 'There is no text to learn.' }
  if (trained === 0)
    return {
      ...example,
      problem: truncated
        ? `The prompt alone is longer than ${maxLength} tokens, so nothing of the answer is left to learn.`
        : 'The text is too short to learn from.',
    }
  return example
}

/**
 * The text cells of a task by column name, in the order of the dataset's columns.
 * Throws E_DATASET if the task lacks a column or names one that the dataset has not.
 */
export function taskCells(
  config: TaskConfig,
  columns: readonly string[],
): (cells: readonly string[]) => Record<'text' | 'label' | 'prompt' | 'completion' | 'messages', string> {
  const places = requiredColumns(config).map((role) => {
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
    const found = { text: '', label: '', prompt: '', completion: '', messages: '' }
    for (const [role, place] of places) found[role] = cells[place] ?? ''
    return found
  }
}

/** The columns a task cannot do without; `complete` takes either a prompt and a completion, or a text. */
export function requiredColumns(
  config: TaskConfig,
): ('text' | 'label' | 'prompt' | 'completion' | 'messages')[] {
  switch (config.task) {
    case 'classify':
      return ['text', 'label']
    case 'instruct':
      return ['prompt', 'completion']
    case 'chat':
      return ['messages']
    case 'complete':
      return config.columns.prompt !== undefined || config.columns.completion !== undefined
        ? ['prompt', 'completion']
        : ['text']
    default:
      return config.task satisfies never
  }
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
  return (cells) => {
    const { text, prompt, completion, messages } = cellsOf(cells)
    switch (config.task) {
      case 'instruct':
        return instructOrProblem(() => instructExample(tokenizer, { prompt, completion }, options))
      case 'chat':
        return instructOrProblem(() => chatExample(tokenizer, parseMessages(messages), options))
      default:
        return completeExample(tokenizer, prompted ? { prompt, completion } : { text }, {
          ...options,
          separator: config.separator ?? '',
        })
    }
  }
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
function instructOrProblem(make: () => LanguageExample): LanguageExample {
  try {
    return make()
  } catch (thrown) {
    const error = asGraftError(thrown)
    if (error.code !== 'E_DATASET') throw error
    return { ids: [], labels: [], truncated: false, trained: 0, problem: error.message }
  }
}
