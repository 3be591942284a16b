// SHA-256 of the files of an import, by the browser's own code and from the bytes that the import reads. That code wants all its
// bytes at once: a large source is hashed piece by piece, and then the hashes of the pieces, so that memory stays
// flat.
import { concat } from '../../src/formats/text.ts'
import { throwIfAborted } from '../../src/protocol/errors.ts'
import { PIECE_BYTES, pieces } from './pieces.ts'

/** Up to here the hash is that of the bytes themselves; of larger sources that of the hashes, in binary, of their pieces. */
export const WHOLE_BYTES = 64 * 2 ** 20
/** Pieces that wait for their hash at once: whoever reads faster than that would fill the memory with them. */
export const PIECES_WAITING = 16

export type Digest = (bytes: Uint8Array<ArrayBuffer>) => Promise<ArrayBuffer>

/** Takes all bytes in their order. */
export class RunningHash {
  /** Bytes taken. */
  bytes = 0
  readonly #pieceBytes: number
  #held: Uint8Array<ArrayBuffer>[] = []
  #heldBytes = 0
  readonly #hashes: Promise<ArrayBuffer>[] = []

  /**
   * @param total bytes that will be taken
   * @param digestOf makes the SHA-256 of a piece, whose buffer it may keep
   * @param pieceBytes at least as many as are taken at once
   */
  constructor(
    private readonly total: number,
    private readonly digestOf: Digest = digest,
    wholeBytes = WHOLE_BYTES,
    pieceBytes = PIECE_BYTES,
  ) {
    this.#pieceBytes = total <= wholeBytes ? Infinity : pieceBytes
  }

  /**
   * Nobody else may use the bytes, or their buffer, from then on. Resolves once at most PIECES_WAITING pieces wait for their
   * hash; rejects where one could not be made.
   */
  async add(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const taken = bytes.subarray(at, at + this.#pieceBytes - this.#heldBytes)
      at += taken.length
      this.bytes += taken.length
      this.#held.push(taken)
      this.#heldBytes += taken.length
      if (this.#heldBytes === this.#pieceBytes || this.bytes === this.total) this.#endPiece()
    }
    await this.#hashes.at(-1 - PIECES_WAITING)
  }

  /** Hex, once all bytes have been taken. */
  async hex(): Promise<string> {
    if (this.total === 0) this.#endPiece()
    const hashes = await Promise.all(this.#hashes)
    const hash =
      this.#pieceBytes === Infinity ? hashes[0]! : await digest(await new Blob(hashes).arrayBuffer())
    return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('')
  }

  #endPiece(): void {
    const held = this.#held
    const whole = this.digestOf(held.length === 1 ? held[0]! : concat(held, this.#heldBytes))
    // Where the import fails first, nobody asks for the hash.
    whole.catch(() => undefined)
    this.#hashes.push(whole)
    this.#held = []
    this.#heldBytes = 0
  }
}

/** Hex, of the bytes of all files one after the other, which nobody else reads from end to end. */
export async function hashFiles(
  files: readonly Blob[],
  signal?: AbortSignal,
  wholeBytes = WHOLE_BYTES,
  pieceBytes = PIECE_BYTES,
): Promise<string> {
  const all = new Blob([...files])
  const hash = new RunningHash(all.size, digest, wholeBytes, pieceBytes)
  for await (const piece of pieces(all)) {
    throwIfAborted(signal)
    await hash.add(piece)
  }
  return hash.hex()
}

/** SHA-256 in this thread, which Chromium keeps busy with it. */
export function digest(bytes: BufferSource): Promise<ArrayBuffer> {
  return crypto.subtle.digest('SHA-256', bytes)
}
