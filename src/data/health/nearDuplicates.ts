// Texts that say almost the same: candidates by MinHash, each verified by the true Jaccard similarity of its shingles.
// The second pass over the rows collects the shingles of candidates, as many at a time as fit into a fixed memory.
import { SPLIT_NAMES } from '../../protocol/data.ts'
import type { Finding } from '../../protocol/health.ts'
import {
  bySize,
  dropAll,
  finding,
  NO_ROW,
  RankedRows,
  textColumns,
  type Check,
  type HealthInput,
} from './check.ts'
import {
  bandingFor,
  candidatePairs,
  jaccard,
  leftOf,
  MinHasher,
  pairBatches,
  rightOf,
  shingles,
} from './minhash.ts'
import { percent, plural, rowName } from './say.ts'

export const DEFAULT_THRESHOLD = 0.8
export const DEFAULT_SHINGLE = 3
/** Shingles of candidates held at a time: 128 MB. */
const SHINGLES_HELD = 32_000_000

export function nearDuplicatesCheck(input: HealthInput): Check | null {
  if (input.texts.length === 0) return null
  const { threshold = DEFAULT_THRESHOLD, shingle = DEFAULT_SHINGLE, seed = 42 } = input.options
  const hasher = new MinHasher(bandingFor(threshold), seed)
  const { bands } = hasher.banding
  const keys = new Uint32Array(input.rows * bands)
  /** Distinct shingles of each text; 0 for what takes no part. */
  const sizes = new Uint32Array(input.rows)
  /** Candidates in batches, by the pass in which they are verified. */
  let batches: Float64Array[] = []
  /** Shingles of the texts of a batch one after the other, and where each text's begin, or -1. */
  let held = new Uint32Array(0)
  const places = new Int32Array(input.rows)
  const heldOf = (row: number): Uint32Array => held.subarray(places[row]!, places[row]! + sizes[row]!)
  let cut = false
  const near = new NearRows(input, threshold)

  return {
    kinds: ['nearDuplicates', ...(input.parts ? (['splitLeakage'] as const) : [])],
    row(row) {
      near.seen(row.index, row.first)
      // Copies of a text are found without this; one of them stands for all.
      if (row.first !== row.index) return
      const set = shingles(row.words, shingle)
      sizes[row.index] = set.length
      keys.set(hasher.keys(set), row.index * bands)
    },
    working: 'Comparing texts',
    async between(pause) {
      const found = await candidatePairs(keys, bands, (row) => sizes[row]! > 0, pause)
      cut = found.cut
      batches = pairBatches(found.pairs, sizes, threshold, SHINGLES_HELD)
      return batches.length
    },
    begin(pass) {
      let length = 0
      places.fill(-1)
      for (const pair of batches[pass]!)
        for (const row of [leftOf(pair), rightOf(pair)])
          if (places[row] === -1) {
            places[row] = length
            length += sizes[row]!
          }
      held = new Uint32Array(length)
    },
    again(row) {
      if (places[row.index] !== -1) held.set(shingles(row.words, shingle), places[row.index])
    },
    end(pass) {
      for (const pair of batches[pass]!) {
        const left = leftOf(pair)
        const right = rightOf(pair)
        const similarity = jaccard(heldOf(left), heldOf(right))
        if (similarity >= threshold) near.pair(left, right, similarity)
      }
      held = new Uint32Array(0)
    },
    finish: () => near.findings(cut),
  }
}

/** What is known of texts that are alike: which is like an earlier one, and which stand in different parts. */
class NearRows {
  readonly #input: HealthInput
  readonly #threshold: number
  /** First row with the same text. */
  readonly #first: Int32Array
  readonly #like = new Map<number, { row: number; similarity: number }>()
  /** Pairs over two parts, found by their texts. */
  readonly #across: { left: number; right: number; similarity: number }[] = []

  constructor(input: HealthInput, threshold: number) {
    this.#input = input
    this.#threshold = threshold
    this.#first = new Int32Array(input.rows).fill(NO_ROW)
  }

  seen(row: number, first: number): void {
    this.#first[row] = first
  }

