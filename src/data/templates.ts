// The text a model sees, in pieces: what is given and what it learns to write. Training examples and prompts are made by
// the same functions, so that a model is asked exactly as it was taught.
import type { TaskConfig } from '../protocol/data.ts'
import type { Message } from '../protocol/target.ts'
import type { TextTokenizer } from './tokenizer.ts'

/** A stretch of text; pieces are tokenised one by one, because a prompt is tokenised before its answer exists. */
export interface Piece {
  text: string
  /** Whether the model is taught to write it. */
  trained: boolean
  /** The end token follows the text. */
  end?: boolean
}

/** For models without a chat template: the plain form of Alpaca. */
const plainPrompt = (prompt: string): string => `### Instruction:\n${prompt}\n\n### Response:\n`

/** A conversation in pieces; the answers, each with its terminator, are trained. */
export function chatPieces(tokenizer: TextTokenizer, messages: Message[]): Piece[] {
  return tokenizer.hasChatTemplate ? templatePieces(tokenizer, messages) : plainPieces(messages)
}

/** What stands before an answer: the conversation so far, and the template's opening of an answer. */
export function chatPrompt(tokenizer: TextTokenizer, messages: Message[]): Piece[] {
  if (tokenizer.hasChatTemplate) return [{ text: tokenizer.renderChat(messages, true), trained: false }]
  return plainPieces(messages).map((piece) => ({ ...piece, trained: false }))
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
  return {
    text,
    ids: [...openingIds(tokenizer, chat), ...pieces.flatMap((piece) => pieceIds(tokenizer, piece))],
  }
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

/** Ids of a piece, with the end token where it has one. */
export function pieceIds(tokenizer: TextTokenizer, piece: Piece): number[] {
  const ids = tokenizer.encode(piece.text, { special: false })
  if (piece.end && tokenizer.eosId !== null) ids.push(tokenizer.eosId)
  return ids
}

/** What goes before the first piece: the BOS of the tokenizer, unless a chat template writes its own. */
export function openingIds(tokenizer: TextTokenizer, chat: boolean): number[] {
  return chat && tokenizer.hasChatTemplate ? [] : tokenizer.prefixIds
}

function plainPieces(messages: Message[]): Piece[] {
  return messages.map(({ role, content }) => {
    if (role === 'assistant') return { text: content, trained: true, end: true }
    return { text: role === 'user' ? plainPrompt(content) : `${content}\n\n`, trained: false }
  })
}

/** Cuts the rendered conversation where each answer begins and ends. */
function templatePieces(tokenizer: TextTokenizer, messages: Message[]): Piece[] {
  const whole = tokenizer.renderChat(messages, false)
  const answers = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []))
  const last = answers.at(-1)
  if (last === undefined) return [{ text: whole, trained: false }]

  const stretches = answers.map((index) => stretchOf(tokenizer, messages, index, whole))
  // Some templates rewrite earlier answers once there are later ones (they drop the thinking): then only the last answer
  // stands as the model would have written it.
  const usable = stretches.every((stretch) => stretch !== null) ? stretches : stretches.slice(-1)

  const pieces: Piece[] = []
  let at = 0
  for (const stretch of usable) {
    if (stretch === null || stretch.begin < at) continue
    pieces.push({ text: whole.slice(at, stretch.begin), trained: false })
    pieces.push({ text: whole.slice(stretch.begin, stretch.end), trained: true })
    at = stretch.end
  }
  if (at < whole.length) pieces.push({ text: whole.slice(at), trained: false })
  return pieces.filter((piece) => piece.text.length > 0)
}

/** Where an answer (with its terminator) is in the rendered conversation, or null if the template moved it. */
function stretchOf(
  tokenizer: TextTokenizer,
  messages: Message[],
  index: number,
  whole: string,
): { begin: number; end: number } | null {
  const before = messages.slice(0, index)
  const through = tokenizer.renderChat(messages.slice(0, index + 1), false)
  if (!whole.startsWith(through)) return null
  const opening = [true, false]
    .map((prompt) => renderOrNull(tokenizer, before, prompt))
    .find((text) => text !== null && through.startsWith(text))
  if (opening === undefined || opening === null) return null
  const content = messages[index]!.content.trim()
  const textEnd = through.indexOf(content, opening.length) + content.length
  if (textEnd < opening.length + content.length) return null
  return { begin: opening.length, end: textEnd + terminatorLength(tokenizer, through.slice(textEnd)) }
}

function renderOrNull(tokenizer: TextTokenizer, messages: Message[], prompt: boolean): string | null {
  try {
    return tokenizer.renderChat(messages, prompt)
  } catch {
    return null
  }
}

/** Length of what ends an answer: up to and with the first end token, else everything the template put after it. */
function terminatorLength(tokenizer: TextTokenizer, rest: string): number {
  const ends = tokenizer
    .tokens(tokenizer.endIds)
    .map((token) => (rest.includes(token) ? rest.indexOf(token) + token.length : Infinity))
  return Math.min(rest.length, ...ends)
}
