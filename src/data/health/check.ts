// What every check of the health report is: it sees each row once, may ask to see the rows once more, and ends with
// findings. The report (report.ts) runs all of them side by side over the same passes.
import type { TaskConfig } from '../../protocol/data.ts'
import {
  FINDING_ROWS_LIMIT,
  type Finding,
  type FindingKind,
  type FindingRow,
  type HealthOptions,
  type Remedy,
  type Severity,
} from '../../protocol/health.ts'
import { parseMessages } from '../messages.ts'
import type { ReplaceWordsStep } from '../../protocol/recipe.ts'
import type { Pause } from '../pause.ts'
import { joined } from '../recipe/rowKeys.ts'
import { hashesOf } from './hash.ts'
import { words } from './words.ts'

export interface HealthInput {
  columns: readonly string[]
  rows: number
  /** Places of the columns whose texts are looked at. */
  texts: readonly number[]
  /** Place of the label column, or null. */
  label: number | null
  /** Labels with a number each, filled as rows pass by. */
  labels: Labels
  /** Part of each row (an index into SPLIT_NAMES), or null where nothing is split. */
  parts: Uint8Array | null
  /** How rows become examples, where that is known. */
  config: TaskConfig | null
  /** Columns by whose values training rows are weighed already. */
  weighed: readonly string[]
  options: HealthOptions
}

/** A key of nothing but what stands between cells. */
// eslint-disable-next-line no-control-regex -- rowKeys.ts puts it between cells
const EMPTY_KEY = /^\u001f*$/

/** One row as the checks see it; what is costly is made once, when the first check asks. */
export class RowView {
  cells: readonly string[] = []
  index = 0
  /** Number of its label; NO_LABEL where it has none. */
  label = NO_LABEL
  /** The first row with the same texts, but for white space at their ends; NO_ROW where the texts are empty. */
  first = NO_ROW
  #text: string | null = null
  #words: string[] | null = null
  #hashes: Uint32Array | null = null
  /** For the hashes of a text of usual length. */
  readonly #room = new Uint32Array(1024)
  readonly #texts: readonly number[]
  readonly #conversations: ReadonlySet<number>

  /** @param conversations places of columns whose cells are lists of messages */
  constructor(texts: readonly number[], conversations: ReadonlySet<number> = new Set()) {
    this.#texts = texts
    this.#conversations = conversations
  }

  set(cells: readonly string[], index: number): void {
    this.cells = cells
    this.index = index
    this.label = NO_LABEL
    this.first = NO_ROW
    this.#text = this.#words = this.#hashes = null
  }

