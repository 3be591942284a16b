// Tables in Parquet (https://parquet.apache.org/docs/file-format) as rows of text, through hyparquet, one row group after
// the other. What is nested becomes JSON; what is packed in a way that no library here unpacks is refused by its name.
import {
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type AsyncBuffer,
  type FileMetaData,
  type SchemaElement,
} from 'hyparquet'
import type { Problem } from '../protocol/data.ts'
import { GraftError } from '../protocol/errors.ts'
import { CELL_CHARACTERS_LIMIT, COLUMNS_LIMIT } from './csvLimits.ts'
import { PACKINGS, unpackers } from './parquetUnpack.ts'

/** Unpacked bytes of a row group: all its columns are in memory at once. */
export const GROUP_BYTES_LIMIT = 2 ** 30
/** Bytes of the description at the file's end; those of large sets have some megabytes. */
export const FOOTER_BYTES_LIMIT = 64 * 2 ** 20
const STRING = new TextDecoder('utf-8', { ignoreBOM: true })

export interface ParquetOptions {
  name?: string
  onProblem?: (problem: Problem) => void
}

export interface ParquetTable {
  columns: string[]
  rows: number
  /** All rows, or the first `limit`, in batches; `onBytes` is told how much of the file has been read. */
  batches(limit?: number, onBytes?: (bytes: number) => void): AsyncGenerator<string[][]>
}

export function isParquet(beginning: Uint8Array): boolean {
  return STRING.decode(beginning.subarray(0, 4)) === 'PAR1'
}

/** Throws E_FORMAT where the file breaks the format or is packed in an unknown way, E_LIMIT where it is too wide. */
export async function openParquet(
  file: Blob,
  { name = 'The file', onProblem = () => undefined }: ParquetOptions = {},
): Promise<ParquetTable> {
  const source: AsyncBuffer = {
    byteLength: file.size,
    slice: (begin, end) => file.slice(begin, end).arrayBuffer(),
  }
  const metadata = await readMetadata(source, file, name)
  const elements = parquetSchema(metadata).children.map(({ element }) => element)
  const columns = elements.map((element) => element.name)
  if (columns.length > COLUMNS_LIMIT)
    throw new GraftError(
      'E_LIMIT',
      `${name} has ${columns.length} columns; at most ${COLUMNS_LIMIT} are taken. Remove columns and import it again.`,
      { columns: columns.length, limit: COLUMNS_LIMIT },
    )
  checkGroups(metadata, name)
  const toCell = cellWriter(columns, elements.map(timeParts), onProblem)
  return {
    columns,
    rows: Number(metadata.num_rows),
    async *batches(limit = Infinity, onBytes = () => undefined) {
      let first = 0
      let bytes = 0
      for (const group of metadata.row_groups) {
        if (first >= limit) return
        const end = first + Number(group.num_rows)
        const rows = await readGroup(source, metadata, first, Math.min(end, limit), name)
        yield rows.map((cells, i) => cells.map((value, column) => toCell(value, column, first + i + 1)))
        first = end
        bytes += Number(group.total_compressed_size ?? group.total_byte_size)
        onBytes(Math.min(bytes, file.size))
      }
    },
  }
}

async function readMetadata(source: AsyncBuffer, file: Blob, name: string): Promise<FileMetaData> {
  const end = new DataView(await file.slice(-8).arrayBuffer())
  if (end.byteLength < 8 || end.getUint32(4, true) !== 0x31524150) throw broken(name, 'its end is missing')
  const length = end.getUint32(0, true)
  if (length > FOOTER_BYTES_LIMIT || length + 12 > file.size)
    throw broken(name, `its description would have ${length} bytes`)
  return guarded(name, () => parquetMetadataAsync(source))
}

