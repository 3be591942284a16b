// One dataset as a person looks at it: filtered, searched, sampled and sorted views of its rows, page by page. Rows are read
// from the store once and kept compactly as far as the budget goes; what a view is made of (masks, orders, the index) is kept
// apart, so that another sort of the same search computes the sort alone.
import { SPLIT_NAMES, type Row } from '../../protocol/data.ts'
import { GraftError, throwIfAborted } from '../../protocol/errors.ts'
import type { CallContext } from '../../protocol/progress.ts'
import type {
  CellEdit,
  FoundRow,
  RowFilter,
  Sample,
  SearchResult,
  Sort,
  ViewQuery,
} from '../../protocol/table.ts'
import { words as randomWords } from '../rng.ts'
import { IndexBuilder, settle, type SearchIndex } from '../search/index.ts'
import { hitsIn, matches, parseQuery, type Term } from '../search/query.ts'
import { CompactBatch, CompactRows } from './compactRows.ts'
import { columnTest, type RowTest, type ViewColumn } from './filters.ts'
import { pacer, Shared } from './shared.ts'
import { sortKeys } from './sort.ts'
import { monthFirst } from './values.ts'

/** Bytes of rows kept in memory: about two million short rows; of larger sets the rest is read again. */
export const ROWS_BUDGET = 256 * 1024 * 1024
/** Results kept of each kind; a mask is a byte a row, an order four. */
const KEPT = 6

/** Where a view gets its rows from. */
export interface ViewSource {
  rows: number
  columns: readonly ViewColumn[]
  /** Rows of every batch but the last. */
  batchRows: number
  /** The rows of a batch as they came. */
  readBatch(batch: number): Promise<readonly (readonly string[])[]>
  /** Part of each row, an index into SPLIT_NAMES. */
  parts(): Promise<Uint8Array>
  /** Makes an expression ready. Throws E_ARGUMENT with the place of the fault. */
  expression(source: string, columns: readonly ViewColumn[]): RowTest
}

type ReadCell = (column: number) => string

export class DatasetView {
  readonly #source: ViewSource
  readonly #kept: CompactRows
  readonly #masks = new Shared<Uint8Array>(KEPT)
  readonly #searches = new Shared<Uint8Array>(KEPT)
  readonly #orders = new Shared<Uint32Array>(KEPT)
  readonly #views = new Shared<Uint32Array | null>(KEPT)
  readonly #indices = new Shared<SearchIndex>(1)
  readonly #dates = new Shared<boolean>(1000)
  readonly #edits = new Map<number, Map<number, string>>()
  #parts: Promise<Uint8Array> | null = null

  constructor(source: ViewSource, budget = ROWS_BUDGET) {
    this.#source = source
    this.#kept = new CompactRows(source.batchRows, source.columns.length, budget)
  }

  /** Bytes of the rows that are kept. */
  get bytes(): number {
    return this.#kept.bytes
  }

  /** The dataset's parts were made anew. */
  splitChanged(): void {
    this.#parts = null
    this.#masks.clear()
    this.#views.clear()
  }

