// A table as Parquet (https://parquet.apache.org/docs/file-format), through hyparquet-writer: snappy, one row group every
// GROUP_ROWS rows, so that neither the table nor the file need be in memory as a whole.
import { ByteWriter, ParquetWriter, schemaFromColumnData } from 'hyparquet-writer'
import type { ByteChunks, TableSource } from './tableSource.ts'

/** Rows of a row group: enough for columns to compress, little enough to be in memory. */
export const GROUP_ROWS = 20_000

export type ParquetCells = 'STRING' | 'DOUBLE' | 'INT64' | 'BOOLEAN'

/** Types by column; what is not named is STRING. A cell that is empty or does not fit another type is null. */
export type ParquetTypes = Readonly<Record<string, ParquetCells>>

/** The bytes of the file, a chunk for each row group and one for the end. */
export async function* writeParquet(
  table: TableSource,
  types: ParquetTypes = {},
  groupRows = GROUP_ROWS,
): ByteChunks {
  const columns = table.columns.map((name) => {
    const type = Object.hasOwn(types, name) ? types[name]! : 'STRING'
    return { name, type, nullable: type !== 'STRING', read: READ[type] }
  })
  const writer = new ByteWriter(1 << 16)
  const file = new ParquetWriter({
    writer,
    schema: schemaFromColumnData({
      columnData: columns.map(({ name, type, nullable }) => ({ name, type, nullable, data: [] })),
    }),
    createdBy: 'Graft',
  })
  let group: unknown[][] = columns.map(() => [])
  let rowsOfGroup = 0
  const flush = async (): Promise<Uint8Array<ArrayBuffer>> => {
    const columnData = columns.map(({ name, type, nullable }, i) => ({
      name,
      type,
      nullable,
      data: group[i]!,
    }))
    await file.write({ columnData, rowGroupSize: rowsOfGroup })
    group = columns.map(() => [])
    rowsOfGroup = 0
    return taken(writer)
  }
  for await (const { rows } of table.batches())
    for (const cells of rows) {
      for (const [i, { read }] of columns.entries()) group[i]!.push(read(cells[i] ?? ''))
      rowsOfGroup++
      if (rowsOfGroup === groupRows) yield await flush()
    }
  if (rowsOfGroup > 0) yield await flush()
  await file.finish()
  yield taken(writer)
}

const READ: Record<ParquetCells, (cell: string) => string | number | bigint | boolean | null> = {
  STRING: (cell) => cell,
  DOUBLE: (cell) => (cell.trim() === '' || Number.isNaN(Number(cell)) ? null : Number(cell)),
  INT64: (cell) => (/^\s*[+-]?\d{1,18}\s*$/.test(cell) ? BigInt(cell.trim().replace(/^\+/, '')) : null),
  BOOLEAN: (cell) => BOOLEANS.get(cell.trim().toLowerCase()) ?? null,
}
const BOOLEANS = new Map([
  ['true', true],
  ['yes', true],
  ['false', false],
  ['no', false],
])

/** What was written since the last time; positions in the file go on counting from its start. */
function taken(writer: ByteWriter): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(writer.getBuffer())
  writer.index = 0
  return bytes
}
