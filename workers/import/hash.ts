// SHA-256 of the files of an import, by the browser's own code, beside the import. That code wants all its bytes at once: a
// large source is hashed piece by piece, and then the hashes of the pieces, so that memory stays flat.
import { throwIfAborted } from '../../src/protocol/errors.ts'

/** Up to here the hash is that of the bytes themselves. */
export const WHOLE_BYTES = 64 * 2 ** 20
/** Larger sources: the SHA-256 of the SHA-256s, in binary, of pieces of this length. */
export const PIECE_BYTES = 16 * 2 ** 20

/** Hex, of the bytes of all files one after the other. */
export async function hashFiles(
  files: readonly Blob[],
  signal?: AbortSignal,
  wholeBytes = WHOLE_BYTES,
  pieceBytes = PIECE_BYTES,
): Promise<string> {
  const all = new Blob([...files])
  if (all.size <= wholeBytes) return hex(await digest(all))
  const hashes: ArrayBuffer[] = []
  for (let at = 0; at < all.size; at += pieceBytes) {
    throwIfAborted(signal)
    hashes.push(await digest(all.slice(at, at + pieceBytes)))
  }
  return hex(await digest(new Blob(hashes)))
}

async function digest(blob: Blob): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', await blob.arrayBuffer())
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
