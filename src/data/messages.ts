// Conversations in a cell: OpenAI's messages ({ role, content }) or ShareGPT's conversations ({ from, value }), as JSON.
import { GraftError } from '../protocol/errors.ts'
import type { Message } from '../protocol/target.ts'

/** What ShareGPT's exports and their relatives call the two sides. */
const ROLES: Record<string, string> = {
  human: 'user',
  prompter: 'user',
  gpt: 'assistant',
  chatgpt: 'assistant',
  bing: 'assistant',
  bard: 'assistant',
}

/** The messages of a cell. Throws E_DATASET with what is wrong. */
export function parseMessages(cell: string): Message[] {
  let value: unknown
  try {
    value = JSON.parse(cell)
  } catch {
    throw wrong('it is not JSON')
  }
  if (isObject(value)) value = value.messages ?? value.conversations ?? value.conversation
  if (!Array.isArray(value) || value.length === 0) throw wrong('it is not a list of messages')
  return value.map((item, index) => {
    if (!isObject(item)) throw wrong(`message ${index + 1} is not an object`)
    const role = item.role ?? item.from
    const content = textOf(item.content ?? item.value)
    if (typeof role !== 'string') throw wrong(`message ${index + 1} has no role`)
    if (content === null)
      throw wrong(
        `message ${index + 1} has ${'tool_calls' in item ? 'a tool call in place of a text' : 'no text'}`,
      )
    return { role: Object.hasOwn(ROLES, role) ? ROLES[role]! : role, content }
  })
}

/** Whether a cell holds a conversation. */
export function isConversation(cell: string): boolean {
  try {
    parseMessages(cell)
    return true
  } catch {
    return false
  }
}

/** A conversation that begins with a system message: its own, else the one given. */
export function withSystem(system: string, messages: Message[]): Message[] {
  if (system.trim() === '' || messages[0]?.role === 'system') return messages
  return [{ role: 'system', content: system }, ...messages]
}

/** The same without a system message, its text before the first question: for templates that refuse the role. */
export function foldSystem(messages: Message[]): Message[] | null {
  const [first, second, ...rest] = messages
  if (first?.role !== 'system' || second?.role !== 'user') return null
  return [{ role: 'user', content: `${first.content}\n\n${second.content}` }, ...rest]
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
