// Zip archives of large files: stored, not compressed, written a piece at a time into a Blob, which browsers keep on disk.
// fflate writes the plain format, whose sizes are 32-bit numbers.
import { Zip, ZipPassThrough } from 'fflate'
import { GraftError } from '../protocol/errors.ts'
import { ENTRY_DATE } from './zip.ts'

/** Largest archive of the plain zip format; the directory at its end has to be reached, too. */
export const ZIP_BYTES_LIMIT = 2 ** 32 - 2 ** 20

/** Throws E_LIMIT where the files do not fit the format, E_ABORTED, and what reading them throws. */
export async function zipBlobs(files: ReadonlyMap<string, Blob>, signal?: AbortSignal): Promise<Blob> {
  const total = [...files.values()].reduce((sum, { size }) => sum + size, 0)
  if (total > ZIP_BYTES_LIMIT)
    throw new GraftError(
      'E_LIMIT',
      `The export would have ${total} bytes, and a zip file holds at most ${ZIP_BYTES_LIMIT}. Export as f16 or bf16, or export the adapter alone.`,
      { bytes: total, limit: ZIP_BYTES_LIMIT },
    )
  const parts: Blob[] = []
  let failure: Error | null = null
  const archive = new Zip((error, chunk) => {
    failure ??= error
    parts.push(new Blob([new Uint8Array(chunk)]))
  })
  for (const [name, blob] of files) {
    const entry = new ZipPassThrough(name)
    entry.mtime = ENTRY_DATE
    archive.add(entry)
    const reader = blob.stream().getReader()
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      if (signal?.aborted) throw new GraftError('E_ABORTED', 'Cancelled.')
      entry.push(piece.value)
    }
    entry.push(new Uint8Array(0), true)
  }
  archive.end()
  if (failure) throw failure as Error
  return new Blob(parts, { type: 'application/zip' })
}
