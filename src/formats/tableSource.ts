// What a writer needs of a table: its columns, and its rows batch after batch. Every Table of src/data/table.ts is one.
import { throwIfAborted } from '../protocol/errors.ts'

export interface TableSource {
  readonly columns: readonly string[]
  batches(): AsyncIterable<{ readonly rows: readonly (readonly string[])[] }>
}

/** Bytes in the order of the file, a batch of rows or so at a time. */
export type ByteChunks = AsyncGenerator<Uint8Array<ArrayBuffer>, void, undefined>

/** All of a writer's chunks as one Blob, which browsers keep on disk when it is large. */
export async function blobOf(chunks: ByteChunks, type: string, signal?: AbortSignal): Promise<Blob> {
  const parts: Blob[] = []
  for await (const chunk of chunks) {
    throwIfAborted(signal)
    parts.push(new Blob([chunk]))
  }
  return new Blob(parts, { type })
}
