// The text a model sees, in pieces: what is given and what it learns to write. Training examples and prompts are made by
// the same functions, so that a model is asked exactly as it was taught.
import type { TaskConfig } from '../protocol/data.ts'
import { asGraftError } from '../protocol/errors.ts'
import type { Message } from '../protocol/target.ts'
import { foldSystem } from './messages.ts'
import type { TextTokenizer } from './tokenizer.ts'
import { answerStretches } from './turns.ts'

/** A stretch of text. */
export interface Piece {
  text: string
  /** Whether the model is taught to write it. */
  trained: boolean
  /** The end token follows the text. */
  end?: boolean
}

/** For models without a chat template: the plain form of Alpaca (tatsu-lab/stanford_alpaca), without its preamble. */
const plainPrompt = (prompt: string, input = ''): string =>
  `### Instruction:\n${prompt}\n\n${input === '' ? '' : `### Input:\n${input}\n\n`}### Response:\n`

/** One question and its answer, as a table has them. */
export interface Question {
  prompt: string
  /** Alpaca's `input`: what the instruction is about. */
  input?: string
  system?: string
}

/** The conversation before an answer. Alpaca's input follows the instruction on the next line, as Axolotl and LLaMA-Factory write it. */
export function questionMessages({ prompt, input = '', system = '' }: Question): Message[] {
  const content = input.trim() === '' ? prompt : `${prompt}\n${input}`
  const user: Message = { role: 'user', content }
  return system.trim() === '' ? [user] : [{ role: 'system', content: system }, user]
}

/** A question and its answer in pieces; the answer with its terminator is trained. */
export function instructPieces(tokenizer: TextTokenizer, row: Question & { completion: string }): Piece[] {
  if (tokenizer.hasChatTemplate)
    return chatPieces(tokenizer, [...questionMessages(row), { role: 'assistant', content: row.completion }])
  const system = (row.system ?? '').trim() === '' ? [] : [{ text: `${row.system}\n\n`, trained: false }]
  const input = (row.input ?? '').trim() === '' ? '' : row.input
  return [
    ...system,
    { text: plainPrompt(row.prompt, input), trained: false },
    { text: row.completion, trained: true, end: true },
  ]
}

/** A conversation in pieces; the answers from message `from` on, each with its terminator, are trained. */
export function chatPieces(tokenizer: TextTokenizer, messages: Message[], from = 0): Piece[] {
  if (!tokenizer.hasChatTemplate) return plainPieces(messages, from)
  return accepted(messages, (taken, dropped) => {
    const { text, spans } = answerStretches(tokenizer, taken, Math.max(0, from - dropped))
    const pieces: Piece[] = []
    let at = 0
    for (const [begin, end] of spans) {
      pieces.push({ text: text.slice(at, begin), trained: false })
      pieces.push({ text: text.slice(begin, end), trained: true })
      at = end
    }
    pieces.push({ text: text.slice(at), trained: false })
    return pieces.filter((piece) => piece.text.length > 0)
  })
}

/** What stands before an answer: the conversation so far, and the template's opening of an answer. */
export function chatPrompt(tokenizer: TextTokenizer, messages: Message[]): Piece[] {
  if (tokenizer.hasChatTemplate)
    return accepted(messages, (taken) => [{ text: tokenizer.renderChat(taken, true), trained: false }])
  return plainPieces(messages, messages.length)
}

/** A prompt with the text that is to follow it, or a text on its own. */
export function completePieces(
  row: { prompt: string; completion: string } | { text: string },
  separator = '',
): Piece[] {
  if ('text' in row) return [{ text: row.text, trained: true, end: true }]
  return [
    { text: row.prompt + separator, trained: false },
    { text: row.completion, trained: true, end: true },
  ]
}

/**
 * Ids and text of a question to a model, in the form its training gave them. Without a task (a base model) a prompt is
 * plain text to go on from; messages always take the chat template.
 */
export function renderPrompt(
  config: TaskConfig | null,
  tokenizer: TextTokenizer,
  input: string | Message[],
): { text: string; ids: number[] } {
  const pieces = promptPieces(config, tokenizer, input)
  const chat = Array.isArray(input) || config?.task === 'instruct' || config?.task === 'chat'
  const text = pieces.map((piece) => piece.text).join('')
  return { text, ids: encodePieces(tokenizer, pieces, chat).ids }
}

function promptPieces(
  config: TaskConfig | null,
  tokenizer: TextTokenizer,
  input: string | Message[],
): Piece[] {
  if (typeof input !== 'string') return chatPrompt(tokenizer, input)
  if (config?.task === 'instruct' || config?.task === 'chat')
    return chatPrompt(tokenizer, [{ role: 'user', content: input }])
  const prompted = config?.task === 'complete' && config.columns.completion !== undefined
  return [{ text: input + (prompted ? (config.separator ?? '') : ''), trained: false }]
}

