// Which of the rows that a model wrote are worth adding: whole, of the usual length, and not what is there already. Rows of
// every part count as there, for a copy of a test row in training would be a leak. Likeness is the Jaccard similarity of word
// shingles, exact: the few new rows are indexed by their shingles, and all rows of the table walk past them.
import { jaccard, shingles } from '../../health/minhash.ts'
import { normalised, words } from '../../health/words.ts'
import type { Refusal } from '../../../protocol/written.ts'
import type { Candidate } from './prompt.ts'
import { textOf, type WrittenRow } from './shape.ts'

/** Words in a shingle, as in the health report. */
const SHINGLE = 3
/** Refused rows of a reason that are shown. */
const SHOWN = 5
const SHOWN_CHARACTERS = 200

interface Waiting {
  row: WrittenRow
  key: string
  set: Uint32Array
}

export class Judge {
  readonly accepted: WrittenRow[] = []
  readonly #threshold: number
  readonly #fits: (text: string, label: string) => boolean
  readonly #refused = new Map<Refusal, { count: number; examples: string[] }>()
  #waiting: Waiting[] = []
  readonly #taken: Waiting[] = []

  /** @param fits whether a text reads like its label */
  constructor(threshold: number, fits: (text: string, label: string) => boolean = () => true) {
    this.#threshold = threshold
    this.#fits = fits
  }

  /** Rows that passed every check but that against the table. */
  waiting(label: string | null): number {
    return this.#waiting.filter(({ row }) => row.label === label).length
  }

  acceptedOf(label: string | null): number {
    return this.accepted.filter((row) => row.label === label).length
  }

  get refused(): { reason: Refusal; count: number; examples: string[] }[] {
    return [...this.#refused].map(([reason, said]) => ({ reason, ...said })).sort((a, b) => b.count - a.count)
  }

  /** Takes a row, or refuses it at once. @param range least and most characters; @param shown the examples it was written after */
  offer(
    candidate: Candidate,
    given: Pick<WrittenRow, 'label' | 'system'>,
    [least, most]: readonly [number, number],
    shown: readonly WrittenRow[],
  ): void {
    const { text, parts, complete } = candidate
    if (text === '') return this.#refuse('empty', text)
    if (!complete) return this.#refuse('unfinished', text)
    if (parts === null) return this.#refuse('broken', text)
    const row = { ...given, parts }
    const whole = textOf(row)
    if (whole.length < least) return this.#refuse('short', text)
    if (whole.length > most) return this.#refuse('long', text)
    const own = waitingOf(row)
    if (shown.some((other) => normalised(textOf(other)) === own.key)) return this.#refuse('copy', text)
    if (shown.some((other) => this.#alike(own, waitingOf(other)))) return this.#refuse('near', text)
    if ([...this.#taken, ...this.#waiting].some((other) => other.key === own.key || this.#alike(own, other)))
      return this.#refuse('repeated', text)
    if (row.label !== null && !this.#fits(whole, row.label)) return this.#refuse('label', text)
    this.#waiting.push(own)
  }

  /** Compares what waits with the rows of a table, and accepts what none of them is like. */
  async settle(table: AsyncIterable<readonly (WrittenRow | null)[]>): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    if (waiting.length === 0) return
    const verdicts = new Array<'copy' | 'near' | null>(waiting.length).fill(null)
    const keys = new Map(waiting.map(({ key }, i) => [key, i]))
    const holders = new Map<number, number[]>()
    for (const [i, { set }] of waiting.entries())
      for (const shingle of set) holders.set(shingle, [...(holders.get(shingle) ?? []), i])
    const shared = new Uint32Array(waiting.length)
    for await (const rows of table)
      for (const row of rows) {
        if (row === null) continue
        const text = textOf(row)
        const same = keys.get(normalised(text))
        if (same !== undefined) verdicts[same] = 'copy'
        const set = shingles(words(text), SHINGLE)
        const met: number[] = []
        for (const shingle of set)
          for (const i of holders.get(shingle) ?? []) if (shared[i]!++ === 0) met.push(i)
        for (const i of met) {
          const all = waiting[i]!.set.length + set.length - shared[i]!
          if (shared[i]! / all >= this.#threshold) verdicts[i] ??= 'near'
          shared[i] = 0
        }
      }
    for (const [i, one] of waiting.entries()) {
      const verdict = verdicts[i]!
      if (verdict !== null) this.#refuse(verdict, textOf(one.row))
      else {
        this.#taken.push(one)
        this.accepted.push(one.row)
      }
    }
  }

  #alike(a: Waiting, b: Waiting): boolean {
    return a.set.length > 0 && jaccard(a.set, b.set) >= this.#threshold
  }

  #refuse(reason: Refusal, text: string): void {
    const said = this.#refused.get(reason) ?? { count: 0, examples: [] }
    said.count++
    if (said.examples.length < SHOWN && text !== '') said.examples.push(text.slice(0, SHOWN_CHARACTERS))
    this.#refused.set(reason, said)
  }
}

function waitingOf(row: WrittenRow): Waiting {
  const text = textOf(row)
  return { row, key: normalised(text), set: shingles(words(text), SHINGLE) }
}
