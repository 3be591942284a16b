// Dropped files become a dataset, or more rows of one: one pass decodes, parses, profiles and stores them in batches and
// hashes what it reads. The dataset's record is written last; whatever stops the import before takes its rows along.
import { columnOf, ColumnCounter, type ColumnProfile } from '../../src/data/columns.ts'
import { recogniseShape } from '../../src/data/shapes.ts'
import { suggestTask } from '../../src/data/suggest.ts'
import { ROWS_LIMIT } from '../../src/formats/csv.ts'
import { notATable } from '../../src/formats/text.ts'
import type { ImportOptions } from '../../src/protocol/bringIn.ts'
import type { Appended, Column, Dataset, Problem, TaskConfig } from '../../src/protocol/data.ts'
import { throwIfAborted } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import { DEFAULT_SPLIT, NO_PART, splitRows, type SplitResult } from '../../src/data/split.ts'
import type { Store } from '../../src/store/database.ts'
import {
  eachBatch,
  getDataset,
  insertDataset,
  readRows,
  removeDataset,
  removeRowsFrom,
  widenRows,
} from '../../src/store/datasets.ts'
import { asWhole, requireRoom } from '../../src/store/quota.ts'
import { whileWriting } from '../../src/store/locks.ts'
import { readRecipe } from '../../src/store/recipes.ts'
import { emptyRecipe, splitOf } from '../recipe/calls.ts'
import { rawOf } from '../recipe/raw.ts'
import { makeVersion } from '../recipe/version.ts'
import { hashFiles, RunningHash } from './hash.ts'
import { hasher, type Hasher } from './hashBeside.ts'
import { RowSink } from './rowSink.ts'
import { checkOptions, fileRows, newReading, type Reading } from './source.ts'
import { tokenWeigher } from './tokenWeigher.ts'
import { UnionColumns } from './unionColumns.ts'
import { rowWriter } from './writeBeside.ts'

/** Problems kept with a dataset; all are counted. */
export const PROBLEM_LIMIT = 100
/** Rows that are looked into for what the columns together are. */
const SHAPE_ROWS = 1000
/** Milliseconds between two reports of progress. */
const REPORT_EVERY = 100

/**
 * Imports files as one dataset. Throws E_NOT_A_TABLE, E_FORMAT, E_LIMIT, E_DATASET (columns that differ), E_ARGUMENT,
 * E_NOT_FOUND (a file changed since it was chosen), E_STORAGE, E_ABORTED; then nothing of the files stays.
 */
export function importFiles(
  store: Store,
  files: readonly File[],
  options: ImportOptions,
  context: CallContext,
): Promise<Dataset> {
  checkOptions(options, files)
  return whileWriting(async () => {
    const id = crypto.randomUUID()
    const writer = rowWriter(store, id, 0, sizeOf(files))
    const sink = new RowSink(store, id, 0, writer)
    try {
      const columns = new UnionColumns(options.union ?? false)
      const read = await readInto(sink, columns, store, files, options, context, () => firstLook(sink))
      const { profiles, suggestion, split, parts } = read.seen
      throwIfAborted(context.signal)
      const dataset: Dataset = {
        id,
        name: options.name ?? nameOf(files),
        createdAt: Date.now(),
        bytes: sizeOf(files),
        sha256: read.sha256,
        rows: sink.rows,
        columns: profiles.map((profile) => typed(columnOf(profile), options)),
        problems: read.problems,
        problemCount: read.problemCount,
        delimiter: read.reading.delimiter,
        format: read.reading.format,
        ...(read.reading.encoding && { encoding: read.reading.encoding }),
        ...(options.origin && { origin: options.origin }),
        shape: recogniseShape(profiles, await readRows(store, { id }, 0, SHAPE_ROWS)),
        suggestion,
        config: null,
        labels: null,
        split,
      }
      await insertDataset(store, dataset, { parts, chosen: false })
      return dataset
    } catch (error) {
      await sink.settle()
      writer.end()
      await removeDataset(store, id).catch(() => undefined)
      throw asWhole(error, sizeOf(files), nameOf(files))
    } finally {
      writer.end()
    }
  })
}

/**
 * Adds the rows of files to a dataset. Rows that are there keep their indices and their parts of the split; new ones are
 * divided by the same shares. The task stays, with the labels that are there now. Throws as an import does, and E_NOT_FOUND; then the dataset is as it was.
 */