/**
 * Ids of pieces, and which of them are trained. A chat template's text is tokenised as one, as `transformers` does, and
 * begins with what the template wrote; other texts begin with the tokenizer's own first tokens (BOS), untrained.
 */
export function encodePieces(
  tokenizer: TextTokenizer,
  pieces: Piece[],
  chat: boolean,
): { ids: number[]; trained: boolean[] } {
  if (chat && tokenizer.hasChatTemplate) return encodeAsOne(tokenizer, pieces)
  const ids = [...tokenizer.prefixIds]
  const trained = ids.map(() => false)
  /** What was written since the last end token. */
  let text = ''
  let since: number[] = []
  for (const piece of pieces) {
    const fresh = continuation(tokenizer, text, since, piece.text)
    text += piece.text
    since = [...since, ...fresh]
    if (piece.end && tokenizer.eosId !== null) {
      fresh.push(tokenizer.eosId)
      text = ''
      since = []
    }
    for (const id of fresh) {
      ids.push(id)
      trained.push(piece.trained)
    }
  }
  return { ids, trained }
}

/**
 * Ids of a text that goes on from another. They are those of both together, as TRL has them, unless a token would reach
 * over the seam: a prompt is tokenised before its answer exists, so then the text is tokenised on its own.
 */
function continuation(tokenizer: TextTokenizer, before: string, beforeIds: number[], text: string): number[] {
  if (before === '') return plain(tokenizer, text)
  const together = plain(tokenizer, before + text)
  if (startsWith(together, beforeIds)) return together.slice(beforeIds.length)
  const alone = plain(tokenizer, text)
  if (!tokenizer.prependsSpace) return alone
  // A line end takes the space that SentencePiece puts first, and no token of its own joins what follows it.
  const lineEnd = plain(tokenizer, '\n')
  const after = plain(tokenizer, `\n${text}`)
  return startsWith(after, lineEnd) ? after.slice(lineEnd.length) : alone
}

function encodeAsOne(tokenizer: TextTokenizer, pieces: Piece[]): { ids: number[]; trained: boolean[] } {
  const text = pieces.map((piece) => piece.text).join('')
  const ids = plain(tokenizer, text)
  const parts = pieces.map((piece) => plain(tokenizer, piece.text))
  const trained = ids.map(() => false)
  const apart = parts.flat()
  const seams = apart.length === ids.length && startsWith(ids, apart)
  let chars = 0
  let begin = 0
  for (const [index, piece] of pieces.entries()) {
    chars += piece.text.length
    const end = seams ? begin + parts[index]!.length : seam(tokenizer, ids, text, chars, piece.trained)
    if (piece.trained) trained.fill(true, begin, end)
    begin = end
  }
  return { ids, trained }
}

/**
 * The first token after character `at`. A token that reaches over it belongs to the trained side, as in transformers'
 * assistant mask; that side ends with it, or begins with it.
 */
function seam(
  tokenizer: TextTokenizer,
  ids: number[],
  text: string,
  at: number,
  trainedBefore: boolean,
): number {
  if (at === text.length) return ids.length
  const before = plain(tokenizer, text.slice(0, at))
  let token = 0
  while (token < before.length && before[token] === ids[token]) token++
  if (token === before.length) return token
  const first = token
  /** Characters that tokens write, from the first one that differs. */
  const written = (all: number[], count: number) =>
    length(tokenizer, all.slice(0, count)) - length(tokenizer, all.slice(0, first))
  const left = written(before, before.length)
  while (token < ids.length && (trainedBefore ? written(ids, token) < left : written(ids, token + 1) <= left))
    token++
  return token
}

function length(tokenizer: TextTokenizer, ids: number[]): number {
  return tokenizer.decode(ids, { special: true, exact: true }).length
}

function plain(tokenizer: TextTokenizer, text: string): number[] {
  return tokenizer.encode(text, { special: false })
}

function startsWith(ids: readonly number[], begin: readonly number[]): boolean {
  return begin.length <= ids.length && begin.every((id, i) => id === ids[i])
}

function plainPieces(messages: Message[], from: number): Piece[] {
  return messages.map(({ role, content }, index) => {
    if (role === 'assistant') return { text: content, trained: index >= from, end: true }
    return { text: role === 'user' ? plainPrompt(content) : `${content}\n\n`, trained: false }
  })
}

/** Renders messages; where the template has no system role, its text goes before the first question. */
function accepted<T>(messages: Message[], render: (messages: Message[], dropped: number) => T): T {
  try {
    return render(messages, 0)
  } catch (thrown) {
    const folded = asGraftError(thrown).code === 'E_DATASET' ? foldSystem(messages) : null
    if (!folded) throw thrown
    return render(folded, 1)
  }
}
