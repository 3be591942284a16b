// Words that may stand in the place of others: tokens of the vocabulary that are a whole word, of the same kind as the one
// that goes. A vocabulary cannot tell a word from its beginning ("cha"), so of a run those are taken that stand as words in
// its training rows.
import { unitsOf } from '../../../src/core/explain/units.ts'
import type { Unit } from '../../../src/protocol/explain.ts'
import type { ResolvedTarget } from '../targets.ts'
import type { Desk } from './desk.ts'
import { drawRows } from './rowStates.ts'

/** Rows whose words are taken. */
const ROWS = 1000
/** With fewer words of its own rows, a run's whole vocabulary is looked through. */
const FEWEST = 50

const WORD = /^\s?\p{L}{2,}$|^\s?[aAI]$/u
const CAPITAL = /^\s?\p{Lu}/u
const SPACE = /^\s/
const LETTERS = /^\s?[\p{L}'’-]+$/u
const LETTER_LAST = /\p{L}$/u

export interface WordList {
  /** Words of the kind of each unit: after a space or at the beginning of a text, in capitals or not. */
  of(unit: Unit): Int32Array
  count: number
  fromRows: boolean
}

export async function wordList(
  desk: Desk,
  resolved: ResolvedTarget,
  tokens: readonly string[],
): Promise<WordList> {
  const { tokenizer, model } = resolved.base
  const seen = await wordsOfRows(desk, resolved)
  const all: { id: number; text: string }[] = []
  const spaced = new Set<string>()
  for (let id = 0; id <= tokenizer.largestId && id < model.architecture.vocab; id++) {
    if (tokenizer.isSpecial(id)) continue
    const text = tokenizer.tokens([id])[0]!
    if (!WORD.test(text)) continue
    all.push({ id, text })
    if (SPACE.test(text)) spaced.add(text.trim())
  }
  // The first word of a text has no space before it; such a token that is no word after one is the end of others.
  const whole = all.filter(({ text }) => SPACE.test(text) || spaced.has(text))
  const known = whole.filter(({ text }) => seen?.has(text.trim()))
  const fromRows = known.length >= FEWEST
  const words = fromRows ? known : whole
  const kinds = new Map<string, Int32Array>()
  const kindOf = (text: string) => `${SPACE.test(text)} ${CAPITAL.test(text)}`
  for (const kind of new Set(words.map(({ text }) => kindOf(text))))
    kinds.set(
      kind,
      Int32Array.from(
        words.filter(({ text }) => kindOf(text) === kind),
        ({ id }) => id,
      ),
    )
  const none = new Int32Array(0)
  return {
    of({ from, to }) {
      const text = tokens.slice(from, to).join('')
      const goesOn = !SPACE.test(text) && LETTER_LAST.test(from > 0 ? tokens[from - 1]! : '')
      // Punctuation and numbers stay what they are.
      return LETTERS.test(text) && !goesOn ? (kinds.get(kindOf(text)) ?? none) : none
    },
    count: words.length,
    fromRows,
  }
}

/** Words that are one token in the training rows of a run; null for a base. */
async function wordsOfRows(desk: Desk, resolved: ResolvedTarget): Promise<Set<string> | null> {
  const dataset = resolved.run?.config.dataset
  if (dataset === undefined || !(await desk.store.main.datasets.get(dataset))?.split) return null
  const { tokenizer } = resolved.base
  const { examples } = await drawRows(desk, resolved, { dataset, rows: ROWS, seed: 0 })
  const words = new Set<string>()
  for (const { ids } of examples) {
    const fixed = Uint8Array.from(ids, (id) => Number(tokenizer.isSpecial(id)))
    for (const { text, from, to } of unitsOf(tokenizer.tokens(ids), fixed, 'word'))
      if (to - from === 1) words.add(text)
  }
  return words
}
