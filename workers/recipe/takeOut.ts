// A dataset as a file: its current rows, or those of one part, through the writers of src/formats, alone or in a zip with the
// recipe and the datasheet.
import { datasheet } from '../../src/data/datasheet.ts'
import { writeCsv } from '../../src/formats/csvWrite.ts'
import { writeJsonl, type JsonCells } from '../../src/formats/jsonlWrite.ts'
import { writeParquet, type ParquetCells } from '../../src/formats/parquetWrite.ts'
import { blobOf, type ByteChunks, type TableSource } from '../../src/formats/tableSource.ts'
import { zipBlobs } from '../../src/formats/zipStream.ts'
import { SPLIT_NAMES, type Dataset } from '../../src/protocol/data.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import type { CallContext } from '../../src/protocol/progress.ts'
import { TABLE_FORMATS, type TableFormat, type TakeOutRequest } from '../../src/protocol/takeOut.ts'
import { sha256 } from '../../src/store/chunks.ts'
import type { Store } from '../../src/store/database.ts'
import { eachBatch, getDataset, readParts } from '../../src/store/datasets.ts'
import { readRecipe } from '../../src/store/recipes.ts'
import { recipeState } from './calls.ts'

const TYPES: Record<TableFormat, string> = {
  csv: 'text/csv;charset=utf-8',
  jsonl: 'application/jsonl',
  parquet: 'application/vnd.apache.parquet',
}

/** Throws E_ARGUMENT, E_NOT_FOUND, E_DATASET where the part has no row, E_LIMIT, E_ABORTED. */
export async function takeOut(
  store: Store,
  id: string,
  request: TakeOutRequest,
  { signal, progress }: CallContext,
): Promise<Blob> {
  checkRequest(request)
  const dataset = await getDataset(store, id)
  const { parts } = await readParts(store, id)
  const { synthetic, weights } = (await readRecipe(store, id)) ?? {}
  const wanted = request.split === undefined ? null : SPLIT_NAMES.indexOf(request.split)
  const names = dataset.columns.map(({ name }) => name)
  const marks = request.marks
    ? [
        { name: freeName('split', names), of: (row: number) => SPLIT_NAMES[parts[row]!] ?? '' },
        synthetic?.includes(1) && {
          name: freeName('synthetic', names),
          of: (row: number) => String(synthetic[row] === 1),
        },
        weights && { name: freeName('weight', names), of: (row: number) => String(weights[row]) },
      ].filter((mark) => typeof mark === 'object')
    : []
  const labelPlace =
    dataset.config?.columns.label === undefined ? -1 : names.indexOf(dataset.config.columns.label)
  const labels = new Map<string, number[]>()
  let rowsDone = 0
  const table: TableSource = {
    columns: [...names, ...marks.map(({ name }) => name)],
    async *batches() {
      for await (const { start, rows } of eachBatch(store, dataset)) {
        const taken: string[][] = []
        for (const [i, cells] of rows.entries()) {
          const part = parts[start + i]!
          if (labelPlace >= 0) count(labels, (cells[labelPlace] ?? '').trim(), part)
          if (wanted !== null && part !== wanted) continue
          taken.push(marks.length > 0 ? [...cells, ...marks.map(({ of }) => of(start + i))] : cells)
        }
        rowsDone += taken.length
        progress({ label: 'Writing the rows', done: start + rows.length, total: dataset.rows, unit: 'rows' })
        if (taken.length > 0) yield { rows: taken }
      }
    },
  }
  const data = await blobOf(written(table, request, dataset), TYPES[request.format], signal)
  if (rowsDone === 0)
    throw new GraftError(
      'E_DATASET',
      `There is no ${request.split ?? ''} row to export. Choose another part.`,
      { id },
    )
  if (!request.bundle) return data
  const state = await recipeState(store, id)
  const name = fileName(dataset.name, request)
  const sheet = datasheet({
    dataset,
    state,
    request,
    file: { name, rows: rowsDone, sha256: await hashOf(data) },
    labels: labels.size > 0 && labels.size <= 1000 ? labels : null,
    now: Date.now(),
  })
  return zipBlobs(
    new Map([
      [name, data],
      ['recipe.json', new Blob([`${JSON.stringify(state.recipe, null, 2)}\n`])],
      ['datasheet.md', new Blob([sheet])],
    ]),
    signal,
  )
}

/** "support tickets.csv" taken out as JSON Lines is "support tickets.jsonl"; one part is named after it. */
export function fileName(name: string, { format, split }: Pick<TakeOutRequest, 'format' | 'split'>): string {
  const stem = name
    .replace(/\.(csv|tsv|jsonl?|ndjson|parquet|txt|md|zip)$/i, '')
    // eslint-disable-next-line no-control-regex
    .replace(/[\u0000-\u001f\\/:*?"<>|]+/g, '_')
    .replace(/^\.+/, '')
  return `${stem.slice(0, 100) || 'dataset'}${split === undefined ? '' : `-${split}`}.${format}`
}

function written(table: TableSource, { format, guard = true }: TakeOutRequest, dataset: Dataset): ByteChunks {
  // Cells are text. A column of numbers or truth values is written as such where that loses nothing.
  const typed = dataset.columns.filter(({ type }) => type === 'number' || type === 'boolean')
  switch (format) {
    case 'csv':
      return writeCsv(table, { guard })
    case 'jsonl':
      return writeJsonl(table, {
        types: Object.fromEntries(
          typed.map(({ name, type }): [string, JsonCells] => [name, type as JsonCells]),
        ),
      })
    case 'parquet':
      return writeParquet(
        table,
        Object.fromEntries(
          typed
            .filter(({ type }) => type === 'boolean')
            .map(({ name }): [string, ParquetCells] => [name, 'BOOLEAN']),
        ),
      )
    default:
      return format satisfies never
  }
}

function count(labels: Map<string, number[]>, label: string, part: number): void {
  const counts = labels.get(label) ?? SPLIT_NAMES.map(() => 0)
  if (part < counts.length) counts[part]!++
  labels.set(label, counts)
}

function freeName(name: string, names: readonly string[]): string {
  let free = name
  for (let i = 2; names.includes(free); i++) free = `${name}_${i}`
  return free
}

async function hashOf(blob: Blob): Promise<string> {
  const hash = sha256()
  const reader = blob.stream().getReader()
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) hash.update(piece.value)
  return hash.hex()
}

function checkRequest(request: TakeOutRequest): void {
  const wrong = (what: string): GraftError => new GraftError('E_ARGUMENT', `export: ${what}`)
  if (typeof request !== 'object' || request === null || !TABLE_FORMATS.includes(request.format))
    throw wrong(`format must be one of ${TABLE_FORMATS.join(', ')}.`)
  if (request.split !== undefined && !SPLIT_NAMES.includes(request.split))
    throw wrong(`split must be one of ${SPLIT_NAMES.join(', ')}.`)
  for (const flag of ['guard', 'marks', 'bundle'] as const)
    if (request[flag] !== undefined && typeof request[flag] !== 'boolean')
      throw wrong(`${flag} must be true or false.`)
  for (const text of ['licence', 'about'] as const)
    if (request[text] !== undefined && typeof request[text] !== 'string')
      throw wrong(`${text} must be a text.`)
  if (
    request.problems !== undefined &&
    !(Array.isArray(request.problems) && request.problems.every((one) => typeof one === 'string'))
  )
    throw wrong('problems must be a list of texts.')
}