  pair(left: number, right: number, similarity: number): void {
    const known = this.#like.get(right)
    if (!known || known.similarity < similarity) this.#like.set(right, { row: left, similarity })
    if (this.#input.parts) this.#across.push({ left, right, similarity })
  }

  findings(cut: boolean): Finding[] {
    return [...this.#alike(cut), ...this.#leaks()]
  }

  #alike(cut: boolean): Finding[] {
    const list = new RankedRows()
    for (const [row, { row: other, similarity }] of this.#like)
      list.add(row, similarity, `${percent(similarity)} like ${rowName(other)}`)
    if (list.count === 0) return []
    const threshold = this.#threshold
    return [
      finding(this.#input, {
        kind: 'nearDuplicates',
        severity: bySize(list.count, this.#input.rows, 0.05),
        title: `${plural(list.count, 'row')} (${percent(list.count / this.#input.rows)}) ${list.count === 1 ? 'says' : 'say'} almost the same as an earlier row`,
        explanation:
          `At least ${percent(threshold)} of their word groups are the same (Jaccard similarity, verified pair by pair). They teach little that is new, and make a test too easy when they stand on both sides of the split.` +
          (cut ? ' So many texts are alike that not all pairs could be compared; there may be more.' : ''),
        count: list.count,
        rows: list.rows,
        remedies: [
          {
            label: 'Keep one of each',
            steps: [{ kind: 'dedupeNear', columns: textColumns(this.#input), threshold, ...this.#shingle() }],
          },
        ],
      }),
    ]
  }

  /** The size of shingles, where another was chosen. */
  #shingle(): { shingle?: number } {
    const { shingle } = this.#input.options
    return shingle === undefined || shingle === DEFAULT_SHINGLE ? {} : { shingle }
  }

  #leaks(): Finding[] {
    const { parts } = this.#input
    if (!parts) return []
    const TRAIN = SPLIT_NAMES.indexOf('train')
    // The parts that each text is in, copies included.
    const inTraining = new Map<number, number>()
    for (let row = 0; row < parts.length; row++)
      if (parts[row] === TRAIN && this.#first[row]! >= 0 && !inTraining.has(this.#first[row]!))
        inTraining.set(this.#first[row]!, row)
    const leaks = new Map<number, { other: number; similarity: number }>()
    /** Held-out texts that are like a training text, by the first row of the text. */
    const likeTraining = new Map<number, { other: number; similarity: number }>()
    for (const { left, right, similarity } of this.#across)
      for (const [held, trained] of [
        [left, right],
        [right, left],
      ] as const) {
        const other = inTraining.get(trained)
        const known = likeTraining.get(held)
        if (other !== undefined && (!known || known.similarity < similarity))
          likeTraining.set(held, { other, similarity })
      }
    let exact = 0
    for (let row = 0; row < parts.length; row++) {
      const text = this.#first[row]!
      if (parts[row] === TRAIN || text < 0) continue
      const same = inTraining.get(text)
      if (same !== undefined) {
        exact++
        leaks.set(row, { other: same, similarity: 1 })
      } else {
        const like = likeTraining.get(text)
        if (like) leaks.set(row, like)
      }
    }
    if (leaks.size === 0) return []
    const list = new RankedRows()
    for (const [row, { other, similarity }] of leaks) {
      const like = similarity === 1 ? 'the same text as' : `${percent(similarity)} like`
      list.add(row, similarity, `${SPLIT_NAMES[parts[row]!]!}: ${like} training ${rowName(other)}`)
    }
    const columns = textColumns(this.#input)
    return [
      finding(this.#input, {
        kind: 'splitLeakage',
        severity: 'fix',
        title: `${plural(list.count, 'row')} held out for validation or test ${list.count === 1 ? 'is' : 'are'} also in training`,
        explanation: `${plural(exact, 'text')} exactly, ${plural(list.count - exact, 'text')} nearly (at least ${percent(this.#threshold)} of the word groups). What the model has seen in training it answers from memory: the test shows a better result than use will.`,
        count: list.count,
        rows: list.rows,
        remedies: [
          {
            label: 'Keep one of each',
            steps: [
              { kind: 'dedupeExact', columns },
              { kind: 'dedupeNear', columns, threshold: this.#threshold, ...this.#shingle() },
            ],
          },
          dropAll(list, 'Drop the held-out copies'),
        ],
      }),
    ]
  }
}
