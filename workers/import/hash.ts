// SHA-256 of the files of an import. In a browser a worker of its own reads and hashes them beside the import, which would
// else take half as long again; Node, where the import is tested, has no such workers.
import { trustedScript } from '../../src/core/backend/trustedScript.ts'
import { GraftError, throwIfAborted } from '../../src/protocol/errors.ts'
import { pieces, sha256 } from '../../src/store/chunks.ts'
import hashUrl from '../hashFiles.ts?worker&url'

export interface Hashing {
  /** Hex, of the bytes of all files one after the other. */
  result: Promise<string>
  /** Ends it; `result` may then never settle. */
  stop(): void
}

/** Below this a worker costs more than it saves. */
const WORKER_BYTES = 4 * 2 ** 20

export function hashFiles(files: readonly File[], signal: AbortSignal): Hashing {
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  if (typeof Worker === 'undefined' || bytes < WORKER_BYTES)
    return { result: quiet(hashHere(files, signal)), stop: () => undefined }
  const worker = new Worker(trustedScript(hashUrl), { type: 'module', name: 'graft-hash' })
  const result = new Promise<string>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<{ hash: string } | { error: string }>) =>
      'hash' in data
        ? resolve(data.hash)
        : reject(
            new GraftError('E_FORMAT', `The file could not be read again: ${data.error}. Choose it again.`),
          )
    worker.onerror = (event) => {
      event.preventDefault()
      reject(new GraftError('E_WORKER', `The file could not be hashed: ${event.message}. Import it again.`))
    }
    worker.postMessage(files)
  })
  return { result: quiet(result), stop: () => worker.terminate() }
}

export async function hashHere(files: readonly File[], signal?: AbortSignal): Promise<string> {
  const hash = sha256()
  for (const file of files)
    for await (const piece of pieces(file.stream())) {
      throwIfAborted(signal)
      hash.update(piece)
    }
  return hash.hex()
}

/** Where the import fails first, nobody asks for the hash. */
function quiet<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined)
  return promise
}
