// Ways to vary a text and keep its meaning: random deletion, swap, insertion and synonyms after EDA (Wei & Zou 2019, "Easy Data
// Augmentation Techniques"), typing slips, noise in case and punctuation, and wrappings by template. Each gives null where a
// text offers nothing to vary.
import type { Augmentation } from '../../protocol/recipe.ts'
import type { Draw } from '../recipe/draw.ts'
import { NEIGHBOURS } from './keyboard.ts'
import { SYNONYMS } from './lexicon.ts'
import { coreOf, inCaseOf, textOf, wordsOf } from './words.ts'

/** @param strength share of the words, or characters, that change */
export type Vary = (text: string, strength: number, draw: Draw) => string | null

/** Wrappings for `paraphrase` where the step has none; they suit requests and questions in English. */
export const TEMPLATES: readonly string[] = [
  'Hello, {text}',
  'Hi there. {text}',
  'Quick question: {text}',
  '{text} Thank you.',
  '{text} Any help is appreciated.',
  'I would like to know: {text}',
  'Please help: {text}',
  'Here is my message: {text}',
]

export const METHODS: Record<Exclude<Augmentation, 'paraphrase'>, Vary> = {
  delete: deleteWords,
  swap: swapWords,
  insert: insertSynonyms,
  synonym: replaceBySynonyms,
  typo: slips,
  noise,
}

/** The text inside one of the templates. */
export function paraphrase(templates: readonly string[]): Vary {
  return (text, _strength, draw) => draw.one(templates).replaceAll('{text}', () => text.trim())
}

/** How many of `count` change: at least one, never all. */
function amount(count: number, strength: number): number {
  return Math.min(count - 1, Math.max(1, Math.round(count * strength)))
}

/** `count` different places of `length`, in a random order. */
function places(length: number, count: number, draw: Draw): number[] {
  const left = Array.from({ length }, (_, i) => i)
  return Array.from({ length: Math.min(length, count) }, () => left.splice(draw.below(left.length), 1)[0]!)
}

/** Words without a letter or digit, negations and numbers carry too much to be lost. */
const KEPT = /\d|^\P{L}+$|^(no|not|never|none|nor|nothing|without|cannot|n't)$|n['\u2019]t$/iu

function deleteWords(text: string, strength: number, draw: Draw): string | null {
  const { words, gaps } = wordsOf(text)
  const loose = words.flatMap((word, i) => (KEPT.test(coreOf(word).core || word) ? [] : [i]))
  if (words.length < 3 || loose.length === 0) return null
  const gone = new Set(
    places(loose.length, amount(words.length, strength), draw).map((place) => loose[place]!),
  )
  const kept = words.flatMap((_, i) => (gone.has(i) ? [] : [i]))
  if (kept.length === 0) return null
  // A word goes with the white space before it; the first one that stays keeps the text's beginning.
  return kept.map((i, n) => (n === 0 ? gaps[0]! : gaps[i]!) + words[i]!).join('') + gaps.at(-1)!
}

function swapWords(text: string, strength: number, draw: Draw): string | null {
  const { words, gaps } = wordsOf(text)
  if (words.length < 3) return null
  for (let n = amount(words.length, strength / 2); n > 0; n--) {
    const [a, b] = places(words.length, 2, draw) as [number, number]
    ;[words[a], words[b]] = [words[b]!, words[a]!]
  }
  return textOf({ words, gaps })
}

/** Places of words that have synonyms. */
function known(words: readonly string[]): number[] {
  return words.flatMap((word, i) => (SYNONYMS.has(coreOf(word).core.toLowerCase()) ? [i] : []))
}

function synonymOf(word: string, draw: Draw): string {
  const { before, core, after } = coreOf(word)
  return before + inCaseOf(draw.one(SYNONYMS.get(core.toLowerCase())!), core) + after
}

function replaceBySynonyms(text: string, strength: number, draw: Draw): string | null {
  const { words, gaps } = wordsOf(text)
  const candidates = known(words)
  if (candidates.length === 0) return null
  const count = Math.max(1, Math.round(words.length * strength))
  for (const place of places(candidates.length, count, draw)) {
    const at = candidates[place]!
    words[at] = synonymOf(words[at]!, draw)
  }
  return textOf({ words, gaps })
}

function insertSynonyms(text: string, strength: number, draw: Draw): string | null {
  const { words, gaps } = wordsOf(text)
  const candidates = known(words)
  if (candidates.length === 0) return null
  const found = places(candidates.length, Math.max(1, Math.round(words.length * strength)), draw).map(
    (place) => coreOf(synonymOf(words[candidates[place]!]!, draw)).core.toLowerCase(),
  )
  for (const word of found) {
    const at = draw.below(words.length + 1)
    words.splice(at, 0, word)
    // The new word takes the place's white space, and a space stands where two words met.
    if (at === words.length - 1) gaps.splice(at, 0, gaps[at] === '' || at > 0 ? ' ' : gaps[at]!)
    else gaps.splice(at + 1, 0, ' ')
  }
  return textOf({ words, gaps })
}

function slips(text: string, strength: number, draw: Draw): string | null {
  const characters = Array.from(text)
  const letters = characters.flatMap((char, i) => (NEIGHBOURS.has(char.toLowerCase()) ? [i] : []))
  if (letters.length < 2) return null
  // A tenth of the letters is a hard text to read already: a slip is rarer than another word.
  for (const place of places(letters.length, amount(letters.length, strength / 3), draw)) {
    const at = letters[place]!
    const char = characters[at]!
    const other = inCaseOf(draw.one([...NEIGHBOURS.get(char.toLowerCase())!]), char)
    switch (draw.below(4)) {
      case 0:
        characters[at] = ''
        break
      case 1:
        characters[at] = char + char
        break
      case 2:
        characters[at] = char + other.toLowerCase()
        break
      default:
        characters[at] = other
    }
  }
  return characters.join('')
}

function noise(text: string, strength: number, draw: Draw): string | null {
  const ways = [
    (value: string) => value.toLowerCase(),
    (value: string) => value.replace(/[.!?…]+(\s*)$/u, '$1'),
    (value: string) =>
      value.replace(
        /[.!?]?(\s*)$/u,
        (_end, space: string) => draw.one(['!', '!!', '...', ' ?', '.']) + space,
      ),
    (value: string) => value.replace(/[,;]/g, ''),
    (value: string) => value.replace(/['\u2019]/g, ''),
    (value: string) => {
      const { words, gaps } = wordsOf(value)
      for (const at of places(words.length, Math.max(1, Math.round(words.length * strength)), draw))
        words[at] = words[at]!.toUpperCase()
      return textOf({ words, gaps })
    },
  ]
  // The first way, from a random one on, that changes anything.
  const start = draw.below(ways.length)
  for (let i = 0; i < ways.length; i++) {
    const varied = ways[(start + i) % ways.length]!(text)
    if (varied !== text) return varied
  }
  return null
}