function checkGroups(metadata: FileMetaData, name: string): void {
  for (const { columns, total_byte_size } of metadata.row_groups) {
    if (Number(total_byte_size) > GROUP_BYTES_LIMIT)
      throw new GraftError(
        'E_LIMIT',
        `${name} has a row group of ${Number(total_byte_size)} bytes; at most ${GROUP_BYTES_LIMIT} are read at once. Save it with smaller row groups.`,
        { bytes: Number(total_byte_size), limit: GROUP_BYTES_LIMIT },
      )
    for (const { meta_data } of columns)
      if (meta_data && !PACKINGS.includes(meta_data.codec))
        throw new GraftError(
          'E_FORMAT',
          `${name} is packed with ${meta_data.codec}, which is not read. Save it with Snappy: pandas writes it by default.`,
          { codec: meta_data.codec, column: meta_data.path_in_schema.join('.') },
        )
  }
}

async function readGroup(
  file: AsyncBuffer,
  metadata: FileMetaData,
  rowStart: number,
  rowEnd: number,
  name: string,
): Promise<unknown[][]> {
  let rows: unknown[][] = []
  const compressors = await unpackers()
  await guarded(name, () =>
    parquetRead({
      file,
      metadata,
      rowStart,
      rowEnd,
      compressors,
      parsers: {
        stringFromBytes: (bytes: Uint8Array) => STRING.decode(bytes),
        dateFromDays: (days: number) => new Date(days * 86_400_000).toISOString().slice(0, 10),
        jsonFromBytes: (bytes: Uint8Array) => STRING.decode(bytes),
      },
      onComplete: (found) => {
        rows = found
      },
    }),
  )
  return rows
}

/** Values as the text of cells; what has no text (bytes that are no characters) is left empty and told once a column. */
function cellWriter(
  columns: readonly string[],
  times: readonly (number | null)[],
  onProblem: (problem: Problem) => void,
): (value: unknown, column: number, row: number) => string {
  const told = new Set<number>()
  return (value, column, row) => {
    const perSecond = times[column] ?? null
    const text = perSecond === null ? cellText(value) : timeText(value, perSecond)
    if ((text.includes('\0') || text.includes('\uFFFD')) && !told.has(column)) {
      told.add(column)
      onProblem({
        kind: 'encoding',
        line: row,
        message: `"${columns[column]}" holds bytes that are no text, from row ${row} on; they are shown as they can be read.`,
      })
    }
    if (text.length <= CELL_CHARACTERS_LIMIT) return text
    onProblem({
      kind: 'limit',
      line: row,
      message: `The cell "${columns[column]}" has ${text.length} characters; it was cut to ${CELL_CHARACTERS_LIMIT}.`,
    })
    return text.slice(0, CELL_CHARACTERS_LIMIT)
  }
}

/** Parts of a second that a column of times of day counts, or null for what is none. */
function timeParts({ logical_type, converted_type }: SchemaElement): number | null {
  if (logical_type?.type === 'TIME') return { MILLIS: 1e3, MICROS: 1e6, NANOS: 1e9 }[logical_type.unit]
  return converted_type === 'TIME_MILLIS' ? 1e3 : converted_type === 'TIME_MICROS' ? 1e6 : null
}

/** A time of day as 13:05:09, with what is left of the second where there is some. */
function timeText(value: unknown, perSecond: number): string {
  if (typeof value !== 'number' && typeof value !== 'bigint') return cellText(value)
  const parts = Number(value)
  const seconds = Math.floor(parts / perSecond)
  const two = (number: number): string => String(number).padStart(2, '0')
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two).join(':')
  const rest = String(parts % perSecond).padStart(String(perSecond).length - 1, '0')
  return parts % perSecond === 0 ? clock : `${clock}.${rest.replace(/0+$/, '')}`
}

function cellText(value: unknown): string {
  if (typeof value === 'string') return value
  if (value === null || value === undefined) return ''
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '' : value.toISOString()
  if (typeof value === 'object') return JSON.stringify(value, plainValue)
  return String(value as number | bigint | boolean)
}

function plainValue(_key: string, value: unknown): unknown {
  if (typeof value !== 'bigint') return value
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value.toString()
}

async function guarded<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (cause instanceof GraftError) throw cause
    throw broken(name, cause instanceof Error ? cause.message.slice(0, 200) : String(cause))
  }
}

function broken(name: string, what: string): GraftError {
  return new GraftError('E_FORMAT', `${name} cannot be read as Parquet: ${what}. Save it again, or as CSV.`, {
    file: name,
  })
}
