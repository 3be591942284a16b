// Cutting text at the matches of a pattern, with the five behaviours of `tokenizers` for what was matched.
import { unsupported } from './json.ts'

/** A piece of the text; `first` where it begins at the very start of the input (Metaspace may ask). */
export interface Piece {
  text: string
  first: boolean
}

export type Behaviour = 'removed' | 'isolated' | 'mergedwithprevious' | 'mergedwithnext' | 'contiguous'
const BEHAVIOURS: readonly string[] = [
  'removed',
  'isolated',
  'mergedwithprevious',
  'mergedwithnext',
  'contiguous',
] satisfies Behaviour[]

export function behaviourOf(value: unknown): Behaviour {
  const name = typeof value === 'string' ? value.toLowerCase().replaceAll('_', '') : ''
  if (!BEHAVIOURS.includes(name)) throw unsupported(`it splits in the unknown way ${JSON.stringify(value)}`)
  return name as Behaviour
}

interface Span {
  start: number
  end: number
  match: boolean
}

/** Cuts a piece. `invert` swaps what matches and what does not. `pattern` must be global. */
export function split(piece: Piece, pattern: RegExp, behaviour: Behaviour, invert = false): Piece[] {
  const { text, first } = piece
  const spans = spansOf(text, pattern)
  if (invert) for (const span of spans) span.match = !span.match
  return joined(spans, behaviour)
    .filter(({ start, end }) => end > start)
    .map(({ start, end }) => ({ text: text.slice(start, end), first: first && start === 0 }))
}

function spansOf(text: string, pattern: RegExp): Span[] {
  const spans: Span[] = []
  let at = 0
  for (const { 0: found, index } of text.matchAll(pattern)) {
    if (index > at) spans.push({ start: at, end: index, match: false })
    at = index + found.length
    spans.push({ start: index, end: at, match: true })
  }
  if (at < text.length) spans.push({ start: at, end: text.length, match: false })
  return spans
}

function joined(spans: Span[], behaviour: Behaviour): Span[] {
  const out: Span[] = []
  switch (behaviour) {
    case 'isolated':
      return spans
    case 'removed':
      return spans.filter(({ match }) => !match)
    case 'contiguous':
      for (const span of spans) {
        const last = out.at(-1)
        if (last?.match === span.match) last.end = span.end
        else out.push({ ...span })
      }
      return out
    case 'mergedwithprevious': {
      let afterMatch = false
      for (const span of spans) {
        const last = out.at(-1)
        if (span.match && !afterMatch && last) last.end = span.end
        else out.push({ ...span })
        afterMatch = span.match
      }
      return out
    }
    case 'mergedwithnext': {
      let beforeMatch = false
      for (const span of [...spans].reverse()) {
        const last = out.at(-1)
        if (span.match && !beforeMatch && last) last.start = span.start
        else out.push({ ...span })
        beforeMatch = span.match
      }
      return out.reverse()
    }
    default:
      return behaviour satisfies never
  }
}
