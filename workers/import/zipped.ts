// A zip archive of texts as rows: a document each, labelled by the folder it is in; or, where it holds tables, their rows.
import { textRows, type Rows } from '../../src/protocol/byteRows.ts'
import type { FileFormat } from '../../src/protocol/data.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import { readZip, type ZipFile } from '../../src/formats/zip.ts'
import { notATable } from '../../src/formats/text.ts'
import { fileRows, newReading, type Reading, type SourceOptions } from './source.ts'

/** Bytes of one file of an archive, which is unpacked as a whole. */
export const ZIPPED_FILE_LIMIT = 256 * 2 ** 20
const TEXT = /\.(txt|text|md|markdown|rst|html?)$/i
const TABLE = /\.(csv|tsv|json|jsonl|ndjson|parquet)$/i

export function isZip(beginning: Uint8Array): boolean {
  return [0x50, 0x4b, 0x03, 0x04].every((byte, i) => beginning[i] === byte)
}

export async function* zippedRows(
  file: File,
  options: SourceOptions,
  reading: Reading,
): AsyncGenerator<Rows> {
  const all = [...(await readZip(file)).values()]
  if (all.some(({ name }) => name === '[Content_Types].xml'))
    throw notATable(
      `${file.name} is a spreadsheet or Office file, not a table in text form. Open it and save it as CSV.`,
    )
  const texts = all.filter(({ name }) => TEXT.test(name) && !hidden(name))
  const chosen = (
    texts.length > 0 ? texts : all.filter(({ name }) => TABLE.test(name) && !hidden(name))
  ).sort((a, b) => (a.name < b.name ? -1 : 1))
  if (chosen.length === 0)
    throw notATable(
      `${file.name} holds no text files and no tables. Expected are .txt or .md files, in a folder for each label, or CSV and JSON files.`,
    )
  const left = all.length - chosen.length
  if (left > 0)
    options.onProblem({
      kind: 'file',
      line: 1,
      message: `${left} ${left === 1 ? 'file' : 'files'} of the archive, such as "${all.find((each) => !chosen.includes(each))!.name}", ${left === 1 ? 'was' : 'were'} left out.`,
    })
  reading.format = 'zip'
  yield* texts.length > 0 ? documents(chosen, file, options, reading) : tables(chosen, file, options, reading)
}

async function* documents(
  files: ZipFile[],
  archive: File,
  options: SourceOptions,
  reading: Reading,
): AsyncGenerator<string[][]> {
  const labelled = files.some(({ name }) => name.includes('/'))
  const columns = ['text', ...(labelled ? ['label'] : []), 'file']
  const unit = options.unit ?? 'document'
  Object.assign(reading, { columns, unit } satisfies Partial<Reading>)
  const inner = { ...options, format: 'text', unit } as const
  yield* each(files, archive, options, reading, async function* (file, name) {
    const parts = name.split('/')
    const more = [...(labelled ? [parts.at(-2) ?? ''] : []), name]
    const found = newReading()
    for await (const rows of fileRows(file, withFile(inner, name), found))
      yield textRows(rows).map(([text]) => [text!, ...more])
    // Each file has its own encoding; the user is asked about the least sure one.
    if (reading.encoding === null || found.confidence.encoding < reading.confidence.encoding) {
      reading.encoding = found.encoding
      reading.confidence.encoding = found.confidence.encoding
    }
  })
}

async function* tables(
  files: ZipFile[],
  archive: File,
  options: SourceOptions,
  reading: Reading,
): AsyncGenerator<string[][]> {
  const places = new Map<string, number>()
  const columns: string[] = []
  reading.columns = columns
  yield* each(files, archive, options, reading, async function* (file, name) {
    const inner = newReading()
    for await (const rows of fileRows(file, withFile({ ...options, format: formatOf(name) }, name), inner)) {
      for (const column of inner.columns)
        if (!places.has(column)) places.set(column, columns.push(column) - 1)
      const to = inner.columns.map((column) => places.get(column)!)
      yield textRows(rows).map((cells) => {
        const row = columns.map(() => '')
        for (const [i, cell] of cells.entries()) row[to[i]!] = cell
        return row
      })
    }
    reading.encoding = inner.encoding
    reading.delimiter = inner.delimiter
  })
}

/** The rows of each file in turn; a file that cannot be read is left out and told, unless none can. */
async function* each(
  files: ZipFile[],
  archive: File,
  { signal, preview, onProblem, onBytes }: SourceOptions,
  reading: Reading,
  rowsOf: (file: File, name: string) => AsyncGenerator<string[][]>,
): AsyncGenerator<string[][]> {
  let bytes = 0
  let rows = 0
  const total = files.reduce((sum, file) => sum + file.bytes, 0)
  let failure: unknown = null
  for (const zipped of files) {
    throwIfAborted(signal)
    if (preview && rows >= preview.rows) {
      reading.complete = false
      return
    }
    if (zipped.bytes > ZIPPED_FILE_LIMIT)
      throw new GraftError(
        'E_LIMIT',
        `"${zipped.name}" in ${archive.name} has ${zipped.bytes} bytes; at most ${ZIPPED_FILE_LIMIT} are unpacked at once. Unpack the archive and choose that file itself.`,
        { file: zipped.name, limit: ZIPPED_FILE_LIMIT },
      )
    try {
      for await (const batch of rowsOf(new File([await zipped.read()], zipped.name), zipped.name)) {
        rows += batch.length
        yield batch
      }
    } catch (error) {
      if (!(error instanceof GraftError) || error.code !== 'E_NOT_A_TABLE') throw error
      failure ??= error
      onProblem({ kind: 'file', line: 1, message: `It was left out: ${error.message}`, file: zipped.name })
    }
    bytes += zipped.bytes
    onBytes?.(total === 0 ? archive.size : Math.round((archive.size * bytes) / total))
  }
  if (rows === 0 && failure) throw failure
}

function withFile(options: SourceOptions, file: string): SourceOptions {
  const { onBytes: _, onRead: __, spare: ___, ...rest } = options
  return { ...rest, onProblem: (problem) => options.onProblem({ ...problem, file }) }
}

function hidden(name: string): boolean {
  return name.split('/').some((part) => part.startsWith('.'))
}

function formatOf(name: string): FileFormat {
  if (/\.parquet$/i.test(name)) return 'parquet'
  return /\.(json|jsonl|ndjson)$/i.test(name) ? 'json' : 'csv'
}