  /** Lays edits over the rows, in place of those before. Views are made anew; the index stays, edited rows are read. */
  edit(edits: readonly CellEdit[]): void {
    this.#edits.clear()
    for (const { row, column, value } of edits) {
      const cells = this.#edits.get(row) ?? new Map<number, string>()
      cells.set(this.#place(column), value)
      this.#edits.set(row, cells)
    }
    for (const cache of [this.#masks, this.#searches, this.#orders, this.#views, this.#dates]) cache.clear()
  }

  /** A page of a view. Throws E_ARGUMENT for what cannot be asked, E_ABORTED. */
  async page(query: ViewQuery, offset: number, limit: number, context: CallContext): Promise<SearchResult> {
    for (const [name, value] of Object.entries({ offset, limit }))
      if (!Number.isSafeInteger(value) || value < 0)
        throw new GraftError('E_ARGUMENT', `${name} must be a whole number from 0, but is ${String(value)}.`)
    const view = await this.view(query, context)
    const total = view ? view.length : this.#source.rows
    const indices = Array.from(
      { length: Math.max(0, Math.min(limit, total - offset)) },
      (_, i) => view?.[offset + i] ?? offset + i,
    )
    const [cells, parts] = await Promise.all([this.rows(indices), this.#partsOf()])
    const terms = query.query ? parseQuery(query.query) : []
    return { total, rows: indices.map((index, i) => this.#row(index, cells[i]!, parts, terms)) }
  }

  /** Row numbers of a view in its order; null: all rows in the file's order. */
  async view(query: ViewQuery, context: CallContext): Promise<Uint32Array | null> {
    const { split, filter, query: text, sample, sort } = query
    const filters = filter === undefined ? [] : Array.isArray(filter) ? filter : [filter]
    const terms = text ? parseQuery(text) : []
    if (split === undefined && !filters.length && !terms.length && !sample && !sort) return null
    checkSample(sample)
    const key = JSON.stringify([split ?? '', filters, terms, sample ?? '', sort ?? ''])
    return this.#views.get(key, context, async (shared) => {
      const masks: Uint8Array[] = []
      if (split !== undefined) masks.push(await this.#splitMask(split))
      if (filters.length) masks.push(await this.#filterMask(filters, shared))
      if (terms.length) masks.push(await this.#searchMask(terms, shared))
      let chosen = masks.length ? both(masks) : null
      if (sample) chosen = drawn(chosen, this.#source.rows, sample)
      const order = sort ? await this.#order(sort, shared) : null
      return ordered(chosen, order, this.#source.rows)
    })
  }

  /** Cells of rows by their numbers, in the order asked. Throws E_NOT_FOUND. */
  async rows(indices: readonly number[]): Promise<string[][]> {
    const { batchRows } = this.#source
    const batches = new Map<number, CompactBatch>()
    for (const index of indices) {
      const number = Math.floor(index / batchRows)
      if (!batches.has(number)) batches.set(number, await this.#batch(number))
    }
    return indices.map((index) => {
      const batch = batches.get(Math.floor(index / batchRows))!
      const within = index % batchRows
      if (within >= batch.rows)
        throw new GraftError('E_NOT_FOUND', `The dataset has no row ${index + 1}.`, { index })
      const cells = batch.row(within)
      for (const [column, value] of this.#edits.get(index) ?? []) cells[column] = value
      return cells
    })
  }

  /** Builds the search index now, where it is not there yet. */
  index(context: CallContext): Promise<SearchIndex> {
    return this.#indices.get('', context, async (shared) => {
      const builder = new IndexBuilder()
      const columns = this.#source.columns.length
      // As the rows came: edits change, the index does not.
      await this.#scan('Making the search index', shared, (cell) => builder.add(columns, cell), false)
      return builder.finish()
    })
  }

  /** Goes through all rows, or those of a mask; `cell` reads the row at hand. */
  async scan(
    label: string,
    context: CallContext,
    visit: (cell: ReadCell, row: number) => void,
  ): Promise<void> {
    await this.#scan(label, context, visit, true)
  }

  async #scan(
    label: string,
    context: CallContext,
    visit: (cell: ReadCell, row: number) => void,
    edited: boolean,
  ): Promise<void> {
    const { rows, batchRows } = this.#source
    const pause = pacer(context, label, rows)
    for (let number = 0; number * batchRows < rows; number++) {
      throwIfAborted(context.signal)
      const batch = await this.#batch(number)
      const start = number * batchRows
      let within = 0
      let changes: Map<number, string> | undefined
      const cell: ReadCell = (column) => changes?.get(column) ?? batch.cell(within, column)
      for (; within < batch.rows; within++) {
        if (edited && this.#edits.size) changes = this.#edits.get(start + within)
        visit(cell, start + within)
      }
      await pause(start + batch.rows)
    }
  }

  async #batch(number: number): Promise<CompactBatch> {
    return this.#kept.batch(number) ?? this.#kept.add(number, await this.#source.readBatch(number))
  }

  #row(index: number, cells: string[], parts: Uint8Array, terms: readonly Term[]): FoundRow {
    const names = this.#source.columns.map(({ name }) => name)
    const hits = names.flatMap((name, i) => {
      const found = terms.length ? hitsIn(cells[i]!, terms) : []
      return found.length ? [[name, found] as const] : []
    })
    const row: Row = {
      index,
      split: SPLIT_NAMES[parts[index]!] ?? null,
      cells: Object.fromEntries(names.map((name, i) => [name, cells[i]!])),
    }
    return { ...row, hits: Object.fromEntries(hits) }
  }

  #partsOf(): Promise<Uint8Array> {
    this.#parts ??= this.#source.parts()
    return this.#parts
  }

  async #splitMask(split: NonNullable<ViewQuery['split']>): Promise<Uint8Array> {
    const part = SPLIT_NAMES.indexOf(split)
    if (part < 0) throw new GraftError('E_ARGUMENT', `split must be one of ${SPLIT_NAMES.join(', ')}.`)
    const parts = await this.#partsOf()
    return Uint8Array.from({ length: this.#source.rows }, (_, row) => (parts[row] === part ? 1 : 0))
  }

  #filterMask(filters: readonly RowFilter[], context: CallContext): Promise<Uint8Array> {
    return this.#masks.get(JSON.stringify(filters), context, async (shared) => {
      const columns = await Promise.all(
        this.#source.columns.map(async (column, place) =>
          column.type === 'date' &&
          filters.some((each) => typeof each !== 'string' && each.column === column.name)
            ? { ...column, monthFirst: await this.monthFirst(place, shared) }
            : column,
        ),
      )
      const tests = filters.map((filter) =>
        typeof filter === 'string' ? this.#source.expression(filter, columns) : columnTest(filter, columns),
      )
      const mask = new Uint8Array(this.#source.rows)
      await this.#scan(
        'Filtering',
        shared,
        (cell, row) => {
          mask[row] = tests.every((test) => test(cell)) ? 1 : 0
        },
        true,
      )
      return mask
    })
  }

  #searchMask(terms: readonly Term[], context: CallContext): Promise<Uint8Array> {
    return this.#searches.get(JSON.stringify(terms), context, async (shared) => {
      const index = await this.index(shared)
      const found: Uint8Array[] = []
      for (const term of terms) {
        const candidates = index.candidates(term)
        const doubtful: number[] = []
        for (let row = 0; row < candidates.length; row++) if (candidates[row] === 2) doubtful.push(row)
        await this.#each(doubtful, 'Searching', shared, (row, cells) => settle(candidates, row, cells, term))
        if (term.not)
          for (let row = 0; row < candidates.length; row++) candidates[row] = candidates[row] ? 0 : 1
        found.push(candidates)
      }
      const mask = both(found)
      await this.#each([...this.#edits.keys()], 'Searching', shared, (row, cells) => {
        mask[row] = matches(cells, terms) ? 1 : 0
      })
      return mask
    })
  }

  /** Reads certain rows, as edited, a few hundred at a time. */
  async #each(
    indices: readonly number[],
    label: string,
    context: CallContext,
    visit: (row: number, cells: string[]) => void,
  ): Promise<void> {
    const pause = pacer(context, label, indices.length)
    for (let from = 0; from < indices.length; from += 256) {
      const some = indices.slice(from, from + 256)
      const cells = await this.rows(some)
      for (const [i, row] of some.entries()) visit(row, cells[i]!)
      await pause(from + some.length)
    }
  }

  #order({ column, descending = false }: Sort, context: CallContext): Promise<Uint32Array> {
    const place = this.#place(column)
    return this.#orders.get(`${place} ${descending}`, context, async (shared) => {
      const { type } = this.#source.columns[place]!
      const first = type === 'date' && (await this.monthFirst(place, shared))
      const keys = sortKeys(type, this.#source.rows, first)
      await this.#scan(`Sorting by ${column}`, shared, (cell) => keys.add(cell(place)), true)
      return keys.order(descending)
    })
  }

  /** Whether dates like 3/4/2025 of a column have the month first. */
  monthFirst(place: number, context: CallContext): Promise<boolean> {
    return this.#dates.get(String(place), context, async (shared) => {
      const known = this.#source.columns[place]!.monthFirst
      if (known !== undefined) return known
      // One cell that can be read in one way only decides; most columns show it in their first rows.
      let day = false
      let month = false
      await this.#scan(
        'Reading dates',
        shared,
        (cell) => {
          if (day) return
          const text = cell(place)
          if (monthFirst([text])) month = true
          else if (/^\s*(1[3-9]|2\d|3[01])[./-]/.test(text)) day = true
        },
        true,
      )
      return month && !day
    })
  }

  #place(column: string): number {
    const place = this.#source.columns.findIndex(({ name }) => name === column)
    if (place < 0)
      throw new GraftError(
        'E_ARGUMENT',
        `There is no column "${column}". The columns are ${this.#source.columns.map(({ name }) => name).join(', ')}.`,
        { column },
      )
    return place
  }
}

