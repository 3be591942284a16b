// Texts that say almost the same, as findings: rows like an earlier one, and rows held out that are like one in training.
// alikeTexts.ts finds the pairs; of each text only its best partner is kept.
import { SPLIT_NAMES } from '../../protocol/data.ts'
import { NEAR_SHINGLE, NEAR_THRESHOLD, type Finding } from '../../protocol/health.ts'
import { AlikeTexts } from './alikeTexts.ts'
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
import { percent, plural, rowName } from './say.ts'

export function nearDuplicatesCheck(input: HealthInput): Check | null {
  if (input.texts.length === 0) return null
  const { threshold = NEAR_THRESHOLD, shingle = NEAR_SHINGLE, seed = 42 } = input.options
  const alike = new AlikeTexts({ threshold, shingle, seed, texts: input.rows })
  const near = new NearRows(input, threshold)
  const pair = near.pair.bind(near)

  return {
    kinds: ['nearDuplicates', ...(input.parts ? (['splitLeakage'] as const) : [])],
    row(row) {
      near.seen(row.index, row.first)
      // Copies of a text are found without this; one of them stands for all.
      if (row.first === row.index) alike.add(row.index, row.hashes)
    },
    working: 'Comparing texts',
    async between(pause) {
      const looks = await alike.compare(pause)
      near.ready(looks > 0)
      return looks
    },
    begin: (look) => alike.begin(look),
    again: (row) => alike.again(row.index, () => row.hashes, pair),
    finish() {
      alike.release()
      return near.findings()
    },
  }
}

const TRAIN = SPLIT_NAMES.indexOf('train')
/** Texts whose words are in another order or case can share all of their shingles. */
const saidLike = (similarity: number): string =>
  similarity === 1 ? 'the same text as' : `${percent(similarity)} like`

/** The best partner of each text so far; of those that are equally good the earliest. */
class Partners {
  readonly #row: Int32Array
  readonly #similarity: Float64Array

  constructor(rows: number) {
    this.#row = new Int32Array(rows).fill(NO_ROW)
    this.#similarity = new Float64Array(rows)
  }

  add(row: number, partner: number, similarity: number): void {
    const known = this.#similarity[row]!
    if (similarity < known || (similarity === known && this.#row[row]! <= partner)) return
    this.#row[row] = partner
    this.#similarity[row] = similarity
  }

  /** NO_ROW where there is none. */
  of(row: number): number {
    return this.#row[row]!
  }

  similarity(row: number): number {
    return this.#similarity[row]!
  }
}

/** What is known of texts that are alike: which is like an earlier one, and which stand in different parts. */
class NearRows {
  readonly #input: HealthInput
  readonly #threshold: number
  /** First row with the same text. */
  readonly #first: Int32Array
  /** Of the first row of a text: the first training row with it. */
  #trained = new Int32Array(0)
  /** Earlier texts that are like a text. */
  #like: Partners | null = null
  /** Texts of training rows that are like a text. */
  #likeTraining: Partners | null = null

  constructor(input: HealthInput, threshold: number) {
    this.#input = input
    this.#threshold = threshold
    this.#first = new Int32Array(input.rows).fill(NO_ROW)
  }

  seen(row: number, first: number): void {
    this.#first[row] = first
  }

  /** All rows were seen; `pairs`: whether any pair will come. */
  ready(pairs: boolean): void {
    const { parts, rows } = this.#input
    if (pairs) this.#like = new Partners(rows)
    if (!parts) return
    if (pairs) this.#likeTraining = new Partners(rows)
    this.#trained = new Int32Array(rows).fill(NO_ROW)
    for (let row = 0; row < rows; row++) {
      const text = this.#first[row]!
      if (parts[row] === TRAIN && text !== NO_ROW && this.#trained[text] === NO_ROW) this.#trained[text] = row
    }
  }

  pair(left: number, right: number, similarity: number): void {
    this.#like!.add(right, left, similarity)
    if (!this.#likeTraining) return
    if (this.#trained[right] !== NO_ROW) this.#likeTraining.add(left, right, similarity)
    if (this.#trained[left] !== NO_ROW) this.#likeTraining.add(right, left, similarity)
  }

  findings(): Finding[] {
    return [...this.#alike(), ...this.#leaks()]
  }

  #alike(): Finding[] {
    const like = this.#like
    if (!like) return []
    const list = new RankedRows()
    for (let row = 0; row < this.#input.rows; row++) {
      const other = like.of(row)
      if (other === NO_ROW) continue
      const similarity = like.similarity(row)
      list.add(row, similarity, () => `${percent(similarity)} like ${rowName(other)}`)
    }
    if (list.count === 0) return []
    const threshold = this.#threshold
    return [
      finding(this.#input, {
        kind: 'nearDuplicates',
        severity: bySize(list.count, this.#input.rows, 0.05),
        title: `${plural(list.count, 'row')} (${percent(list.count / this.#input.rows)}) ${list.count === 1 ? 'says' : 'say'} almost the same as an earlier row`,
        explanation: `At least ${percent(threshold)} of their word groups are the same (Jaccard similarity, verified pair by pair). They teach little that is new, and make a test too easy when they stand on both sides of the split.`,
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
    return shingle === undefined || shingle === NEAR_SHINGLE ? {} : { shingle }
  }

  #leaks(): Finding[] {
    const { parts } = this.#input
    if (!parts) return []
    const list = new RankedRows()
    let exact = 0
    for (let row = 0; row < parts.length; row++) {
      const text = this.#first[row]!
      if (parts[row] === TRAIN || text === NO_ROW) continue
      const part = SPLIT_NAMES[parts[row]!]!
      const same = this.#trained[text]!
      if (same !== NO_ROW) {
        exact++
        list.add(row, 1, () => `${part}: the same text as training ${rowName(same)}`)
        continue
      }
      const like = this.#likeTraining?.of(text) ?? NO_ROW
      if (like === NO_ROW) continue
      const similarity = this.#likeTraining!.similarity(text)
      const other = this.#trained[like]!
      list.add(row, similarity, () => `${part}: ${saidLike(similarity)} training ${rowName(other)}`)
    }
    if (list.count === 0) return []
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
