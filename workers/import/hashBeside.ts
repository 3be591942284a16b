// The SHA-256s of a large import's pieces are made in a worker of their own (workers/hasher.ts), beside reading.
import { trustedScript } from '../../src/core/backend/trustedScript.ts'
import { GraftError } from '../../src/protocol/errors.ts'
import hasherUrl from '../hasher.ts?worker&url'
import { digest, WHOLE_BYTES, type Digest } from './hash.ts'
import { PIECE_BYTES, type Spare } from './pieces.ts'

/** Of the piece that came first of those without an answer: its SHA-256, and its buffer to be filled anew. */
export interface HashAnswer {
  hash: ArrayBuffer
  buffer: ArrayBuffer
}

export interface Hasher {
  /** The buffer of the bytes is gone afterwards. */
  digest: Digest
  spare: Spare
  /** Nothing is hashed any more. */
  end(): void
}

/** @param sourceBytes bytes of the files; what is hashed in one piece at the end needs no worker */
export function hasher(sourceBytes: number): Hasher {
  // Node, where imports are tested, has no such workers.
  if (typeof Worker === 'undefined' || sourceBytes <= WHOLE_BYTES)
    return { digest, spare: () => undefined, end: () => undefined }
  const worker = new Worker(trustedScript(hasherUrl), { type: 'module', name: 'graft-hash' })
  const waiting: { resolve: (hash: ArrayBuffer) => void; reject: (error: GraftError) => void }[] = []
  const spare: ArrayBuffer[] = []
  let dead: GraftError | null = null
  worker.onmessage = ({ data: { hash, buffer } }: MessageEvent<HashAnswer>) => {
    if (buffer.byteLength === PIECE_BYTES) spare.push(buffer)
    waiting.shift()?.resolve(hash)
  }
  worker.onerror = ({ message }) => {
    dead = new GraftError(
      'E_WORKER',
      `The worker that hashes files stopped${message ? `: ${message}` : ''}. Import the file again.`,
    )
    for (const { reject } of waiting.splice(0)) reject(dead)
  }
  return {
    digest: (bytes) =>
      new Promise((resolve, reject) => {
        if (dead) {
          reject(dead)
          return
        }
        waiting.push({ resolve, reject })
        worker.postMessage(bytes, [bytes.buffer])
      }),
    spare: () => spare.pop(),
    end: () => worker.terminate(),
  }
}
