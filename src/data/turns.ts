// Where the answers of a conversation are in the text that a chat template makes of it. Templates are programs: some mark
// the model's words themselves, most only write headers, some write earlier answers shorter than they were given.
import type { Message } from '../protocol/target.ts'
import type { MarkedText } from './chatTemplate.ts'
import type { TextTokenizer } from './tokenizer.ts'

type Span = [begin: number, end: number]

/** The rendered conversation, and the answers from message `from` on, each with its terminator. */
export function answerStretches(tokenizer: TextTokenizer, messages: Message[], from: number): MarkedText {
  const marked = tokenizer.renderMarked(messages)
  if (marked) return { text: marked.text, spans: laterSpans(tokenizer, messages, from, marked) }
  const text = tokenizer.renderChat(messages, false)
  const answers = messages.flatMap(({ role }, index) => (role === 'assistant' ? [index] : []))
  let byHeader: (Span | null)[] | null = null
  const spans: Span[] = []
  for (const [nth, index] of answers.entries()) {
    if (index < from) continue
    const span =
      spanByPrefix(tokenizer, messages, index, text) ??
      (byHeader ??= spansByHeader(tokenizer, messages, answers, text))[nth]
    if (span && span[0] >= (spans.at(-1)?.[1] ?? 0)) spans.push(span)
  }
  return { text, spans }
}

/** Of what the template marks, that which belongs to message `from` and later ones. */
function laterSpans(
  tokenizer: TextTokenizer,
  messages: Message[],
  from: number,
  { text, spans }: MarkedText,
): Span[] {
  if (!messages.slice(0, from).some(({ role }) => role === 'assistant')) return spans
  const before = renderOrNull(tokenizer, messages.slice(0, from), false)
  if (before !== null && text.startsWith(before)) return spans.filter(([begin]) => begin >= before.length)
  // The template writes earlier turns otherwise once there are later ones: counted from the end.
  const later = messages.slice(from).filter(({ role }) => role === 'assistant').length
  return spans.slice(Math.max(0, spans.length - later))
}

/** An answer by what the template writes up to it and through it; null if it writes that otherwise in the whole. */
function spanByPrefix(
  tokenizer: TextTokenizer,
  messages: Message[],
  index: number,
  text: string,
): Span | null {
  // Rendering is most of the work of an example, so nothing is rendered twice or without need.
  const whole = index === messages.length - 1
  const through = whole ? text : renderOrNull(tokenizer, messages.slice(0, index + 1), false)
  if (through === null || !text.startsWith(through)) return null
  const openingFor = (prompt: boolean): string | null => {
    const candidate = renderOrNull(tokenizer, messages.slice(0, index), prompt)
    return candidate !== null && through.startsWith(candidate) ? candidate : null
  }
  const opening = openingFor(true) ?? openingFor(false)
  if (opening === null) return null
  return spanAfter(tokenizer, through, opening.length, messages[index]!.content, false)
}

/** Answers by the header that the template puts before each; none if there are more or fewer headers than answers. */
function spansByHeader(
  tokenizer: TextTokenizer,
  messages: Message[],
  answers: number[],
  text: string,
): (Span | null)[] {
  const before = messages.slice(0, answers[0])
  const closed = renderOrNull(tokenizer, before, false)
  const open = renderOrNull(tokenizer, before, true)
  if (closed === null || open === null || open.length <= closed.length || !open.startsWith(closed)) return []
  const header = open.slice(closed.length)
  const starts: number[] = []
  for (let at = text.indexOf(header); at >= 0; at = text.indexOf(header, at + header.length))
    starts.push(at + header.length)
  if (starts.length !== answers.length) return []
  return starts.map((start, nth) => {
    const next = starts[nth + 1]
    const upTo = next === undefined ? text : text.slice(0, next - header.length)
    return spanAfter(tokenizer, upTo, start, messages[answers[nth]!]!.content, next !== undefined)
  })
}

/**
 * The answer that begins at `begin`, with its terminator; null if the template left out a part of it (earlier thinking).
 * `text` ends with the turn, or, where `more` says so, goes on with others.
 */
function spanAfter(
  tokenizer: TextTokenizer,
  text: string,
  begin: number,
  given: string,
  more: boolean,
): Span | null {
  const ends = tokenizer.tokens(tokenizer.endIds).filter((end) => end !== '')
  const content = given.trim()
  const found = text.indexOf(content, begin)
  // Beyond the end of this answer it is another turn that says the same.
  if (found < 0 || found > Math.min(...ends.map((end) => positionOf(text, end, begin)))) return null
  const after = found + content.length
  const terminator = Math.min(...ends.map((end) => positionOf(text, end, after) + end.length))
  return [begin, Number.isFinite(terminator) ? terminator : more ? after : text.length]
}

function positionOf(text: string, part: string, from: number): number {
  const at = text.indexOf(part, from)
  return at < 0 ? Infinity : at
}

function renderOrNull(tokenizer: TextTokenizer, messages: Message[], prompt: boolean): string | null {
  try {
    return tokenizer.renderChat(messages, prompt)
  } catch {
    return null
  }
}
