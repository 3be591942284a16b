// How the pages of a Parquet file are unpacked: Snappy and no packing by hyparquet itself, gzip by fflate, the others by
// hyparquet-compressors. No page may unpack to more than it says, whatever it says inside.
import { Gunzip } from 'fflate'
import { Decompress } from 'fzstd'
import type { Compressors } from 'hyparquet'

/** Ways of packing that are read, by their names in the format. LZO, which nobody writes any more, is not. */
export const PACKINGS = ['UNCOMPRESSED', 'SNAPPY', 'GZIP', 'ZSTD', 'BROTLI', 'LZ4', 'LZ4_RAW']

/** A page of so many bytes that is filled piece by piece, and stops what would overflow it. */
function page(bytes: number) {
  const out = new Uint8Array(bytes)
  let filled = 0
  return {
    add(piece: Uint8Array) {
      if (filled + piece.length > bytes)
        throw new RangeError(`a page unpacks to more than its ${bytes} bytes`)
      out.set(piece, filled)
      filled += piece.length
    },
    whole: () => out.subarray(0, filled),
  }
}

const streams: Compressors = {
  GZIP(packed, bytes) {
    const { add, whole } = page(bytes)
    const stream = new Gunzip(add)
    // In steps, so that what overflows is stopped at once.
    for (let at = 0; at < packed.length; at += 8192)
      stream.push(packed.slice(at, at + 8192), at + 8192 >= packed.length)
    return whole()
  },
  ZSTD(packed, bytes) {
    const { add, whole } = page(bytes)
    new Decompress(add).push(packed, true)
    return whole()
  },
}

/** The unpackers; the dictionary of Brotli and the like are fetched with the first file that is read. */
export async function unpackers(): Promise<Compressors> {
  const { decompressBrotli, decompressLz4, decompressLz4Raw } = await import('hyparquet-compressors')
  return { ...streams, BROTLI: decompressBrotli, LZ4: decompressLz4, LZ4_RAW: decompressLz4Raw }
}
