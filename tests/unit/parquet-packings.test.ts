// Parquet as other programs pack it: what pyarrow wrote is read the same, whatever the packing, and a page that unpacks to
// more than it says is stopped.
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { openParquet } from '../../src/formats/parquetRead.ts'
import { unpackers } from '../../src/formats/parquetUnpack.ts'

const golden = JSON.parse(readFileSync(new URL('../golden/data/parquet.json', import.meta.url), 'utf8')) as {
  columns: string[]
  rows: string[][]
  files: Record<string, string>
  zeros: Record<'GZIP' | 'ZSTD' | 'BROTLI' | 'LZ4_RAW', string>
}
const bytesOf = (base64: string) => new Uint8Array(Buffer.from(base64, 'base64'))

async function rowsOf(bytes: Uint8Array<ArrayBuffer>): Promise<string[][]> {
  const rows: string[][] = []
  for await (const batch of (await openParquet(new Blob([bytes]))).batches()) rows.push(...batch)
  return rows
}

describe.each(Object.entries(golden.files))('packed with %s', (_, base64) => {
  test('the rows are those that were written', async () => {
    expect(await rowsOf(bytesOf(base64))).toEqual(golden.rows)
  })

  test('a file that is cut, or overwritten at its end, is E_FORMAT', async () => {
    const bytes = bytesOf(base64)
    await expect(rowsOf(bytes.slice(0, bytes.length / 2))).rejects.toMatchObject({ code: 'E_FORMAT' })
    await expect(rowsOf(bytes.fill(0xff, -200, -8))).rejects.toMatchObject({ code: 'E_FORMAT' })
  })
})

describe.each(Object.entries(golden.zeros))('a page of %s', (packing, base64) => {
  const unpack = async (bytes: number) =>
    (await unpackers())[packing as keyof typeof golden.zeros]!(bytesOf(base64), bytes)

  test('has as many bytes as it says', async () => {
    expect(await unpack(100_000)).toEqual(new Uint8Array(100_000))
  })

  test('has no more than it says', async () => {
    const taken = await unpack(100).catch(() => new Uint8Array(0))
    expect(taken.buffer.byteLength).toBeLessThanOrEqual(100)
  })
})
