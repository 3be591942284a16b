// Rows that say almost the same, as groups: pairs that are alike (health/alikeTexts.ts: candidates by MinHash, each verified by
// the true Jaccard similarity of its word shingles) joined into groups. Used to keep one row of each, and to keep a group
// on one side of a split.
import { GraftError } from '../../protocol/errors.ts'
import { NEAR_SHINGLE } from '../../protocol/health.ts'
import { AlikeTexts } from '../health/alikeTexts.ts'
import { TEXTS_LIMIT } from '../health/buckets.ts'
import { hashesOf } from '../health/hash.ts'
import { words } from '../health/words.ts'
import { eachRow, type Flow, type FlowRow, type StepContext } from './flow.ts'
import { joined, RowKeys } from './rowKeys.ts'

/**
 * The group of each row, numbered from 0 in the order of their first rows; a row like no other is a group of its own.
 * Texts whose words are equal are alike, whatever the threshold. Throws E_LIMIT and E_ABORTED.
 */
export async function nearGroups(
  input: Flow,
  places: readonly number[],
  threshold: number,
  context: Pick<StepContext, 'pause' | 'seed' | 'rows'>,
  shingle = NEAR_SHINGLE,
): Promise<Uint32Array> {
  const alike = new AlikeTexts({ threshold, shingle, seed: context.seed, texts: 0 })
  const texts = new RowKeys()
  /** The text of each row; rows with the same words have the same. */
  const textOfRow: number[] = []
  const wordsIn = (cells: readonly string[]): string[] => words(joined(cells, places))
  const { pause, rows } = context
  const seen = (from: number, to: number) => (row: number) => from + (to - from) * Math.min(1, row / rows)
  const addText = ({ cells }: FlowRow): void => {
    const found = wordsIn(cells)
    const before = texts.size
    const text = texts.number(found.length > 0 ? found.join(' ') : joined(cells, places))
    textOfRow.push(text)
    if (text < before) return
    if (text >= TEXTS_LIMIT)
      throw new GraftError(
        'E_LIMIT',
        `Near-duplicates can be looked for among ${TEXTS_LIMIT} different texts at most.`,
      )
    alike.add(text, hashesOf(found))
  }
  await eachRow(input, context, addText, seen(0, 0.5))

  const looks = await alike.compare((share) => pause(share === undefined ? share : 0.5 + 0.1 * share))
  const sets = new Groups(texts.size)
  const join = sets.join.bind(sets)
  for (let look = 0; look < looks; look++) {
    alike.begin(look)
    // Texts are numbered in the order of their first rows.
    let next = 0
    const compare = ({ cells }: FlowRow, index: number): void => {
      if (textOfRow[index] !== next) return
      alike.again(next++, () => hashesOf(wordsIn(cells)), join)
    }
    const part = 0.4 / looks
    await eachRow(input, context, compare, seen(0.6 + part * look, 0.6 + part * (look + 1)))
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
