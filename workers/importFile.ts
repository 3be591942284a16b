// A dropped table (CSV or JSON, told apart by what is in it) becomes a dataset: one pass over its bytes hashes, decodes, parses, profiles and stores it in batches.
// The dataset's record is written last; whatever stops the import before takes its rows along.
import { ColumnCounter, columnOf } from '../src/data/columns.ts'
import { suggestTask } from '../src/data/suggest.ts'
import { CsvParser, ROWS_LIMIT } from '../src/formats/csv.ts'
import { JsonParser, looksLikeJson } from '../src/formats/json.ts'
import { notATable, TextReader } from '../src/formats/text.ts'
import type { Dataset, FileFormat, ImportOptions, Problem } from '../src/protocol/data.ts'
import { throwIfAborted } from '../src/protocol/errors.ts'
import type { CallContext } from '../src/protocol/progress.ts'
import { pieces, sha256 } from '../src/store/chunks.ts'
import type { Store } from '../src/store/database.ts'
import { BATCH_ROWS, insertDataset, readRows, removeDataset, writeRows } from '../src/store/datasets.ts'
import { whileWriting } from '../src/store/locks.ts'
import { defaultSplit } from './configure.ts'

/** Problems kept with a dataset; all are counted. */
export const PROBLEM_LIMIT = 100
/** Milliseconds between two reports of progress. */
const REPORT_EVERY = 100

/**
 * Imports a table. Throws E_NOT_A_TABLE, E_LIMIT, E_STORAGE, E_ABORTED; then nothing of the file stays.
 */
export function importFile(
  store: Store,
  file: File,
  options: ImportOptions,
  context: CallContext,
): Promise<Dataset> {
  return whileWriting(async () => {
    const id = crypto.randomUUID()
    try {
      return await importAs(id, store, file, options, context)
    } catch (error) {
      await removeDataset(store, id).catch(() => undefined)
      throw error
    }
  })
}

async function importAs(
  id: string,
  store: Store,
  file: File,
  options: ImportOptions,
  { signal, progress }: CallContext,
): Promise<Dataset> {
  const problems: Problem[] = []
  let problemCount = 0
  const onProblem = (problem: Problem): void => {
    if (problemCount++ < PROBLEM_LIMIT) problems.push(problem)
  }
  const reader = new TextReader(file.name)
  const parser = new TableParser({ ...options, name: file.name, onProblem })
  const sink = new RowSink(store, id)
  const hash = sha256()
  const report = reporter(file, progress)
  let bytes = 0

  const take = async (rows: string[][]): Promise<boolean> => {
    await sink.take(rows, parser.columns)
    return !sink.overflowed
  }
  let room = true
  for await (const piece of pieces(file.stream())) {
    throwIfAborted(signal)
    hash.update(piece)
    bytes += piece.length
    if (room) room = await take(parser.push(reader.push(piece)))
    report(bytes)
  }
  if (room) room = await take(parser.push(reader.end()))
  if (room) room = await take(parser.end())
  if (!room)
    onProblem({
      kind: 'limit',
      line: ROWS_LIMIT + 1,
      message: `The file has more than ${ROWS_LIMIT.toLocaleString('en')} rows; the rest was left out.`,
    })
  if (sink.rows === 0)
    throw notATable(
      `${file.name} has a first row and nothing below it. Choose a file with a header and rows.`,
    )
  if (reader.encoding === 'windows-1252')
    onProblem({
      kind: 'encoding',
      line: 1,
      message:
        'The file is not UTF-8; it was read as windows-1252. If characters look wrong, save it as UTF-8.',
    })
  await sink.finish(parser.columns)
  throwIfAborted(signal)

  const profiles = sink.counters.map((counter) => counter.profile())
  const suggestion = suggestTask(profiles)
  const dataset: Dataset = {
    id,
    name: options.name ?? file.name,
    createdAt: Date.now(),
    bytes,
    sha256: hash.hex(),
    rows: sink.rows,
    columns: profiles.map(columnOf),
    problems,
    problemCount,
    delimiter: parser.delimiter,
    format: parser.format,
    suggestion,
    config: null,
    labels: null,
    split: null,
  }
  const stratify = suggestion?.task === 'classify' ? suggestion.columns.label : undefined
  const { split, parts } = await defaultSplit(store, dataset, stratify, signal)
  throwIfAborted(signal)
  const complete: Dataset = { ...dataset, split }
  await insertDataset(store, complete, { parts, chosen: false })
  return complete
}

