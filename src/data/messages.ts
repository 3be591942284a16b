// Conversations in a cell: OpenAI's messages ({ role, content }) or ShareGPT's conversations ({ from, value }), as JSON.
import { GraftError } from '../protocol/errors.ts'
import type { Message } from '../protocol/target.ts'

const SHAREGPT_ROLES: Record<string, string> = { human: 'user', gpt: 'assistant' }

/** The messages of a cell. Throws E_DATASET with what is wrong. */
export function parseMessages(cell: string): Message[] {
  let value: unknown
  try {
    value = JSON.parse(cell)
  } catch {
    throw wrong('it is not JSON')
  }
  if (isObject(value)) value = value.messages ?? value.conversations
  if (!Array.isArray(value) || value.length === 0) throw wrong('it is not a list of messages')
  return value.map((item, index) => {
    if (!isObject(item)) throw wrong(`message ${index + 1} is not an object`)
    const role = item.role ?? item.from
    const content = textOf(item.content ?? item.value)
    if (typeof role !== 'string') throw wrong(`message ${index + 1} has no role`)
    if (content === null) throw wrong(`message ${index + 1} has no text`)
    return { role: SHAREGPT_ROLES[role] ?? role, content }
  })
}

/** A message's text; OpenAI also has lists of parts. */
function textOf(content: unknown): string | null {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) return null
  const texts = content.map((part: unknown) =>
    isObject(part) && part.type === 'text' && typeof part.text === 'string' ? part.text : null,
  )
  return texts.includes(null) ? null : texts.join('')
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrong(what: string): GraftError {
  return new GraftError(
    'E_DATASET',
    `A conversation cannot be read: ${what}. Expected is a list like [{"role": "user", "content": "..."}].`,
  )
}
