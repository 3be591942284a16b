// Zip archives: read by zipRead.ts, which believes nothing, and written here over fflate. Its asynchronous variants start
// workers from blobs, which the site's Content-Security-Policy forbids, so the synchronous one is used, in a worker of ours.
import { zipSync, type Zippable } from 'fflate'

/** The same files make the same archive: entries carry the earliest date the format has. */
export const ENTRY_DATE = new Date(1980, 0, 1)

/** Text is compressed; bytes (weights) are stored as they are, because noise does not compress. */
export function writeZip(files: Record<string, string | Uint8Array>): Uint8Array<ArrayBuffer> {
  const entries: Zippable = {}
  for (const [path, content] of Object.entries(files)) {
    const text = typeof content === 'string'
    entries[path] = [
      text ? new TextEncoder().encode(content) : content,
      { level: text ? 6 : 0, mtime: ENTRY_DATE },
    ]
  }
  return zipSync(entries)
}

export { readZip, type ZipFile } from './zipRead.ts'