export function appendFiles(
  store: Store,
  id: string,
  files: readonly File[],
  options: ImportOptions,
  context: CallContext,
): Promise<Appended> {
  checkOptions(options, files)
  return whileWriting(async () => {
    // Rows join below the recipe, and the recipe is made anew.
    const current = await getDataset(store, id)
    const before = rawOf(current)
    const { parts, chosen, folds } = await splitOf(store, id)
    const writer = rowWriter(store, id, before.rows, sizeOf(files))
    const sink = new RowSink(store, id, before.rows, writer)
    try {
      const names = before.columns.map(({ name }) => name)
      const columns = new UnionColumns(options.union ?? false, names)
      const read = await readInto(sink, columns, store, files, options, context, () => undefined)
      const profiles = await profilesOfAll(store, id, columns.names, context)
      const config = before.split ?? DEFAULT_SPLIT
      const { seed, train, validation, test } = config
      // Another seed, so that the new rows are not divided in step with the first ones.
      const fresh = splitRows(sink.rows, { seed: (seed + before.rows) >>> 0, train, validation, test }, null)
      const all = new Uint8Array(before.rows + sink.rows)
      all.set(parts)
      // Groups, times, folds and likeness say where a new row belongs; without them the shares do.
      if ((config.group ?? config.time ?? config.folds ?? config.near) === undefined)
        all.set(fresh.parts, before.rows)
      else all.fill(NO_PART, before.rows)
      throwIfAborted(context.signal)
      if (columns.names.length > names.length) await widenRows(store, id, columns.names.length)
      const dataset: Dataset = {
        ...before,
        bytes: before.bytes + sizeOf(files),
        sha256: await hashFiles([new Blob([before.sha256 + read.sha256])]),
        rows: before.rows + sink.rows,
        columns: profiles.map((profile, i) => ({
          ...typed(columnOf(profile), options),
          ...(before.columns[i] && { type: kept(before.columns[i].type, columnOf(profile).type) }),
        })),
        problems: [...before.problems, ...read.problems].slice(0, PROBLEM_LIMIT),
        problemCount: before.problemCount + read.problemCount,
        suggestion: suggestTask(profiles),
      }
      const record = await readRecipe(store, id)
      const grown = await makeVersion(
        store,
        dataset,
        { parts: all, chosen, ...(folds && { folds }) },
        record?.recipe ?? emptyRecipe(),
        record?.past ?? [],
        context,
      )
      const known = new Set(current.labels)
      const labels = current.labels ? (grown.labels ?? []).filter((label) => !known.has(label)) : []
      return { ...grown, added: { rows: sink.rows, labels } }
    } catch (error) {
      await sink.settle()
      writer.end()
      await removeRowsFrom(store, id, before.rows).catch(() => undefined)
      throw asWhole(error, sizeOf(files), nameOf(files))
    } finally {
      writer.end()
    }
  })
}

interface Read<S> {
  reading: Reading
  problems: Problem[]
  problemCount: number
  sha256: string
  seen: S
}

/**
 * All rows of all files into the sink.
 * @param look when all rows have come, while other threads still store and hash the last of them
 */
async function readInto<S>(
  sink: RowSink,
  columns: UnionColumns,
  store: Store,
  files: readonly File[],
  options: ImportOptions,
  context: CallContext,
  look: () => S,
): Promise<Read<S>> {
  // About as much is stored as is read; what is packed needs more, and is told when room runs out.
  await requireRoom(sizeOf(files), nameOf(files))
  const hashing = hasher(sizeOf(files))
  try {
    return await readAll(sink, columns, store, files, options, hashing, context, look)
  } finally {
    hashing.end()
  }
}

