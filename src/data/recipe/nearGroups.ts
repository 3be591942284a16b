// Rows that say almost the same, as groups: candidates by MinHash, each pair verified by the true Jaccard similarity of its
// word shingles, and pairs joined into groups. Used to keep one row of each, and to keep a group on one side of a split.
import { GraftError } from '../../protocol/errors.ts'
import {
  bandingFor,
  candidatePairs,
  jaccard,
  leftOf,
  MinHasher,
  pairBatches,
  rightOf,
  shingles,
} from '../health/minhash.ts'
import { words } from '../health/words.ts'
import { eachRow, type Flow, type StepContext } from './flow.ts'
import { joined, RowKeys } from './rowKeys.ts'

export const DEFAULT_THRESHOLD = 0.8
/** Words in a shingle, where nothing else is asked for. */
export const DEFAULT_SHINGLE = 3
/** Rows that can be compared; candidatePairs puts two of them into one number. */
const ROWS_LIMIT = 2 ** 21
/** Shingles held at a time while pairs are verified: 64 MB. */
const SHINGLES_HELD = 16_000_000

/**
 * The group of each row, numbered from 0 in the order of their first rows; a row like no other is a group of its own.
 * Texts whose words are equal are alike, whatever the threshold. Throws E_LIMIT and E_ABORTED.
 */
export async function nearGroups(
  input: Flow,
  places: readonly number[],
  threshold: number,
  context: Pick<StepContext, 'checkpoint' | 'seed'>,
  shingle = DEFAULT_SHINGLE,
): Promise<Uint32Array> {
  const hasher = new MinHasher(bandingFor(threshold), context.seed)
  const { bands } = hasher.banding
  const texts = new RowKeys()
  /** The text of each row; rows with the same words have the same. */
  const textOfRow: number[] = []
  const sizes: number[] = []
  let keys = new Uint32Array(1024 * bands)
  const wordsIn = (cells: readonly string[]): string[] => words(joined(cells, places))
  await eachRow(input, context, ({ cells }) => {
    const found = wordsIn(cells)
    const before = texts.size
    const text = texts.number(found.length > 0 ? found.join(' ') : joined(cells, places))
    textOfRow.push(text)
    if (text < before) return
    if (text >= ROWS_LIMIT)
      throw new GraftError(
        'E_LIMIT',
        `Near-duplicates can be looked for among ${ROWS_LIMIT} different texts at most.`,
      )
    const set = shingles(found, shingle)
    sizes.push(set.length)
    if (keys.length < (text + 1) * bands) {
      const larger = new Uint32Array(keys.length * 2)
      larger.set(keys)
      keys = larger
    }
    keys.set(hasher.keys(set), text * bands)
  })

  const { pairs } = await candidatePairs(
    keys.subarray(0, texts.size * bands),
    bands,
    (text) => sizes[text]! > 0,
    () => Promise.resolve(context.checkpoint()),
  )
  const sets = new Groups(texts.size)
  for (const batch of pairBatches(pairs, sizes, threshold, SHINGLES_HELD)) {
    const wanted = new Set<number>()
    for (const pair of batch) wanted.add(leftOf(pair)).add(rightOf(pair))
    const held = new Map<number, Uint32Array>()
    await eachRow(input, context, ({ cells }, index) => {
      const text = textOfRow[index]!
      if (wanted.has(text) && !held.has(text)) held.set(text, shingles(wordsIn(cells), shingle))
    })
    for (const pair of batch)
      if (jaccard(held.get(leftOf(pair))!, held.get(rightOf(pair))!) >= threshold)
        sets.join(leftOf(pair), rightOf(pair))
  }
  return sets.numbered(textOfRow)
}

/** Union-find, with the smallest member as the root of each group. */
class Groups {
  readonly #parents: Uint32Array

  constructor(count: number) {
    this.#parents = Uint32Array.from({ length: count }, (_, i) => i)
  }

  join(a: number, b: number): void {
    const left = this.#root(a)
    const right = this.#root(b)
    this.#parents[Math.max(left, right)] = Math.min(left, right)
  }

  numbered(members: readonly number[]): Uint32Array {
    const numbers = new Map<number, number>()
    return Uint32Array.from(members, (member) => {
      const root = this.#root(member)
      const number = numbers.get(root) ?? numbers.size
      numbers.set(root, number)
      return number
    })
  }

  #root(of: number): number {
    const parents = this.#parents
    let at = of
    while (parents[at] !== at) at = parents[at] = parents[parents[at]!]!
    return at
  }
}