/** A parser for what the file turns out to be. A delimiter that was asked for means CSV. */
class TableParser {
  #parser: CsvParser | JsonParser | null = null

  constructor(
    private readonly options: ImportOptions & { name: string; onProblem: (problem: Problem) => void },
  ) {}

  get columns(): readonly string[] {
    return this.#parser?.columns ?? []
  }
  get delimiter(): string {
    return this.#parser instanceof CsvParser ? this.#parser.delimiter : ''
  }
  get format(): FileFormat {
    return this.#parser instanceof JsonParser ? this.#parser.format : 'csv'
  }

  /** The first piece that is not empty is long enough to tell (SAMPLE_BYTES), or the whole file. */
  push(piece: string): string[][] {
    return piece === '' ? [] : this.#open(piece).push(piece)
  }

  end(): string[][] {
    return this.#open('').end()
  }

  #open(piece: string): CsvParser | JsonParser {
    const { options } = this
    return (this.#parser ??=
      options.delimiter === undefined && looksLikeJson(piece, options.name)
        ? new JsonParser(options)
        : new CsvParser(options))
  }
}

/** Rows on their way to the store, in full batches, counted by column. Columns may join while rows come. */
class RowSink {
  rows = 0
  /** A row was turned away. */
  overflowed = false
  counters: ColumnCounter[] = []
  #batch: string[][] = []
  /** Columns known when each batch was written. */
  readonly #widths: number[] = []

  constructor(
    private readonly store: Store,
    private readonly id: string,
  ) {}

  async take(rows: string[][], columns: readonly string[]): Promise<void> {
    for (const name of columns.slice(this.counters.length))
      this.counters.push(new ColumnCounter(name, this.rows))
    for (const row of rows) {
      this.overflowed = this.rows === ROWS_LIMIT
      if (this.overflowed) return
      while (row.length < columns.length) row.push('')
      for (const [i, cell] of row.entries()) this.counters[i]!.add(cell)
      this.#batch.push(row)
      this.rows++
      if (this.#batch.length === BATCH_ROWS) await this.#flush(columns.length)
    }
  }

  /** Writes what is left, and gives rows that were written before a column was known their empty cells. */
  async finish({ length }: readonly string[]): Promise<void> {
    if (this.#batch.length > 0) await this.#flush(length)
    for (const [batch, width] of this.#widths.entries()) {
      if (width === length) continue
      const rows = await readRows(this.store, this.id, batch * BATCH_ROWS, BATCH_ROWS)
      for (const row of rows) while (row.length < length) row.push('')
      await writeRows(this.store, this.id, batch, rows)
    }
  }

  async #flush(width: number): Promise<void> {
    const batch = this.#batch
    this.#batch = []
    // Rows may have come to the batch before a column did.
    for (const row of batch) while (row.length < width) row.push('')
    await writeRows(this.store, this.id, this.#widths.length, batch)
    this.#widths.push(width)
  }
}

/** Reports bytes read now and then, with the time left once it can be told. */
function reporter(file: File, progress: CallContext['progress']): (bytes: number) => void {
  const start = performance.now()
  let last = start
  return (done) => {
    const now = performance.now()
    if (now - last < REPORT_EVERY && done < file.size) return
    last = now
    const seconds = (now - start) / 1000
    progress({
      label: `Reading ${file.name}`,
      done,
      total: file.size,
      unit: 'bytes',
      ...(seconds > 0.5 ? { secondsLeft: (seconds * (file.size - done)) / done } : {}),
    })
  }
}