function both(masks: readonly Uint8Array[]): Uint8Array {
  const [first, ...rest] = masks
  const mask = first!.slice()
  for (const other of rest) for (let row = 0; row < mask.length; row++) mask[row]! &= other[row]!
  return mask
}

function checkSample(sample: Sample | undefined): void {
  if (!sample) return
  const { rows, seed = 0 } = sample
  if (!Number.isSafeInteger(rows) || rows < 1)
    throw new GraftError('E_ARGUMENT', `sample.rows must be a whole number from 1, but is ${String(rows)}.`)
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff)
    throw new GraftError('E_ARGUMENT', 'sample.seed must be a whole number from 0 to 4,294,967,295.')
}

/** A seeded choice among the rows of a mask (all rows where it is null), each choice equally likely. */
function drawn(mask: Uint8Array | null, rows: number, { rows: wanted, seed = 0 }: Sample): Uint8Array {
  const candidates = ordered(mask, null, rows) ?? Uint32Array.from({ length: rows }, (_, row) => row)
  const chosen = new Uint8Array(rows)
  if (wanted >= candidates.length) {
    for (const row of candidates) chosen[row] = 1
    return chosen
  }
  // The beginning of a Fisher-Yates shuffle: as many swaps as rows are drawn.
  const random = randomWords({ seed, purpose: 'shuffle', layer: 1 }, wanted)
  for (let i = 0; i < wanted; i++) {
    const j = i + Math.floor((random[i]! / 0x100000000) * (candidates.length - i))
    const row = candidates[j]!
    candidates[j] = candidates[i]!
    candidates[i] = row
    chosen[row] = 1
  }
  return chosen
}

/** Rows of a mask in an order; null: all of them in the file's. */
function ordered(mask: Uint8Array | null, order: Uint32Array | null, rows: number): Uint32Array | null {
  if (!mask) return order
  let count = 0
  for (let row = 0; row < rows; row++) count += mask[row]!
  const out = new Uint32Array(count)
  let at = 0
  if (order) {
    for (const row of order) if (mask[row]) out[at++] = row
  } else for (let row = 0; row < rows; row++) if (mask[row]) out[at++] = row
  return out
}
