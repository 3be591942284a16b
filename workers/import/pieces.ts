// The bytes of a file in pieces, read into buffers that come back to be filled anew: memory that a thread has not used before
// costs more than what is done with it, as the system clears every page.

/** Bytes of a piece: what a processor's cache holds goes through all of an import without leaving it. */
export const PIECE_BYTES = 512 * 1024

/** Gives a buffer of PIECE_BYTES that nobody uses any more, where there is one. */
export type Spare = () => ArrayBuffer | undefined

/** The bytes in their order. Each piece is the caller's for good; every one but the last has PIECE_BYTES. */
export async function* pieces(
  file: Blob,
  spare: Spare = () => undefined,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = byteReader(file)
  try {
    for (let at = 0; at < file.size; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, file.size - at)
      yield reader
        ? await filled(reader, spare() ?? new ArrayBuffer(length), length)
        : new Uint8Array(await file.slice(at, at + length).arrayBuffer())
    }
  } finally {
    if (reader) {
      reading.delete(reader)
      // Of a stream that has failed, the failure has been told.
      await reader.cancel().catch(() => undefined)
    }
  }
}

/** Readers in use. Chromium 156 collects one that nobody but its own unanswered read holds; then that is never answered. */
const reading = new Set<ReadableStreamBYOBReader>()

/** Null in browsers whose files are no byte streams. */
function byteReader(file: Blob): ReadableStreamBYOBReader | null {
  try {
    const reader = (file.stream() as ReadableStream<Uint8Array<ArrayBuffer>>).getReader({ mode: 'byob' })
    reading.add(reader)
    return reader
  } catch {
    return null
  }
}

async function filled(
  reader: ReadableStreamBYOBReader,
  buffer: ArrayBuffer,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  for (let at = 0; at < length;) {
    // The buffer moves along with each read.
    const { value, done } = await reader.read(new Uint8Array(buffer, at, length - at))
    if (done) throw new DOMException('The file is shorter than it was.', 'NotReadableError')
    buffer = value.buffer
    at += value.length
  }
  return new Uint8Array(buffer, 0, length)
}