async function readAll<S>(
  sink: RowSink,
  columns: UnionColumns,
  store: Store,
  files: readonly File[],
  options: ImportOptions,
  { digest, spare }: Hasher,
  { signal, progress }: CallContext,
  look: () => S,
): Promise<Read<S>> {
  const problems: Problem[] = []
  let problemCount = 0
  let reading = newReading()
  const hash = new RunningHash(sizeOf(files), digest)
  const report = reporter(sizeOf(files), progress)
  const weigh = await tokenWeigher(store, options)
  let before = 0
  for (const file of files) {
    const onProblem = (problem: Problem): void => {
      if (problemCount++ < PROBLEM_LIMIT)
        problems.push(files.length > 1 ? { file: file.name, ...problem } : problem)
    }
    const onBytes = (bytes: number): void => report(`Reading ${file.name}`, before + bytes)
    const found = newReading()
    const rowsBefore = sink.rows
    const onRead = (bytes: Uint8Array<ArrayBuffer>): Promise<void> => hash.add(bytes)
    const source = { ...options, onProblem, onBytes, onRead, spare, signal, ...(weigh && { weigh }) }
    for await (const rows of fileRows(file, source, found)) {
      await sink.take(columns.placed(rows, found.columns, file.name), columns.names)
      throwIfAborted(signal)
      if (sink.overflowed) break
    }
    if (sink.rows === rowsBefore && !sink.overflowed)
      throw notATable(
        `${file.name} has a first row and nothing below it. Choose a file with a header and rows.`,
      )
    if (sink.overflowed) {
      onProblem({
        kind: 'limit',
        line: ROWS_LIMIT + 1,
        message: `There are more than ${ROWS_LIMIT.toLocaleString('en')} rows; the rest was left out.`,
      })
      break
    }
    if (found.encoding === 'windows-1252' && options.encoding === undefined)
      onProblem({
        kind: 'encoding',
        line: 1,
        message:
          'The file is not UTF-8; it was read as windows-1252. If characters look wrong, save it as UTF-8.',
      })
    if (file === files[0]) reading = found
    before += file.size
    report(`Reading ${file.name}`, before)
  }
  const seen = await sink.finish(columns.names, look)
  throwIfAborted(signal)
  // Some files are not read from end to end.
  const sha256 = hash.bytes === sizeOf(files) ? await hash.hex() : await hashFiles(files, signal)
  return { reading, problems, problemCount, sha256, seen }
}

interface FirstLook extends SplitResult {
  profiles: ColumnProfile[]
  suggestion: TaskConfig | null
}

/** What new rows are and how they are split, from what was counted and kept while they came. */
function firstLook(sink: RowSink): FirstLook {
  const profiles = sink.counters.map((counter) => counter.profile())
  const suggestion = suggestTask(profiles)
  const stratify = suggestion?.task === 'classify' ? suggestion.columns.label : undefined
  const place = profiles.findIndex(({ name }) => name === stratify)
  const strata = place < 0 ? null : sink.counters[place]!.categories(sink.rows)
  const config = strata ? { ...DEFAULT_SPLIT, stratify: stratify! } : DEFAULT_SPLIT
  return { profiles, suggestion, ...splitRows(sink.rows, config, strata) }
}

async function profilesOfAll(
  store: Store,
  id: string,
  names: readonly string[],
  { signal }: CallContext,
): Promise<ColumnProfile[]> {
  const counters = names.map((name) => new ColumnCounter(name))
  for await (const { rows } of eachBatch(store, { id })) {
    throwIfAborted(signal)
    for (const row of rows) for (const [i, counter] of counters.entries()) counter.add(row[i] ?? '')
  }
  return counters.map((counter) => counter.profile())
}

function typed(column: Column, { types }: ImportOptions): Column {
  return types && Object.hasOwn(types, column.name) ? { ...column, type: types[column.name]! } : column
}

/** A type that was corrected, or found, stays as long as the new rows do not make it text. */
function kept(before: Column['type'], now: Column['type']): Column['type'] {
  return before === 'empty' || now === 'text' ? now : before
}

function sizeOf(files: readonly File[]): number {
  return files.reduce((sum, { size }) => sum + size, 0)
}

/** What a dataset of several files is called: "a.csv and 2 more". */
export function nameOf([first, ...more]: readonly File[]): string {
  return more.length === 0 ? first!.name : `${first!.name} and ${more.length} more`
}

/** Reports bytes read now and then, with the time left once it can be told. */
function reporter(total: number, progress: CallContext['progress']): (label: string, done: number) => void {
  const start = performance.now()
  let last = start
  return (label, done) => {
    const now = performance.now()
    if (now - last < REPORT_EVERY && done < total) return
    last = now
    const seconds = (now - start) / 1000
    progress({
      label,
      done,
      total,
      unit: 'bytes',
      ...(seconds > 0.5 && done > 0 ? { secondsLeft: (seconds * (total - done)) / done } : {}),
    })
  }
}