  /** The texts of the row, one a line; of messages, what they say. */
  get text(): string {
    return (this.#text ??=
      this.#texts.length === 1
        ? this.#textAt(this.#texts[0]!)
        : this.#texts.map((place) => this.#textAt(place)).join('\n'))
  }

  /** What two rows with the same texts share; empty where all of them are. */
  get key(): string {
    const key = joined(this.cells, this.#texts)
    return EMPTY_KEY.test(key) ? '' : key
  }

  get words(): string[] {
    return (this.#words ??= words(this.text))
  }

  /** A hash of each of its words; the array is used again by the next row. */
  get hashes(): Uint32Array {
    return (this.#hashes ??= hashesOf(this.words, this.#room))
  }

  #textAt(place: number): string {
    const cell = this.cells[place] ?? ''
    if (!this.#conversations.has(place) || !/^\s*[[{]/.test(cell)) return cell
    try {
      return parseMessages(cell)
        .map(({ content }) => content)
        .join('\n')
    } catch {
      // What cannot be read as messages is looked at as it stands; that it cannot be learnt is another finding.
      return cell
    }
  }
}

export interface Check {
  kinds: readonly FindingKind[]
  /** What `between` does, in the words of progress. */
  working?: string
  /** Every row, in order. */
  row?(row: RowView): void
  /** After the first pass: how many more passes it needs; default none. What only the first pass needed is let go here. */
  between?(pause: Pause): number | Promise<number>
  /** Around pass `pass`, from 0, of those that `between` asked for. */
  begin?(pass: number): void
  again?(row: RowView, pass: number): void
  end?(pass: number): void
  /** What was found. May rest between slices of work by awaiting `pause`. */
  finish(pause: Pause): Finding[] | Promise<Finding[]>
  /** Why a kind could not be judged, after `finish`. */
  skipped?(): { kind: FindingKind; reason: string }[]
}

export const NO_LABEL = -1
export const NO_ROW = -1
/** Different labels beyond which a column is no column of classes. */
export const LABEL_LIMIT = 5000

/** Numbers for labels in the order of their first row. */
export class Labels {
  readonly names: string[] = []
  readonly counts: number[] = []
  /** Whether there were more than LABEL_LIMIT; then nothing about classes can be said. */
  tooMany = false
  readonly #numbers = new Map<string, number>()

  /** The number of a label that was counted, or NO_LABEL. */
  find(cell: string): number {
    return this.#numbers.get(cell.trim()) ?? NO_LABEL
  }

  /** Counts a row's label. */
  add(cell: string): number {
    const name = cell.trim()
    if (name === '') return NO_LABEL
    let number = this.#numbers.get(name)
    if (number === undefined) {
      if (this.names.length === LABEL_LIMIT) {
        this.tooMany = true
        return NO_LABEL
      }
      number = this.names.push(owned(name)) - 1
      this.counts.push(0)
      this.#numbers.set(this.names[number]!, number)
    }
    this.counts[number]!++
    return number
  }
}

/** A copy of its own: a slice of a row's text would keep the whole batch of rows in memory that it was cut from. */
export function owned(text: string): string {
  return ` ${text}`.slice(1)
}

/** Rows that one step leaves out by number: their ids stand in the recipe. */
const DROP_LIMIT = 100_000

/** Rows of a finding as they turn up: the first of them are kept, all are counted. */
export class RowList {
  count = 0
  readonly rows: FindingRow[] = []
  /** Numbers of all rows, up to what a step can leave out. */
  readonly numbers: number[] = []

  add(row: number, note?: string): void {
    this.count++
    if (this.numbers.length < DROP_LIMIT) this.numbers.push(row)
    if (this.rows.length < FINDING_ROWS_LIMIT)
      this.rows.push(note === undefined ? { row } : { row, note: owned(note) })
  }
}

/** Rows of a finding with a rank: the highest are kept, all are counted. */
export class RankedRows {
  count = 0
  readonly numbers: number[] = []
  #kept: { row: number; rank: number; note: () => string }[] = []

  /** @param note asked for once it is settled that the row is kept; it must not hold a text of the row */
  add(row: number, rank: number, note: () => string): void {
    this.count++
    if (this.numbers.length < DROP_LIMIT) this.numbers.push(row)
    this.#kept.push({ row, rank, note })
    if (this.#kept.length >= 2 * FINDING_ROWS_LIMIT) this.#cut()
  }

  get rows(): FindingRow[] {
    this.#cut()
    return this.#kept.map(({ row, note }) => ({ row, note: note() }))
  }

  #cut(): void {
    this.#kept.sort((a, b) => b.rank - a.rank || a.row - b.row)
    this.#kept.length = Math.min(this.#kept.length, FINDING_ROWS_LIMIT)
  }
}

/** Leaves all rows of a finding out, also those beyond the ones that it lists; says so where there are more than a step takes. */
export function dropAll({ count, rows, numbers }: RowList | RankedRows, label = 'Drop these rows'): Remedy {
  const said =
    count > numbers.length
      ? `Drop ${numbers.length.toLocaleString('en')} of the ${count.toLocaleString('en')} rows`
      : count > rows.length
        ? `Drop all ${count.toLocaleString('en')} rows`
        : label
  return { label: said, steps: [{ kind: 'dropRows', rows: [...numbers] }] }
}

/** Writes something in place of words and phrases of the texts; nothing: they go. */
export function replacing(input: HealthInput, phrases: readonly string[], instead = ''): ReplaceWordsStep {
  // What has no letter is no word, in a lexicon that somebody edits as in the name of a label.
  const known = new Set(phrases.filter((phrase) => words(phrase).length > 0))
  return {
    kind: 'replaceWords',
    columns: textColumns(input),
    words: [...known],
    ...(instead && { with: instead }),
  }
}

type Given = Pick<Finding, 'kind' | 'severity' | 'title' | 'explanation'> & Partial<Finding>

/** A finding with what is absent filled in. */
export function finding(input: HealthInput, given: Given): Finding {
  const { kind, column = null } = given
  return {
    id: column === null ? kind : `${kind}:${column}`,
    column,
    count: 0,
    looked: input.rows,
    rows: [],
    remedies: [],
    ...given,
  }
}

/** `fix` from a share on, else `check`. */
export function bySize(count: number, rows: number, share: number): Severity {
  return rows > 0 && count / rows >= share ? 'fix' : 'check'
}

/** Names of the columns whose texts are looked at. */
export function textColumns(input: HealthInput): string[] {
  return input.texts.map((place) => input.columns[place]!)
}
