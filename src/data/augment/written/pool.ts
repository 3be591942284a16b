// The training rows that examples are drawn from, and how long the rows of a class are. One pass over the rows; of each class
// the rows that the seed ranks first are kept, so that rows of other classes change nothing.
import { words } from '../../rng.ts'
import { Draw } from '../../recipe/draw.ts'
import { textOf, type WrittenRow } from './shape.ts'

/** Rows of a class that examples come from. */
export const POOL_ROWS = 256

/** Share of a class above which its rows are shown with their lines; those of other classes are shown as one line each. */
const SEVERAL_LINES = 0.5

interface Ranked {
  rank: number
  id: number
  row: WrittenRow
}

export class Pool {
  readonly #seed: number
  readonly #classes = new Map<string | null, { rows: Ranked[]; lengths: number[] }>()

  constructor(seed: number) {
    this.#seed = seed
  }

  /** @param id number of the row in the raw data */
  add(row: WrittenRow, id: number): void {
    const known = this.#classes.get(row.label) ?? { rows: [], lengths: [] }
    this.#classes.set(row.label, known)
    known.lengths.push(textOf(row).length)
    const rank = words({ seed: this.#seed, purpose: 'augment', step: 1, layer: id }, 1)[0]!
    if (known.rows.length === POOL_ROWS && rank > known.rows.at(-1)!.rank) return
    const at = known.rows.findIndex((other) => other.rank > rank || (other.rank === rank && other.id > id))
    known.rows.splice(at < 0 ? known.rows.length : at, 0, { rank, id, row })
    known.rows.length = Math.min(known.rows.length, POOL_ROWS)
  }

  get labels(): (string | null)[] {
    return [...this.#classes.keys()]
  }

  size(label: string | null): number {
    return this.#classes.get(label)?.lengths.length ?? 0
  }

  /** Lengths in characters at two quantiles, the nearest ranks outwards. */
  lengths(label: string | null, [least, most]: readonly [number, number]): [number, number] {
    const sorted = Float64Array.from(this.#classes.get(label)?.lengths ?? [0]).sort()
    const last = sorted.length - 1
    return [sorted[Math.floor(least * last)]!, sorted[Math.ceil(most * last)]!]
  }

  /** The rows that are kept of a class, in the order of their ranks. */
  rows(label: string | null): WrittenRow[] {
    return (this.#classes.get(label)?.rows ?? []).map(({ row }) => row)
  }

  /** Whether most rows of the class are written in several lines. */
  severalLines(label: string | null): boolean {
    const rows = this.#classes.get(label)?.rows ?? []
    const broken = rows.filter(({ row }) => row.parts.some((part) => /[\n\r]/.test(part))).length
    return broken > rows.length * SEVERAL_LINES
  }

  /** The rows shown in an answer: `count` different ones, drawn by the answer's number. */
  examples(label: string | null, count: number, answer: number): WrittenRow[] {
    const rows = this.#classes.get(label)?.rows ?? []
    const draw = new Draw(this.#seed, 'augment', 2 + saltOf(label), answer)
    const places = rows.map((_, i) => i)
    const taken: WrittenRow[] = []
    while (taken.length < count && places.length > 0)
      taken.push(rows[places.splice(draw.below(places.length), 1)[0]!]!.row)
    return taken
  }

  /** The seed of an answer's tokens. */
  seedOf(label: string | null, answer: number): number {
    return words({ seed: this.#seed, purpose: 'augment', step: 3 + saltOf(label), layer: answer }, 1)[0]!
  }
}

/** A label's own streams of random numbers, whatever other labels are asked for. */
function saltOf(label: string | null): number {
  let salt = 17
  for (let i = 0; label !== null && i < label.length; i++)
    salt = (Math.imul(salt, 31) + label.charCodeAt(i)) >>> 0
  return Math.imul(salt, 8) >>> 0
}
