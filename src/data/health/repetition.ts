// Excessive repetition, by the rules of Gopher (Rae et al. 2021, appendix A.1.1) for longer texts, and runs of one
// character or one word in any.
import { mix } from './hash.ts'
import { excerpt } from './say.ts'

/** The same letter or sign so often in a row; lines of dashes, dots and the like are ornaments up to 60. */
const CHARACTER_RUN = /([\p{L}\p{N}!?¿¡*#@%&$€])\1{7,}|([-=_.~+ ])\2{60,}/u
const WORD_RUN = 5
/** Phrases are looked at in texts from this many words. */
const LONG = 20
/** Most that the commonest phrase of n words may cover of the words (Gopher: 0.20, 0.18, 0.16 for 2, 3, 4). */
const SHARES: readonly [n: number, share: number][] = [
  [2, 0.2],
  [3, 0.18],
  [4, 0.16],
]
/** Fewer than this is style. */
const PHRASE_TIMES = 4
/** Words of a long text that are looked at. */
const WORDS_LIMIT = 4000

/** What repeats, or null; `row` has the text's words and a hash of each. */
export function repeated(
  text: string,
  row: { readonly words: readonly string[]; readonly hashes: Uint32Array },
): string | null {
  const run = CHARACTER_RUN.exec(text)
  if (run) return `“${run[0][0]}” ${run[0].length} times`
  const all = row.words
  let length = 1
  for (let i = 1; i < all.length; i++) {
    length = all[i] === all[i - 1] ? length + 1 : 1
    if (length === WORD_RUN) return `“${all[i]!}” ${WORD_RUN} times or more in a row`
  }
  if (all.length < LONG) return null
  const some = all.slice(0, WORDS_LIMIT)
  for (const [n, share] of SHARES) {
    // Hardly any text goes on from here, so phrases are counted by hashes first, which can only be too many.
    if (!mayRepeat(row.hashes.subarray(0, some.length), n, share)) continue
    const counts = new Map<string, number>()
    for (let i = 0; i + n <= some.length; i++) {
      const phrase = some.slice(i, i + n).join(' ')
      counts.set(phrase, (counts.get(phrase) ?? 0) + 1)
    }
    for (const [phrase, times] of counts)
      if (times >= PHRASE_TIMES && (times * n) / some.length > share)
        return `“${excerpt(phrase, 40)}” ${times} times`
  }
  return null
}

/** How often each phrase occurs, by a hash of it; at most half full, and used again for every text. */
const keys = new Uint32Array(2 ** Math.ceil(Math.log2(2 * WORDS_LIMIT)))
const counts = new Uint16Array(keys.length)

/** Whether some phrase of n words may be as frequent as makes a text repetitive. */
function mayRepeat(hashes: Uint32Array, n: number, share: number): boolean {
  const mask = 2 ** Math.ceil(Math.log2(2 * hashes.length)) - 1
  counts.fill(0, 0, mask + 1)
  for (let from = 0; from + n <= hashes.length; from++) {
    let hash = 0
    for (let i = from; i < from + n; i++) hash = mix((Math.imul(hash, 31) + hashes[i]!) | 0)
    let at = hash & mask
    while (counts[at] !== 0 && keys[at] !== hash) at = (at + 1) & mask
    keys[at] = hash
    const times = ++counts[at]!
    if (times >= PHRASE_TIMES && (times * n) / hashes.length > share) return true
  }
  return false
}
